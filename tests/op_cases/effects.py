"""Cases of the group: effects."""

from __future__ import annotations

from graphc.ir.node import make
from graphc.ops.effect import check_op, print_op
from tests.op_cases.case import Case

_S = (3, 4)

CASES: dict[str, Case] = {
    check_op.name: Case(
        lambda x: make(check_op, (x < 10,), message="small"), (_S,), lambda x: x < 10, smooth=False
    ),
    print_op.name: Case(
        lambda x: make(print_op, (x,), label="x", of=0), (_S,), lambda x: x, smooth=False
    ),
}
