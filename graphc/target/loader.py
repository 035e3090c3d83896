"""Turns kernel text into Python functions, after checking that it is nothing but kernels.

The only `exec` of the project is here. A kernel module is an import of primitives and functions
`kernel...(lo, hi, argv, context)` made of loops over ranges, branches, assignments, arithmetic,
comparisons, indexing and calls of the imported primitives. Everything else (attributes, strings,
other imports, nested functions ...) is refused by name and line.
"""

from __future__ import annotations

import ast
import linecache
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from graphc.errors import CompileError

PRIMITIVES_MODULE = "graphc.target.primitives"
PARAMETERS = ("lo", "hi", "argv", "context")

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z", re.IGNORECASE | re.ASCII)
_OPERATORS = (
    ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.USub,
    ast.BitAnd, ast.BitOr, ast.BitXor, ast.LShift, ast.RShift, ast.Invert,
    ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE,
)  # fmt: skip
_LARGEST_INTEGER = 2**64


def load(
    source: str,
    namespace: Mapping[str, object],
    filename: str,
    change: Callable[[ast.FunctionDef], Mapping[str, object]] | None = None,
) -> dict[str, Callable[..., None]]:
    """The kernels of `source` by name, their primitives taken from `namespace`.

    `change` may change a syntax tree that was checked, and gives what other names stand for.
    `filename` is what tracebacks show; the text is registered under it, so that they show lines
    too. Raises CompileError naming the line and the construct when the text is not a kernel
    module."""
    functions, imported = _checked(source, namespace, filename)
    others = [change(function) for function in functions.values()] if change else []
    module = ast.Module([*functions.values()], type_ignores=[])
    code = compile(module, filename, "exec", dont_inherit=True)
    scope: dict[str, Any] = {"__builtins__": {"range": range}, "__name__": "graphc_kernels"}
    for names in ({name: namespace[name] for name in imported}, *others):
        scope.update(names)
    lines = source.splitlines(keepends=True)
    linecache.cache[filename] = (len(source), None, lines, filename)
    exec(code, scope)
    return {name: scope[name] for name in functions}


def parse(
    source: str, namespace: Mapping[str, object], filename: str
) -> dict[str, ast.FunctionDef]:
    """The syntax trees of the kernels of `source` by name, checked as by `load`."""
    return _checked(source, namespace, filename)[0]


def _checked(
    source: str, namespace: Mapping[str, object], filename: str
) -> tuple[dict[str, ast.FunctionDef], set[str]]:
    tree = _parse(source, filename)
    imported = _Checker(namespace, filename).check(tree)
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}, imported


def _parse(source: str, filename: str) -> ast.Module:
    try:
        return ast.parse(source, filename)
    except SyntaxError as error:
        raise CompileError(f"{filename}:{error.lineno}: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise CompileError(f"{filename}: the kernel text cannot be parsed: {error}") from error


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    literal = first.value if isinstance(first, ast.Expr) else None
    documented = isinstance(literal, ast.Constant) and isinstance(literal.value, str)
    return body[1:] if documented else body


class _Checker:
    """Walks a kernel module and refuses whatever is not listed here."""

    def __init__(self, namespace: Mapping[str, object], filename: str) -> None:
        self._namespace = namespace
        self._filename = filename
        self._imported: set[str] = set()
        self._bound: set[str] = set()
        self._statements: dict[type[ast.stmt], Callable[[Any], None]] = {
            ast.Assign: self._assign,
            ast.AugAssign: self._augmented,
            ast.For: self._for,
            ast.If: self._if,
            ast.Expr: self._call_statement,
            ast.Pass: lambda statement: None,
        }
        self._expressions: dict[type[ast.expr], Callable[[Any], None]] = {
            ast.Name: self._load,
            ast.Constant: self._constant,
            ast.BinOp: self._binary,
            ast.UnaryOp: self._unary,
            ast.Compare: self._compare,
            ast.Subscript: self._subscript,
            ast.Call: self._call,
        }

    def _refuse(self, node: ast.AST, what: str) -> NoReturn:
        line = getattr(node, "lineno", 1)
        raise CompileError(f"{self._filename}:{line}: {what} is not allowed in a kernel")

    def check(self, tree: ast.Module) -> set[str]:
        """The names imported by the module; raises CompileError for what is not allowed."""
        try:
            for statement in _without_docstring(tree.body):
                if isinstance(statement, ast.ImportFrom):
                    self._import(statement)
                elif isinstance(statement, ast.FunctionDef):
                    self._function(statement)
                else:
                    self._refuse(statement, f"{type(statement).__name__} outside a function")
        except RecursionError as error:
            raise CompileError(f"{self._filename}: the kernel is nested too deeply") from error
        return self._imported

    def _name(self, node: ast.AST, name: str) -> None:
        if not _NAME.match(name):
            self._refuse(node, f"the name {name!r}")

    def _import(self, statement: ast.ImportFrom) -> None:
        if statement.module != PRIMITIVES_MODULE or statement.level:
            self._refuse(statement, f"an import from {statement.module!r}")
        for alias in statement.names:
            self._name(statement, alias.name)
            if alias.asname is not None:
                self._refuse(statement, f"renaming {alias.name!r}")
            if alias.name not in self._namespace:
                self._refuse(statement, f"the unknown primitive {alias.name!r}")
            self._imported.add(alias.name)

    def _function(self, function: ast.FunctionDef) -> None:
        self._name(function, function.name)
        if not function.name.startswith("kernel"):
            self._refuse(function, f"a function called {function.name!r} (expected kernel...)")
        if function.decorator_list:
            self._refuse(function.decorator_list[0], "a decorator")
        if function.returns is not None or getattr(function, "type_params", None):
            self._refuse(function, "an annotation")
        self._parameters(function)
        self._bound = set(PARAMETERS)
        self._block(_without_docstring(function.body))

    def _parameters(self, function: ast.FunctionDef) -> None:
        given = function.args
        if given.defaults or given.kw_defaults:
            self._refuse(function, "a default argument")
        names = tuple(argument.arg for argument in given.args)
        other = given.posonlyargs or given.kwonlyargs or given.vararg or given.kwarg
        if names != PARAMETERS or other:
            expected = ", ".join(PARAMETERS)
            self._refuse(function, f"a signature other than {function.name}({expected})")
        if any(argument.annotation is not None for argument in given.args):
            self._refuse(function, "an annotation")

    def _block(self, body: list[ast.stmt]) -> None:
        for statement in body:
            check = self._statements.get(type(statement))
            if check is None:
                self._refuse(statement, type(statement).__name__)
            check(statement)

    def _bind(self, target: ast.expr) -> None:
        if not isinstance(target, ast.Name):
            self._refuse(target, f"assigning to a {type(target).__name__}")
        self._name(target, target.id)
        if target.id in self._namespace or target.id == "range" or target.id in PARAMETERS:
            self._refuse(target, f"assigning to {target.id!r}")
        self._bound.add(target.id)

    def _store(self, target: ast.expr) -> None:
        if isinstance(target, ast.Subscript):
            self._subscript(target)
        else:
            self._bind(target)

    def _assign(self, statement: ast.Assign) -> None:
        self._expression(statement.value)
        if len(statement.targets) != 1:
            self._refuse(statement, "a chained assignment")
        self._store(statement.targets[0])

    def _augmented(self, statement: ast.AugAssign) -> None:
        self._operator(statement, statement.op)
        self._expression(statement.value)
        if isinstance(statement.target, ast.Name):
            self._load(statement.target)
        self._store(statement.target)

    def _for(self, statement: ast.For) -> None:
        loop = statement.iter
        ranged = isinstance(loop, ast.Call) and isinstance(loop.func, ast.Name)
        if not ranged or loop.func.id != "range" or loop.keywords or not 1 <= len(loop.args) <= 3:  # type: ignore[attr-defined]
            self._refuse(statement, "a loop over anything but range(...)")
        for bound in loop.args:  # type: ignore[attr-defined]
            self._expression(bound)
        if statement.orelse:
            self._refuse(statement, "else after a loop")
        self._bind(statement.target)
        self._block(statement.body)

    def _if(self, statement: ast.If) -> None:
        self._expression(statement.test)
        self._block(statement.body)
        self._block(statement.orelse)

    def _call_statement(self, statement: ast.Expr) -> None:
        if not isinstance(statement.value, ast.Call):
            self._refuse(statement, "an expression as a statement")
        self._call(statement.value)

    def _expression(self, node: ast.expr) -> None:
        check = self._expressions.get(type(node))
        if check is None:
            self._refuse(node, type(node).__name__)
        check(node)

    def _load(self, node: ast.Name) -> None:
        self._name(node, node.id)
        if node.id not in self._bound:
            self._refuse(node, f"the name {node.id!r}, which is not assigned before,")

    def _constant(self, node: ast.Constant) -> None:
        if not isinstance(node.value, bool | int | float):
            self._refuse(node, f"the constant {node.value!r:.40}")
        if isinstance(node.value, int) and abs(node.value) >= _LARGEST_INTEGER:
            self._refuse(node, "an integer of more than 64 bits")

    def _operator(self, node: ast.AST, operation: ast.AST) -> None:
        if not isinstance(operation, _OPERATORS):
            self._refuse(node, f"the operator {type(operation).__name__}")

    def _binary(self, node: ast.BinOp) -> None:
        self._operator(node, node.op)
        self._expression(node.left)
        self._expression(node.right)

    def _unary(self, node: ast.UnaryOp) -> None:
        self._operator(node, node.op)
        self._expression(node.operand)

    def _compare(self, node: ast.Compare) -> None:
        if len(node.ops) != 1:
            self._refuse(node, "a chained comparison")
        self._operator(node, node.ops[0])
        self._expression(node.left)
        self._expression(node.comparators[0])

    def _subscript(self, node: ast.Subscript) -> None:
        if not isinstance(node.value, ast.Name):
            self._refuse(node, f"indexing a {type(node.value).__name__}")
        self._load(node.value)
        if node.value.id in PARAMETERS:
            self._refuse(node, f"indexing {node.value.id!r}")
        self._expression(node.slice)

    def _call(self, node: ast.Call) -> None:
        if not isinstance(node.func, ast.Name):
            self._refuse(node, f"calling a {type(node.func).__name__}")
        if node.func.id not in self._imported:
            self._refuse(node, f"calling {node.func.id!r}, which is not an imported primitive,")
        if node.keywords:
            self._refuse(node, "a keyword argument")
        for argument in node.args:
            self._expression(argument)
