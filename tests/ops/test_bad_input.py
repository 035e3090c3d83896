"""Every public operation refuses what it cannot take, where it is written, and says what it takes.

Operands that are none, shapes that do not broadcast, axes that are none, dtypes and ranges that do
not fit, calls with too few or too many arguments: each is an error of graphc with the user's line,
never one of NumPy's or of Python's.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

import graphc as gx
from graphc.errors import GraphcError
from graphc.ops.elementwise import ElementwiseOp
from tests.ops.bad_calls import Call, calls
from tests.ops.bad_layout_calls import layout_calls
from tests.ops.bad_operands import AXES, NO_AXES, SEVERAL_AXES, no_operands, numbers, operands

PUBLIC = sorted(gx.ops.__all__)
BESIDES = ("operators", "random draws")
OPERANDS = operands()
CALLS = calls() | layout_calls()
FUNCTIONS = [name for name in PUBLIC if callable(getattr(gx, name))]
# How a message says what was expected or what came.
_SAYS = re.compile(
    r"expected|got |\bhas\b|must|out of range|do(es)? not|differ|missing|too many|unexpected|once|"
    r"cannot|is not|needs|takes|!=| in operand "
)
_LINE = re.compile(r" Written at \S*tests/ops/(bad_\w+|test_bad_input)\.py:\d+\.$")


def complaint(call: Call) -> str:
    """What is wrong with the error that a wrong call raises; empty if nothing is."""
    try:
        result = call()
    except GraphcError as error:
        text = str(error)
        if not _LINE.search(text):
            return f"no line at the end: {text}"
        if text.count("Written at") != 1:
            return f"the line stands there twice: {text}"
        return "" if _SAYS.search(text) else f"does not say what was expected or came: {text}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return f"was accepted, and gave {result!r}"


def check(wrong: dict[str, Call]) -> None:
    """Try all wrong calls, and report those that are not refused as they must be."""
    found = {label: complaint(call) for label, call in wrong.items()}
    report = [f"  {label}: {text}" for label, text in found.items() if text]
    assert not report, "\n" + "\n".join(report)


def test_every_public_name_is_tried() -> None:
    """A new operation has its row in one of the tables."""
    assert sorted({*OPERANDS, *AXES, *CALLS} & {*PUBLIC}) == PUBLIC


@pytest.mark.parametrize("name", [name for name in PUBLIC if name in OPERANDS])
def test_right_operands_are_taken(name: str) -> None:
    """What the others vary is right to begin with."""
    function, right = OPERANDS[name]
    function(*right)


@pytest.mark.parametrize("name", [name for name in PUBLIC if name in OPERANDS])
def test_operands_that_are_none(name: str) -> None:
    """Texts, objects, None, ragged lists, nodes with several results, in every place."""
    function, right = OPERANDS[name]
    wrong: dict[str, Call] = {}
    for place in range(len(right)):
        for label, value in no_operands().items():
            given = (*right[:place], value, *right[place + 1 :])
            wrong[f"{label} as operand {place}"] = lambda given=given: function(*given)
    check(wrong)


def _elementwise(arity: int) -> list[str]:
    found = []
    for name in FUNCTIONS:
        op = getattr(getattr(gx, name), "__wrapped__", None)
        if isinstance(op, ElementwiseOp) and op.arity >= arity:
            found.append(name)
    return found


@pytest.mark.parametrize("name", _elementwise(2))
def test_operands_that_do_not_broadcast(name: str) -> None:
    """3 and 4, and two names, which may differ: both are said, with their axis."""
    function, right = OPERANDS[name]
    pairs: list[tuple[Any, Any]] = [
        ((3,), (4,)),
        (("n",), ("m",)),
        ((2, 3), (3, 2)),
        ((2,), ("n",)),
    ]
    dtypes = [node.dtype for node in right]
    for first, second in pairs:
        shapes = [first, second, second][: len(right)]
        given = [gx.input("a", s, d) for s, d in zip(shapes, dtypes, strict=True)]
        check({f"{first} and {second}": lambda given=given: function(*given)})
        with pytest.raises(
            gx.errors.ShapeError, match=f"{first[-1]} and {second[-1]}|{first[-2:]}"
        ):
            function(*given)


@pytest.mark.parametrize("name", [name for name in AXES if hasattr(gx, name.split()[0])])
def test_axes_that_are_none(name: str) -> None:
    """Out of range, fractions, texts, nodes, and one named twice."""
    x = numbers((3, 3))
    wrong: dict[str, Call] = {
        label: lambda axis=axis: AXES[name](x, axis) for label, axis in NO_AXES.items()
    }
    if name in ("expand_dims", "take", "repeat", "roll", "stack"):
        wrong["far out of range"] = lambda: AXES[name](x, 100)
    if name in SEVERAL_AXES and name not in ("transpose", "permute_dims"):
        wrong["twice"] = lambda: AXES[name](x, (0, 0))
        added = 2 if name == "expand_dims" else 0  # axes of the result
        wrong["twice from both ends"] = lambda: AXES[name](x, (1, -1 - added))
        wrong["one wrong of two"] = lambda: AXES[name](x, (0, 7))
    check(wrong)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arguments_that_do_not_fit_the_signature(name: str) -> None:
    """Too many, and an unknown name: an error that shows the signature."""
    function = getattr(gx, name)
    wrong: dict[str, Call] = {"an unknown name": lambda: function(graphc_has_no_such_argument=1)}
    if name not in ("atleast_1d", "atleast_2d", "atleast_3d", "broadcast_arrays", "meshgrid"):
        wrong["too many"] = lambda: function(*[numbers()] * 12)
        wrong["none"] = lambda: function()
    check(wrong)


@pytest.mark.parametrize("name", [name for name in CALLS if hasattr(gx, name) or name in BESIDES])
def test_what_one_operation_refuses(name: str) -> None:
    """Shapes, dtypes and ranges of its own."""
    check(CALLS[name])


def test_definitions_that_are_none() -> None:
    """A formula that is no expression of its operands is refused where it is written."""
    define = gx.elementwise
    check(
        {
            "no name": lambda: define("", lambda sp, x: x),
            "a name that is taken": lambda: define("exp", lambda sp, x: x),
            "no identifier": lambda: define("my op", lambda sp, x: x),
            "no formula": lambda: define("wrong", 3),  # type: ignore[arg-type]
            "no operand": lambda: define("wrong", lambda sp: 1),
            "an unknown function": lambda: define("wrong", lambda sp, x: sp.no_such_function(x)),
            "a text": lambda: define("wrong", lambda sp, x: x + "a"),
            "several values": lambda: define("wrong", lambda sp, x: (x, x)),
            "a foreign symbol": lambda: define("wrong", lambda sp, x: x + sp.Symbol("q")),
            "no kernel": lambda: define("wrong", lambda sp, x: sp.fresnels(x)),
        }
    )


def test_a_complaint_can_be_made() -> None:
    """Accepted calls, errors without a line, and errors of Python's are told apart."""
    assert complaint(lambda: gx.input("x")).startswith("was accepted")
    assert complaint(lambda: [][1]).startswith("IndexError")
    assert "no line" in complaint(lambda: (_ for _ in ()).throw(GraphcError("expected")))
