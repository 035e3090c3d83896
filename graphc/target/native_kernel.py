"""A kernel's text as an LLVM module: its syntax tree is walked once, and types come with values.

The language is small (see `loader`), so this takes a few milliseconds: no bytecode, no inference.

- Numbers keep the type they have. Integers of different types, and the results of `+ - *` and of
  bit operations on integers, are int64; floats of two types never meet. Literals are int64,
  float64 or bool.
- A name that changes in a loop or a branch keeps its type. A name that is first assigned in one is
  not known after it.
- Float sums and products may be fused (`contract`), nothing else may change.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from llvmlite import ir

from graphc.errors import CompileError
from graphc.target import llvm_scalar as scalar
from graphc.target import object_code
from graphc.target.llvm_operand import (
    BOOLEAN,
    FLOAT64,
    INT64,
    KindError,
    Operand,
    as_kind,
    common,
    number,
)
from graphc.target.loader import PARAMETERS
from graphc.target.native_primitives import CALLS, NATIVE, load_element, store_element

_KNOWN = {**NATIVE, **CALLS}
_WORD = INT64.llvm
_TABLE = _WORD.as_pointer()
_FUSING = ("contract",)
_FLOATS = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul"}
_INTEGERS = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitAnd: "and_", ast.BitOr: "or_",
    ast.BitXor: "xor", ast.LShift: "shl", ast.RShift: "ashr",
}  # fmt: skip
_BITS = (ast.BitAnd, ast.BitOr, ast.BitXor)
_DIVISIONS: dict[type[ast.operator], Callable[..., Any]] = {
    ast.FloorDiv: scalar.floor_divide,
    ast.Mod: scalar.remainder,
}
_COMPARISONS = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip


def kernel_module(function: ast.FunctionDef, symbol: str, filename: str) -> str:
    """The LLVM text of a checked kernel, exported as `symbol`: a C function of four words.

    Raises CompileError naming the line for operands that do not fit."""
    module = ir.Module()
    module.triple, module.data_layout = object_code.host()
    shape = ir.FunctionType(ir.VoidType(), [_WORD, _WORD, _TABLE, _TABLE])
    native = ir.Function(module, shape, symbol)
    native.attributes.add("nounwind")
    writer = _Writer(ir.IRBuilder(native.append_basic_block()), filename)
    for name, kind, value in zip(PARAMETERS, (INT64, INT64, None, None), native.args, strict=True):
        writer.names[name] = Operand(kind, value)
    writer.block(function.body)
    writer.builder.ret_void()
    return str(module)


def _assigned(body: Sequence[ast.stmt]) -> list[str]:
    """The names that statements assign, in order."""
    return list(dict.fromkeys(_targets(body)))


def _targets(body: Sequence[ast.stmt]) -> Iterator[str]:
    # Expressions assign nothing, and are most of a kernel.
    for statement in body:
        if isinstance(statement, ast.Assign | ast.AugAssign | ast.For):
            first = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
            if isinstance(first, ast.Name):
                yield first.id
        if isinstance(statement, ast.For | ast.If):
            yield from _targets(statement.body)
            yield from _targets(statement.orelse)


class _Writer:
    """Emits statements at the builder's place; `names` has what each name holds there."""

    def __init__(self, builder: ir.IRBuilder, filename: str) -> None:
        self.builder = builder
        self.filename = filename
        self.names: dict[str, Operand] = {}
        self._statements: dict[type[ast.stmt], Callable[[Any], None]] = {
            ast.Assign: self._assign,
            ast.AugAssign: self._augmented,
            ast.For: self._for,
            ast.If: self._if,
            ast.Expr: self._statement_expression,
            ast.Pass: lambda statement: None,
        }
        self._expressions: dict[type[ast.expr], Callable[[Any], Operand]] = {
            ast.Name: self._load,
            ast.Constant: self._constant,
            ast.BinOp: self._binary,
            ast.UnaryOp: self._unary,
            ast.Compare: self._compare,
            ast.Subscript: self._element,
            ast.Call: self._value_of_call,
        }

    # ---- statements

    def block(self, body: Sequence[ast.stmt]) -> None:
        """Emit statements, one after the other."""
        for statement in body:
            try:
                self._statements[type(statement)](statement)
            except KindError as error:
                raise CompileError(f"{self.filename} line {statement.lineno}: {error}") from error

    def _statement_expression(self, statement: ast.Expr) -> None:
        if isinstance(statement.value, ast.Call):  # else a docstring
            self._call(statement.value)

    def _assign(self, statement: ast.Assign) -> None:
        self._store(statement.targets[0], self.value(statement.value))

    def _augmented(self, statement: ast.AugAssign) -> None:
        target = statement.target
        before = self._element(target) if isinstance(target, ast.Subscript) else self._load(target)
        self._store(target, self._arithmetic(statement.op, before, self.value(statement.value)))

    def _store(self, target: ast.expr, value: Operand) -> None:
        if isinstance(target, ast.Name):
            self.names[target.id] = Operand(value.kind, value.value)
            return
        store_element(self.builder, *self._pointer_and_index(target), value)

    def _for(self, statement: ast.For) -> None:
        builder, before = self.builder, self.names
        start, stop, step = self._range(statement.iter)
        entry = builder.block
        header, body, after = (builder.append_basic_block() for _ in range(3))
        builder.branch(header)
        builder.position_at_end(header)
        index = builder.phi(_WORD)
        index.add_incoming(start, entry)
        carried = self._carried(before, statement.body, statement.target.id, entry)  # type: ignore[attr-defined]
        builder.cbranch(builder.icmp_signed("<" if step > 0 else ">", index, stop), body, after)
        builder.position_at_end(body)
        self.names = {**before, **carried, statement.target.id: Operand(INT64, index)}  # type: ignore[attr-defined]
        self.block(statement.body)
        index.add_incoming(builder.add(index, _WORD(step), flags=("nsw",)), builder.block)
        for name, phi in carried.items():
            phi.value.add_incoming(self._same(name, phi, self.names[name]), builder.block)
        builder.branch(header)
        builder.position_at_end(after)
        self.names = {**before, **carried}
        self.names.pop(statement.target.id, None)  # type: ignore[attr-defined]

    def _range(self, loop: Any) -> tuple[Any, Any, int]:
        bounds = [self.value(argument) for argument in loop.args]
        step = bounds.pop().literal if len(bounds) == 3 else 1
        if not step:
            raise KindError("range: expected a literal step other than 0")
        if any(number("range", bound).is_float for bound in bounds):
            raise KindError("range: expected integers")
        first, last = [Operand(INT64, _WORD(0)), *bounds][-2:]
        return as_kind(self.builder, first, INT64), as_kind(self.builder, last, INT64), step

    def _carried(
        self, before: dict[str, Operand], body: Sequence[ast.stmt], index: str, entry: Any
    ) -> dict[str, Operand]:
        """A phi for each name that a loop's body changes, with its value from before the loop."""
        carried = {}
        for name in _assigned(body):
            if name in before and name != index:
                phi = self.builder.phi(before[name].value.type)
                phi.add_incoming(before[name].value, entry)
                carried[name] = Operand(before[name].kind, phi)
        return carried

    def _same(self, name: str, before: Operand, now: Operand) -> Any:
        if before.kind != now.kind:
            raise KindError(f"{name} was {before.kind} and becomes {now.kind}")
        return now.value

    def _if(self, statement: ast.If) -> None:
        builder, before = self.builder, self.names
        condition = self._truth(self.value(statement.test))
        ends = []
        taken, other, after = (builder.append_basic_block() for _ in range(3))
        builder.cbranch(condition, taken, other)
        for block, body in ((taken, statement.body), (other, statement.orelse)):
            builder.position_at_end(block)
            self.names = dict(before)
            self.block(body)
            ends.append((builder.block, self.names))
            builder.branch(after)
        builder.position_at_end(after)
        self.names = dict(before)
        for name in _assigned([statement]):
            if name in before:
                self.names[name] = self._merged(name, before[name], ends)

    def _merged(
        self, name: str, before: Operand, ends: list[tuple[Any, dict[str, Operand]]]
    ) -> Operand:
        phi = self.builder.phi(before.value.type)
        for block, names in ends:
            phi.add_incoming(self._same(name, before, names[name]), block)
        return Operand(before.kind, phi)

    # ---- expressions

    def value(self, node: ast.expr) -> Operand:
        """Emit what computes an expression."""
        return self._expressions[type(node)](node)

    def _load(self, node: Any) -> Operand:
        try:
            return self.names[node.id]
        except KeyError:
            raise KindError(f"{node.id} may not have been assigned before") from None

    def _constant(self, node: ast.Constant) -> Operand:
        value: Any = node.value
        if isinstance(value, bool):
            return Operand(BOOLEAN, BOOLEAN.llvm(int(value)))
        if isinstance(value, int):
            return Operand(INT64, _WORD(value), value)
        return Operand(FLOAT64, FLOAT64.llvm(value))

    def _truth(self, operand: Operand) -> Any:
        return scalar.truth(self.builder, number("condition", operand), operand.value)

    def _wide(self, operand: Operand) -> Any:
        return as_kind(self.builder, operand, INT64)

    def _binary(self, node: ast.BinOp) -> Operand:
        return self._arithmetic(node.op, self.value(node.left), self.value(node.right))

    def _arithmetic(self, operator: ast.operator, left: Operand, right: Operand) -> Operand:
        kind, name = common(type(operator).__name__, left, right), type(operator)
        if kind.is_float:
            if name not in _FLOATS:
                raise KindError(f"{name.__name__}: expected integers, got {kind}")
            emit = getattr(self.builder, _FLOATS[name])
            return Operand(kind, emit(left.value, right.value, flags=_FUSING))
        if kind == BOOLEAN and name in _BITS:
            return Operand(kind, getattr(self.builder, _INTEGERS[name])(left.value, right.value))
        operands = self._wide(left), self._wide(right)
        if name in _DIVISIONS:
            return Operand(INT64, _DIVISIONS[name](self.builder, INT64, *operands))
        return Operand(INT64, getattr(self.builder, _INTEGERS[name])(*operands))

    def _unary(self, node: ast.UnaryOp) -> Operand:
        operand = self.value(node.operand)
        kind = number(type(node.op).__name__, operand)
        if isinstance(node.op, ast.Invert):
            if kind.is_float:
                raise KindError(f"Invert: expected an integer, got {kind}")
            return Operand(INT64, self.builder.not_(self._wide(operand)))
        if kind.is_float:
            return Operand(kind, self.builder.fneg(operand.value, flags=_FUSING))
        if operand.literal is not None:
            return Operand(INT64, _WORD(-operand.literal), -operand.literal)
        return Operand(INT64, self.builder.neg(self._wide(operand)))

    def _compare(self, node: ast.Compare) -> Operand:
        left, right = self.value(node.left), self.value(node.comparators[0])
        kind, sign = common("comparison", left, right), _COMPARISONS[type(node.ops[0])]
        if kind.is_float:
            # != is true of NaN, the others are not
            emit = self.builder.fcmp_unordered if sign == "!=" else self.builder.fcmp_ordered
            return Operand(BOOLEAN, emit(sign, left.value, right.value))
        result = self.builder.icmp_signed(sign, self._wide(left), self._wide(right))
        return Operand(BOOLEAN, result)

    def _pointer_and_index(self, node: Any) -> tuple[Operand, Operand]:
        return self._load(node.value), self.value(node.slice)

    def _element(self, node: Any) -> Operand:
        return load_element(self.builder, *self._pointer_and_index(node))

    def _call(self, node: Any) -> Operand | None:
        operands = [self.value(argument) for argument in node.args]
        try:
            return _KNOWN[node.func.id](self.builder, *operands)
        except KindError:
            raise
        except (TypeError, ValueError) as error:  # a wrong number of operands
            raise KindError(f"{node.func.id}: {error}") from error

    def _value_of_call(self, node: ast.Call) -> Operand:
        found = self._call(node)
        if found is None:
            raise KindError(f"{node.func.id} has no value")  # type: ignore[attr-defined]
        return found
