"""Operations that a user defines from a SymPy formula: checked when they are defined, not when they
run."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

import graphc.ops.formula as formulas
from graphc.errors import ArgumentError, CompileError
from graphc.ir.dtype import as_dtype, default_float
from graphc.ir.node import Node, make
from graphc.ir.op import ATOM, REGISTRY, Attributes, Notation, Op, register
from graphc.ir.shape import TensorType, as_shape, broadcast_shapes
from graphc.ir.site import at_user_line
from graphc.ops.elementwise import ElementwiseOp
from graphc.ops.elementwise import elementwise as define
from graphc.ops.evaluate import evaluate
from graphc.ops.source import as_nodes
from graphc.ops.source import input as declare

_defined: set[str] = set()


def is_built_in(op: Op) -> bool:
    """Whether an operation is graphc's own: its name then says what it is."""
    return REGISTRY.get(op.name) is op and op.name not in _defined


@at_user_line
def elementwise(
    name: str,
    formula: Callable[..., Any],
    *,
    derivative: Callable[..., Any] | None = None,
    doc: str = "",
) -> ElementwiseOp:
    """Define an elementwise operation from a SymPy formula.

    Args: `formula(sp, x, ...)` returns a SymPy expression of its operands, where `sp` is SymPy;
    `derivative(x, ..., y)`, if given, returns the partial derivatives in graphc operations (one
    value, or a tuple), where `y` is the output; else SymPy differentiates the formula. Value,
    derivatives of any order, LaTeX and kernel follow. Defining a name of yours again replaces it.

    Raises ArgumentError for a name that graphc itself uses and for a formula that is not an
    expression of its operands, CompileError for a function that has no kernel.

    >>> swish = elementwise("swish", lambda sp, x: x / (1 + sp.exp(-x)))
    >>> x = declare("x", (), "float64")
    >>> round(float(evaluate(swish(x), {x: 1.0})), 6)
    0.731059
    """
    if not isinstance(name, str) or not name:
        raise ArgumentError(f"elementwise: expected a name, a nonempty string; got {name!r}")
    if name in REGISTRY and name not in _defined:
        raise ArgumentError(f"elementwise: graphc has an operation {name!r}; choose another name")
    arity = _arity(formula)
    previous = REGISTRY.pop(name, None)
    try:
        op = define(name, formula, derivative=derivative, doc=doc, arity=arity, reference=None)
        _check(op)
    except Exception:
        REGISTRY.pop(name, None)
        if previous is not None:
            REGISTRY[name] = previous
        raise
    _defined.add(name)
    return op


def _arity(formula: object) -> int:
    if not callable(formula):
        raise ArgumentError(
            f"elementwise: expected a function of SymPy and the operands, such as "
            f"lambda sp, x: x / (1 + sp.exp(-x)); got {formula!r}"
        )
    count = len(inspect.signature(formula).parameters) - 1
    if count < 1:
        raise ArgumentError("elementwise: the formula takes SymPy and at least one operand")
    return count


def _check(op: ElementwiseOp) -> None:
    """Raise unless the formula is an expression that has a graph, and so have its derivatives."""
    import sympy

    try:
        expression, symbols = formulas.symbolic(op)
    except (AttributeError, TypeError, sympy.SympifyError) as error:
        raise ArgumentError(
            f"{op.name}: expected a formula of SymPy's functions and the operands; {error}"
        ) from None
    if not isinstance(expression, sympy.Expr):
        raise ArgumentError(f"{op.name}: the formula gives {expression!r}, expected an expression")
    foreign = sorted(map(str, expression.free_symbols - set(symbols)))
    if foreign:
        raise ArgumentError(
            f"{op.name}: the formula holds {', '.join(foreign)}, expected only its operands"
        )
    operands = [declare(f"x{i}", (), default_float()) for i in range(op.arity)]
    node = op(*operands)
    for made in (formulas.expand(op, node), *_partials(op, node)):
        if made.dtype is not node.dtype:
            raise CompileError(f"{op.name}: expected a float formula, got {made.dtype}")
    sample = {operand: np.asarray(0.5) for operand in operands}
    evaluate(node, sample)
    if op.partials is not None:
        _check_derivative(op)


def _check_derivative(op: ElementwiseOp) -> None:
    """Compare a derivative written by hand with differences of the formula, at a few points."""
    assert op.partials is not None
    random = np.random.default_rng(0)
    points = [random.uniform(-2.0, 2.0, 64) for _ in range(op.arity)]
    operands = [declare(f"x{i}", (64,), "float64") for i in range(op.arity)]
    feed = dict(zip(operands, points, strict=True))
    node = op(*operands)
    for place, partial in enumerate(op.partials(*operands, node)):
        slope = 0.0 if partial is None else partial
        found = np.broadcast_to(
            evaluate(slope, feed) if isinstance(slope, Node) else slope, (64,)
        ).astype(float)
        expected = _differences(node, operands[place], feed)
        error = np.abs(found - expected) / np.maximum(1, np.abs(expected))
        error = np.where(np.isfinite(error), error, 0)  # outside the domain of the formula
        worst = int(np.argmax(error))
        # A corner between two points spoils one or two differences; a wrong formula most.
        if np.mean(error > 1e-4) > 0.25:
            at = ", ".join(f"x{i} = {point[worst]:.6g}" for i, point in enumerate(points))
            raise ArgumentError(
                f"{op.name}: the derivative with respect to x{place} is {found[worst]:.6g} at "
                f"{at}; differences of the formula give {expected[worst]:.6g}"
            )


def _differences(node: Node, operand: Node, feed: dict[Node, np.ndarray]) -> np.ndarray:
    """Central differences of an elementwise node, extrapolated to fourth order."""

    def central(step: float) -> np.ndarray:
        above, below = ({**feed, operand: feed[operand] + h} for h in (step, -step))
        return np.asarray(evaluate(node, above) - evaluate(node, below)) / (2 * step)

    with np.errstate(all="ignore"):
        return np.asarray((4 * central(5e-5) - central(1e-4)) / 3)


def _partials(op: ElementwiseOp, node: Node) -> list[Node]:
    if op.partials is None:
        return [p for p in formulas.differentiate(op, node) if p is not None]
    found = op.partials(*node.inputs, node)
    if len(found) != op.arity:
        raise ArgumentError(
            f"{op.name}: derivative gives {len(found)} value(s), expected {op.arity}"
        )
    return [p for p in found if isinstance(p, Node)]


def numpy_operation(
    name: str,
    reference: Callable[..., Any],
    *,
    result: Callable[..., tuple[Any, Any]] | None = None,
    vjp: Callable[[Node, Node], Any] | None = None,
    doc: str = "",
) -> Callable[..., Node]:
    """Define an operation that only NumPy computes: for trying an idea in the interpreter.

    Args: `reference(*arrays)` returns the array; `result(*nodes)` gives its (shape, dtype), by
    default the shape in which the operands broadcast and the dtype of the first; `vjp(node, g)`,
    if given, the cotangent of each operand as nodes (None for none). gx.evaluate, gx.jvp and
    gx.grad work; gx.compile is an error that names the operation, since it has no native code.
    Defining a name of yours again replaces it.

    Raises ArgumentError for a name that graphc itself uses or a reference that is no function;
    evaluating raises ShapeError where `reference` returns another shape than stated.

    >>> spread = numpy_operation("spread_of", np.ptp, result=lambda x: ((), x.dtype))
    >>> x = declare("x", (3,), "float64")
    >>> float(evaluate(spread(x), {x: [1.0, 5.0, 2.0]}))
    4.0
    """
    _check_numpy_operation(name, reference)

    def checked(attrs: Attributes, *arrays: np.ndarray) -> np.ndarray:
        return np.asarray(reference(*arrays))

    REGISTRY.pop(name, None)
    op = NumpyOp(
        name, _inference(name, result), checked, vjp, "" if vjp else "its author gave no vjp",
        doc=doc or name,
        notation=Notation(_call(name, "{}"), _call(name, r"\operatorname{{{}}}"), ATOM),
    )  # fmt: skip
    register(op)
    _defined.add(name)
    return lambda *operands: make(op, tuple(as_nodes(operands)))


def _check_numpy_operation(name: object, reference: object) -> None:
    if not isinstance(name, str) or not name.isidentifier():
        raise ArgumentError(f"numpy_operation: expected a name, an identifier; got {name!r}")
    if name in REGISTRY and name not in _defined:
        raise ArgumentError(f"numpy_operation: graphc has an operation {name!r}; choose another")
    if not callable(reference):
        raise ArgumentError(f"{name}: expected a function of arrays, got {reference!r}")


def _inference(
    name: str, result: Callable[..., tuple[Any, Any]] | None
) -> Callable[[tuple[Node, ...], Attributes], TensorType]:
    """The rule for the type of a NumPy operation: as its author says, or that of broadcasting."""

    def infer(inputs: tuple[Node, ...], attrs: Attributes) -> TensorType:
        if result is None:
            shape = broadcast_shapes((node.shape for node in inputs), name)
            return TensorType(inputs[0].dtype, shape)
        shape, dtype = result(*inputs)
        return TensorType(as_dtype(dtype), as_shape(shape))

    return infer


class NumpyOp(Op):
    """An operation without native code."""

    kind = "numpy"


def _call(name: str, head: str) -> Callable[[Node], str]:
    written = head.format(name.replace("_", r"\_") if "operatorname" in head else name)
    return lambda node: f"{written}({', '.join(f'{{{i}}}' for i in range(len(node.inputs)))})"
