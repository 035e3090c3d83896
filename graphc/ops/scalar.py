"""The elementwise operations, one statement each: formula, derivative, NumPy reference,
notation."""

from __future__ import annotations

import numpy as np

from graphc.ir.dtype import bool_, int32
from graphc.ir.node import Node
from graphc.ir.op import ATOM, COMPARISON, POWER, PREFIX, PRODUCT, SUM, Notation
from graphc.ops.elementwise import ElementwiseOp, cast, elementwise
from graphc.ops.source import as_node, uniform_value

_BOOLEAN = "a truth value has no derivative"

# Derivatives name operations that are defined further down.
cos: ElementwiseOp
sign: ElementwiseOp
less: ElementwiseOp
greater: ElementwiseOp
equal: ElementwiseOp
logical_not: ElementwiseOp


def _infix(text: str, latex: str, level: int, right: int) -> Notation:
    # No chain of comparisons: the left side of one needs brackets as the right side does.
    left = max(level, SUM)
    return Notation(f"{{0}} {text} {{1}}", f"{{0}} {latex} {{1}}", level, (left, right))


def _function(text: str, latex: str) -> Notation:
    return Notation(f"{text}({{0}})", rf"{latex}\left({{0}}\right)", ATOM)


add = elementwise(
    "add", lambda sp, a, b: a + b, derivative=lambda a, b, y: (1, 1), types="arithmetic",
    reference=np.add, notation=_infix("+", "+", SUM, SUM), primitive=True,
    properties=("commutative", "associative"), doc="a + b",
    ulp=(0.5, 0.5),
)  # fmt: skip
subtract = elementwise(
    "subtract", lambda sp, a, b: a - b, derivative=lambda a, b, y: (1, -1), types="arithmetic",
    reference=np.subtract, notation=_infix("-", "-", SUM, PRODUCT), primitive=True, doc="a - b",
    ulp=(0.5, 0.5),
)  # fmt: skip
multiply = elementwise(
    "multiply", lambda sp, a, b: a * b, derivative=lambda a, b, y: (b, a), types="arithmetic",
    reference=np.multiply, notation=Notation("{0} * {1}", r"{0} \, {1}", PRODUCT, (PRODUCT,
    PRODUCT)),
    primitive=True, properties=("commutative", "associative"), doc="a * b, elementwise",
    ulp=(0.5, 0.5),
)  # fmt: skip
divide = elementwise(
    "divide", lambda sp, a, b: a / b, derivative=lambda a, b, y: (1 / b, -y / b),
    reference=np.divide, notation=Notation("{0} / {1}", r"\frac{{0}}{{1}}", PRODUCT, (PRODUCT,
    PREFIX), PREFIX, (0, 0)),
    primitive=True, doc="a / b; integers become floats",
    ulp=(0.5, 0.5),
)  # fmt: skip
negative = elementwise(
    "negative", lambda sp, x: -x, derivative=lambda x, y: -1, types="arithmetic",
    reference=np.negative, notation=Notation("-{0}", "-{0}", SUM, (PRODUCT,)), primitive=True,
    doc="-x",
    ulp=(0, 0),
)  # fmt: skip


def _power_partials(a: Node, b: Node, y: Node) -> tuple[Node | None, Node | None]:
    # d/db is y log(a), and 0 where a == 0, as the limit for b > 0; log(0) must not turn it into
    # nan.
    positive = where(greater(a, 0), a, 1)
    slope: Node | None = b * power(a, b - 1)
    known = uniform_value(b)
    if known is None:
        slope = where(equal(b, 0), 0, slope)  # at a = 0 it would be 0 times infinity
    elif known == 0:
        slope = None
    return slope, y * log(positive)


power = elementwise(
    "power", lambda sp, a, b: a**b, derivative=_power_partials, reference=np.power,
    notation=Notation("{0}**{1}", "{0}^{{1}}", POWER, (ATOM, POWER), None, (ATOM, 0)),
    primitive=True,
    doc="a to the power b, as a float; for a <= 0 the derivative with respect to b is taken as 0",
    ulp=(0.6, 1.4),
)  # fmt: skip


def raise_to(base: object, exponent: object) -> Node:
    """`base` to the power `exponent`.

    Integers to a whole number >= 0, as in k**2, stay integers; other powers of integers are floats.

    >>> from graphc.ops.source import input
    >>> raise_to(input("k", (3,), "int32"), 2), raise_to(2, input("k", (3,), "int32"))
    (<square: int32 (3,)>, <power: float32 (3,)>)
    """
    whole = isinstance(exponent, int | np.integer) and not isinstance(exponent, bool)
    times = int(exponent) if whole else -1  # type: ignore[call-overload]
    if times < 0 or not isinstance(base, Node) or base.dtype.is_float:
        return power(base, exponent)
    factor = cast(base, int32) if base.dtype is bool_ else base
    result: Node | None = None
    for bit in f"{times:b}":  # by squaring, from the highest bit on
        result = result if result is None else square(result)
        if bit == "1":
            result = factor if result is None else result * factor
    return factor * 0 + 1 if result is None else result


square = elementwise(
    "square", lambda sp, x: x * x, derivative=lambda x, y: 2 * x, types="arithmetic",
    reference=np.square, notation=Notation("{0}²", "{0}^{2}", POWER, (ATOM,)), doc="x * x",
    properties=("nonnegative",),
    ulp=(0.5, 0.5),
)  # fmt: skip
exp = elementwise(
    "exp", lambda sp, x: sp.exp(x), derivative=lambda x, y: y, reference=np.exp,
    notation=_function("exp", r"\exp"), primitive=True, properties=("positive", "nonnegative"),
    doc="e**x",
    ulp=(1.0, 1.0),
)  # fmt: skip
expm1 = elementwise(
    "expm1", lambda sp, x: sp.exp(x) - 1, derivative=lambda x, y: exp(x), reference=np.expm1,
    notation=_function("expm1", r"\operatorname{expm1}"), primitive=True,
    doc="exp(x) - 1, exact near 0",
    ulp=(1.6, 2.0),
)  # fmt: skip
log = elementwise(
    "log", lambda sp, x: sp.log(x), derivative=lambda x, y: 1 / x, reference=np.log,
    notation=_function("log", r"\log"), primitive=True, doc="the natural logarithm",
    ulp=(0.9, 0.9),
)  # fmt: skip
log1p = elementwise(
    "log1p", lambda sp, x: sp.log(1 + x), derivative=lambda x, y: 1 / (1 + x), reference=np.log1p,
    notation=_function("log1p", r"\operatorname{log1p}"), primitive=True,
    doc="log(1 + x), exact near 0",
    ulp=(0.9, 0.9),
)  # fmt: skip
sqrt = elementwise(
    "sqrt", lambda sp, x: sp.sqrt(x), derivative=lambda x, y: 0.5 / y, reference=np.sqrt,
    notation=Notation("sqrt({0})", r"\sqrt{{0}}", ATOM), primitive=True,
    properties=("nonnegative",),
    doc="the square root",
    ulp=(0.5, 0.5),
)  # fmt: skip
sin = elementwise(
    "sin", lambda sp, x: sp.sin(x), derivative=lambda x, y: cos(x), reference=np.sin,
    notation=_function("sin", r"\sin"), primitive=True,
    doc="the sine of x radians; compiled code gives nan beyond |x| = 1e14",
    ulp=(1.6, 0.9),
)  # fmt: skip
cos = elementwise(
    "cos", lambda sp, x: sp.cos(x), derivative=lambda x, y: -sin(x), reference=np.cos,
    notation=_function("cos", r"\cos"), primitive=True,
    doc="the cosine of x radians; compiled code gives nan beyond |x| = 1e14",
    ulp=(1.6, 0.9),
)  # fmt: skip
tanh = elementwise(
    "tanh", lambda sp, x: sp.tanh(x), derivative=lambda x, y: 1 - square(y), reference=np.tanh,
    notation=_function("tanh", r"\tanh"), primitive=True, doc="the hyperbolic tangent",
    ulp=(2.0, 2.8),
)  # fmt: skip


def _reference_sigmoid(x: np.ndarray) -> np.ndarray:
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1 / (1 + small), small / (1 + small)))


sigmoid = elementwise(
    "sigmoid", lambda sp, x: 1 / (1 + sp.exp(-x)), derivative=lambda x, y: y * (1 - y),
    reference=_reference_sigmoid, notation=Notation("σ({0})", r"\sigma\left({0}\right)"),
    primitive=True,
    properties=("positive", "nonnegative"), doc="1 / (1 + exp(-x)), the logistic function",
    ulp=(2.0, 2.0),
)  # fmt: skip
softplus = elementwise(
    "softplus", lambda sp, x: sp.log(1 + sp.exp(x)), derivative=lambda x, y: sigmoid(x),
    reference=lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    notation=_function("softplus", r"\zeta"), primitive=True, properties=("positive",
    "nonnegative"),
    doc="log(1 + exp(x)), without overflow",
    ulp=(1.8, 1.8),
)  # fmt: skip


def _reference_erf(x: np.ndarray) -> np.ndarray:
    from scipy import special

    return np.asarray(special.erf(x))


erf = elementwise(
    "erf", lambda sp, x: sp.erf(x), derivative=lambda x, y: (2 / np.pi**0.5) * exp(-square(x)),
    reference=_reference_erf, notation=_function("erf", r"\operatorname{erf}"), primitive=True,
    doc="the error function",
    ulp=(1.2, 1.6),
)  # fmt: skip
relu = elementwise(
    "relu", lambda sp, x: sp.Max(x, 0), derivative=lambda x, y: cast(greater(y, 0), x.dtype),
    types="arithmetic", notation=_function("relu", r"\operatorname{relu}"),
    properties=("nonnegative",), doc="max(x, 0); its derivative at 0 is 0",
    ulp=(0, 0),
)  # fmt: skip
absolute = elementwise(
    "abs", lambda sp, x: sp.Abs(x), derivative=lambda x, y: sign(x), types="arithmetic",
    reference=np.abs, notation=Notation("|{0}|", r"\left|{0}\right|"), primitive=True,
    properties=("nonnegative",), doc="|x|; its derivative at 0 is 0",
    ulp=(0, 0),
)  # fmt: skip
sign = elementwise(
    "sign", lambda sp, x: sp.sign(x), derivative=lambda x, y: None, types="arithmetic",
    reference=np.sign, notation=_function("sign", r"\operatorname{sign}"), primitive=True,
    doc="-1, 0 or 1; its derivative is taken as 0 everywhere",
    ulp=(0, 0),
)  # fmt: skip
floor = elementwise(
    "floor", lambda sp, x: sp.floor(x), derivative=lambda x, y: None, reference=np.floor,
    notation=Notation("floor({0})", r"\left\lfloor {0} \right\rfloor"), primitive=True,
    doc="the greatest integer <= x, as a float; its derivative is taken as 0 everywhere",
    ulp=(0, 0),
)  # fmt: skip


def _share(chosen: Node, tied: Node) -> Node:
    """1 where an operand was chosen, 1/2 where the two tie."""
    return where(tied, 0.5, where(chosen, 1.0, 0.0))


maximum = elementwise(
    "maximum", lambda sp, a, b: sp.Max(a, b), types="arithmetic", reference=np.maximum,
    derivative=lambda a, b, y: (
        cast(_share(greater(a, b), equal(a, b)), y.dtype),
        cast(_share(greater(b, a), equal(a, b)), y.dtype),
    ),
    notation=Notation("max({0}, {1})", r"\max\left({0}, {1}\right)"), primitive=True,
    properties=("commutative", "associative"),
    doc="the larger of two; nan if one is; where they tie each gets half the derivative",
    ulp=(0, 0),
)  # fmt: skip
minimum = elementwise(
    "minimum", lambda sp, a, b: sp.Min(a, b), types="arithmetic", reference=np.minimum,
    derivative=lambda a, b, y: (
        cast(_share(less(a, b), equal(a, b)), y.dtype),
        cast(_share(less(b, a), equal(a, b)), y.dtype),
    ),
    notation=Notation("min({0}, {1})", r"\min\left({0}, {1}\right)"), primitive=True,
    properties=("commutative", "associative"),
    doc="the smaller of two; nan if one is; where they tie each gets half the derivative",
    ulp=(0, 0),
)  # fmt: skip
where = elementwise(
    "where", lambda sp, c, a, b: sp.Piecewise((a, c), (b, True)), types="select",
    reference=np.where,
    derivative=lambda c, a, b, y: (None, c, logical_not(c)),
    notation=Notation(
        "where({0}, {1}, {2})", r"\begin{cases} {1} & {0} \\ {2} & \text{else} \end{cases}",
        latex_level=COMPARISON,
    ),
    primitive=True, doc="a where the condition holds, b elsewhere",
    ulp=(0, 0),
)  # fmt: skip
stop_gradient = elementwise(
    "stop_gradient", lambda sp, x: x, derivative=lambda x, y: None, types="arithmetic",
    notation=_function("stop_gradient", r"\operatorname{stop}"),
    doc="x, taken as a constant by differentiation",
    ulp=(0, 0),
)  # fmt: skip

less = elementwise(
    "less", lambda sp, a, b: sp.Lt(a, b), types="comparison", reference=np.less, primitive=True,
    notation=_infix("<", "<", COMPARISON, SUM), no_derivative=_BOOLEAN, doc="a < b",
)  # fmt: skip
less_equal = elementwise(
    "less_equal", lambda sp, a, b: sp.Le(a, b), types="comparison", reference=np.less_equal,
    primitive=True,
    notation=_infix("<=", r"\le", COMPARISON, SUM), no_derivative=_BOOLEAN, doc="a <= b",
)  # fmt: skip
greater = elementwise(
    "greater", lambda sp, a, b: sp.Gt(a, b), types="comparison", reference=np.greater,
    primitive=True,
    notation=_infix(">", ">", COMPARISON, SUM), no_derivative=_BOOLEAN, doc="a > b",
)  # fmt: skip
greater_equal = elementwise(
    "greater_equal", lambda sp, a, b: sp.Ge(a, b), types="comparison", reference=np.greater_equal,
    primitive=True, notation=_infix(">=", r"\ge", COMPARISON, SUM), no_derivative=_BOOLEAN,
    doc="a >= b",
)  # fmt: skip
equal = elementwise(
    "equal", lambda sp, a, b: sp.Eq(a, b), types="comparison", reference=np.equal, primitive=True,
    notation=_infix("==", "=", COMPARISON, SUM), properties=("commutative",),
    no_derivative=_BOOLEAN,
    doc="a == b, elementwise",
)  # fmt: skip
not_equal = elementwise(
    "not_equal", lambda sp, a, b: sp.Ne(a, b), types="comparison", reference=np.not_equal,
    primitive=True,
    notation=_infix("!=", r"\ne", COMPARISON, SUM), properties=("commutative",),
    no_derivative=_BOOLEAN,
    doc="a != b, elementwise",
)  # fmt: skip
logical_and = elementwise(
    "logical_and", lambda sp, a, b: sp.And(a, b), types="logical", reference=np.logical_and,
    primitive=True,
    notation=_infix("&", r"\wedge", COMPARISON, SUM), properties=("commutative", "associative"),
    no_derivative=_BOOLEAN, doc="whether both hold",
)  # fmt: skip
logical_or = elementwise(
    "logical_or", lambda sp, a, b: sp.Or(a, b), types="logical", reference=np.logical_or,
    primitive=True,
    notation=_infix("|", r"\vee", COMPARISON, SUM), properties=("commutative", "associative"),
    no_derivative=_BOOLEAN, doc="whether one of two holds",
)  # fmt: skip
logical_not = elementwise(
    "logical_not", lambda sp, a: sp.Not(a), types="logical", reference=np.logical_not,
    primitive=True,
    notation=Notation("~{0}", r"\neg {0}", PREFIX, (ATOM,)), no_derivative=_BOOLEAN,
    doc="whether it does not hold",
)  # fmt: skip
isnan = elementwise(
    "isnan", lambda sp, x: sp.Ne(x, x), types="float_test", reference=np.isnan, primitive=True,
    no_derivative=_BOOLEAN, doc="whether an element is nan",
)  # fmt: skip
isfinite = elementwise(
    "isfinite", lambda sp, x: sp.Eq(x - x, 0), types="float_test", reference=np.isfinite,
    primitive=True,
    no_derivative=_BOOLEAN, doc="whether an element is neither infinite nor nan",
)  # fmt: skip
copy = elementwise(
    "copy", lambda sp, x: x, derivative=lambda x, y: 1, types="any", reference=lambda x: x,
    primitive=True,
    notation=Notation("{0}", "{0}"), doc="x itself, in memory of its own",
    ulp=(0, 0),
)  # fmt: skip


def clip(x: object, low: object, high: object) -> Node:
    """x limited to [low, high]; the derivative outside is 0, and half on the bounds."""
    return minimum(maximum(x, low), high)


def as_dtype_node(value: object, dtype: object) -> Node:
    """A value as a node of the given dtype."""
    return cast(as_node(value), dtype)
