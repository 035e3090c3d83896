"""How far an index moves with a loop variable."""

from __future__ import annotations

from graphc.loops.ir import Apply, Argument, Constant, Expression, Variable
from graphc.loops.tidy import names

# Elements that are no farther apart are loaded and stored together by vector instructions.
NEAR = 16


def stride(index: Expression, name: str) -> int | None:
    """How far an index moves with a loop variable; None where it is far, or not known.

    >>> i, length = Variable("i", "int64"), Argument(0, "int64")
    >>> stride(Apply("add", (i, length), "int64"), "i")
    1
    >>> stride(Apply("multiply", (i, length), "int64"), "i")
    """
    if isinstance(index, Variable):
        return int(index.name == name)
    if isinstance(index, Constant | Argument):
        return 0
    if isinstance(index, Apply) and index.operation in ("add", "multiply"):
        first, second = (stride(operand, name) for operand in index.operands)
        if first == 0 == second:
            return 0
        if first is None or second is None:
            return None
        if index.operation == "add":
            return first + second
        factor = next((v for v in index.operands if isinstance(v, Constant)), None)
        step = (first + second) * int(factor.value) if factor is not None else NEAR + 1
        return step if abs(step) <= NEAR else None
    return None if name in names(index) else 0
