"""Every registered operation, checked against oracles that know nothing of graphc.

Values against NumPy in float64 on both targets, first and second derivatives against differences
along random directions and against SymPy, dtypes, broadcasting, empty and size-1 axes, hard values.
A new operation without a case in `op_cases/` fails here.

One operation alone: `pytest tests/test_every_op.py -k NAME`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gx
from graphc.errors import GradientError
from graphc.ir.node import Node
from graphc.ir.op import REGISTRY
from graphc.ops import definition, formula
from graphc.ops.elementwise import ElementwiseOp
from graphc.ops.reduction import ReductionOp
from tests.op_cases.case import Case
from tests.op_cases.registry import CASES, ELSEWHERE

BUILT_IN = sorted(name for name in REGISTRY if name not in definition._defined)
SMOOTH = sorted(name for name, case in CASES.items() if case.smooth)
ELEMENTWISE = [name for name in BUILT_IN if isinstance(REGISTRY[name], ElementwiseOp)]
FLOATS = [
    name for name in ELEMENTWISE
    if REGISTRY[name].types in ("float", "arithmetic",
    "float_test") and name != "stop_gradient"  # type: ignore[attr-defined]
]  # fmt: skip
# Steps and choices, whose derivatives are conventions: stated in the operation's description.
CHOICES = frozenset(
    ("where", "stop_gradient", "sign", "floor", "copy", "ceil", "round", "trunc", "heaviside",
    "floor_divide", "remainder", "fmod")
)  # fmt: skip
# Their first operand is an order, in which there is no derivative.
ORDERED = frozenset(("polygamma", "bessel_quotient", "bessel_quotient_scaled"))
HARD = np.array(
    [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-30, -1e-30, 1e30, -1e30, 0.5, -2.5, 88.0,
    -100.0, 3e-39]
)  # fmt: skip


def inputs_of(case: Case, arrays: list[np.ndarray], dtype: str) -> list[Node]:
    """Inputs for a case: floats of `dtype`, others as they are."""
    return [
        gx.input(f"x{i}", a.shape, dtype if a.dtype.kind == "f" else a.dtype)
        for i, a in enumerate(arrays)
    ]


def test_every_operation_has_a_case() -> None:
    """An operation that nobody tests does not exist."""
    assert set(BUILT_IN) - set(CASES) - ELSEWHERE == set()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(CASES))
def test_value_on_the_python_target(name: str, dtype: str) -> None:
    """The emitted source, uncompiled, computes what NumPy does in float64."""
    check_value(CASES[name], dtype, "python")


@pytest.mark.parametrize("name", sorted(CASES))
def test_value_on_the_cpu_target(name: str) -> None:
    """The compiled kernel computes what NumPy does in float64."""
    check_value(CASES[name], "float32", "cpu")


def check_value(case: Case, dtype: str, target: str) -> None:
    """Compare a target, and the interpreter, with the oracle."""
    arrays = case.arrays()
    nodes = inputs_of(case, arrays, dtype)
    y = case.build(*nodes)
    rounded = [a.astype(dtype).astype(float) if a.dtype.kind == "f" else a for a in arrays]
    expected = case.oracle(*rounded)
    tolerance = 2e-5 if dtype == "float32" else 1e-12
    feed = dict(zip(nodes, arrays, strict=True))
    np.testing.assert_allclose(gx.evaluate(y, feed), expected, rtol=tolerance, atol=tolerance)
    compiled = gx.compile(nodes, y, target=target)
    result = compiled(*(a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays))
    assert np.shape(result) == np.shape(expected)
    np.testing.assert_allclose(result, expected, rtol=tolerance, atol=tolerance)


# ---- derivatives


@pytest.mark.parametrize("name", SMOOTH)
def test_first_and_second_derivative_against_differences(name: str) -> None:
    """Both modes, and the derivative of the derivative, along random directions in float64."""
    case = CASES[name]
    arrays = case.arrays(seed=1)
    nodes = inputs_of(case, arrays, "float64")
    y = case.build(*nodes)
    floats = [node for node in nodes if node.dtype.is_float]
    feed = dict(zip(nodes, arrays, strict=True))
    checks = gx.check_gradients(y, floats, feed, order=2, tolerance=5e-6)
    assert {check.mode for check in checks} == {"reverse", "forward"}


@pytest.mark.parametrize("name", [n for n in ELEMENTWISE if REGISTRY[n].partials is not None])  # type: ignore[attr-defined]
def test_derivative_by_hand_is_sympys(name: str) -> None:
    """Partial derivatives written in the table equal those that SymPy finds from the formula."""
    op = REGISTRY[name]
    assert isinstance(op, ElementwiseOp)
    if name in CHOICES:
        pytest.skip("a choice, not a derivative: stated in the operation's description")
    assert op.partials is not None
    samples = CASES[name].samples
    chosen = [samples[min(i, len(samples) - 1)] for i in range(op.arity)]
    points = [sample(np.random.default_rng(i), (5,)) for i, sample in enumerate(chosen)]
    nodes = [gx.input(f"x{i}", (5,), "float64") for i in range(op.arity)]
    feed = dict(zip(nodes, points, strict=True))
    expression, symbols = formula.symbolic(op)
    for position, partial in enumerate(op.partials(*nodes, op(*nodes))):
        if position == 0 and name in ORDERED:
            assert partial is None
            continue
        exact = [
            float(
                expression.diff(symbols[position])
                .subs(dict(zip(symbols, p, strict=True)))
                .evalf(30)
            )
            for p in zip(*points, strict=True)
        ]
        by_hand = gx.evaluate(partial, feed) if isinstance(partial, Node) else partial
        np.testing.assert_allclose(np.broadcast_to(by_hand, (5,)), exact, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", [n for n in BUILT_IN if REGISTRY[n].vjp is None and n in CASES])
def test_an_operation_without_a_derivative_says_why(name: str) -> None:
    """Differentiating through it is an error that gives the reason, never a silent zero."""
    assert REGISTRY[name].no_derivative
    if REGISTRY[name].kind != "elementwise" or name not in CASES:
        return
    case = CASES[name]
    nodes = inputs_of(case, case.arrays(), "float64")
    with pytest.raises(GradientError):
        gx.grad(gx.sum(gx.cast(case.build(*nodes), "float64")), nodes[0])


# ---- dtypes and shapes

RESULTS = {
    "arithmetic": {"bool": "int32", "uint8": "uint8", "int32": "int32", "int64": "int64",
    "float32": "float32", "float64": "float64"},
    "float": {"bool": "float32", "uint8": "float32", "int32": "float32", "int64": "float32",
    "float32": "float32", "float64": "float64"},
    "comparison": dict.fromkeys(("bool", "uint8", "int32", "int64", "float32", "float64"), "bool"),
    "logical": dict.fromkeys(("bool", "uint8", "int32", "int64", "float32", "float64"), "bool"),
    "float_test": dict.fromkeys(("bool", "uint8", "int32", "int64", "float32", "float64"), "bool"),
}  # fmt: skip


@pytest.mark.parametrize("name", [n for n in ELEMENTWISE if REGISTRY[n].types in RESULTS])  # type: ignore[attr-defined]
def test_dtype_of_the_result(name: str) -> None:
    """Integers become float32 where a function is not whole; float32 never becomes float64
    unasked."""
    op: Any = REGISTRY[name]
    for given, expected in RESULTS[op.types].items():
        nodes = [gx.input(f"x{i}", (2,), given) for i in range(op.arity)]
        assert op(*nodes).dtype.name == expected, (name, given)


@pytest.mark.parametrize("name", [n for n in ELEMENTWISE if getattr(REGISTRY[n], "arity", 0) == 2])
def test_broadcasting(name: str) -> None:
    """(3, 1) with (1, 4) gives (3, 4), and the values NumPy gives."""
    op: Any = REGISTRY[name]
    dtype = {"integer": "int32", "logical": "bool"}.get(op.types, "float64")
    a, b = gx.input("a", (3, 1), dtype), gx.input("b", (1, 4), dtype)
    y = op(a, b)
    assert y.shape == (3, 4)
    left, right = (
        np.arange(1, 4).reshape(3, 1).astype(dtype),
        np.arange(1, 5).reshape(1, 4).astype(dtype),
    )
    expected = op.reference({}, left, right)
    np.testing.assert_allclose(gx.compile([a, b], y, target="python")(left, right), expected)


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("name", FLOATS)
def test_elementwise_on_empty_and_single_elements(name: str, count: int) -> None:
    """An axis of 0 or 1 is as good as any other, also when its size is symbolic."""
    op: Any = REGISTRY[name]
    nodes = [gx.input(f"x{i}", ("n", 3)) for i in range(op.arity)]
    arrays = [np.full((count, 3), 0.75, np.float32) for _ in nodes]
    y = op(*nodes)
    found = gx.compile(nodes, y, target="python")(*arrays)
    expected = gx.evaluate(y, dict(zip(nodes, arrays, strict=True)))
    assert found.shape == (count, 3)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (3, 1), (1, 1)])
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1)])
@pytest.mark.parametrize("name", [n for n in BUILT_IN if isinstance(REGISTRY[n], ReductionOp)])
def test_reductions_of_short_axes(name: str, axis: Any, shape: tuple[int, int]) -> None:
    """The sum of nothing is 0 and its product 1; the largest of nothing is an error where it is
    written."""
    if name.startswith("arg") and not isinstance(axis, int):
        pytest.skip("one axis at a time")
    function: Any = getattr(gx, name)
    x = gx.input("x", shape)
    empty = 0 in shape and axis != 1
    if empty and name not in ("sum", "prod", "any", "all"):
        with pytest.raises(gx.errors.ShapeError, match="empty"):
            function(x, axis=axis)
        return
    value = np.arange(1, 1 + np.prod(shape), dtype=np.float32).reshape(shape)
    found = gx.compile(x, function(x, axis=axis), target="python")(value)
    np.testing.assert_allclose(found, getattr(np, name)(value, axis=axis))


# ---- hard values


def test_hard_values_on_both_targets() -> None:
    """0, -0, infinities, nan, huge and tiny arguments, as NumPy and C99 have them."""
    x = gx.input("x", (HARD.size,))
    y = gx.input("y", (HARD.size,))
    unary = [n for n in FLOATS if REGISTRY[n].arity == 1 and n not in ("not_zero",)]  # type: ignore[attr-defined]
    binary = [n for n in FLOATS if REGISTRY[n].arity == 2]  # type: ignore[attr-defined]
    outputs = [REGISTRY[n](x) for n in unary] + [REGISTRY[n](x, y) for n in binary]  # type: ignore[operator]
    left = HARD.astype(np.float32)
    for shift in range(0, HARD.size, 5):
        right = np.roll(left, shift)
        expected = gx.evaluate(outputs, {x: left, y: right})
        for target in ("python", "cpu"):
            found = compiled(target, x, y, outputs)(left, right)
            for name, have, want in zip([*unary, *binary], found, expected, strict=True):
                compare_hard(f"{name} on {target}", have, want)


_COMPILED: dict[str, Any] = {}


def compiled(target: str, x: Node, y: Node, outputs: list[Node]) -> Any:
    """One compilation for all the shifts."""
    if target not in _COMPILED:
        _COMPILED[target] = gx.compile([x, y], outputs, target=target)
    return _COMPILED[target]


def compare_hard(label: str, have: np.ndarray, want: np.ndarray) -> None:
    """Equal up to a few units in the last place; subnormals up to the smallest number.

    Compiled sin, cos and tan give nan beyond 1e14, as their descriptions say.
    """
    if label.split()[0] in ("sin", "cos", "tan"):
        have, want = (np.where(np.abs(HARD) > 1e14, np.nan, a) for a in (have, want))
    if have.dtype == np.bool_:
        np.testing.assert_array_equal(have, want, err_msg=label)
        return
    np.testing.assert_allclose(have, want, rtol=1e-6, atol=3e-45, err_msg=label)
