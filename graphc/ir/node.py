"""Nodes: interned values of a symbolic graph.

A node is frozen and interned under (operation, input objects, bit-exact attributes), so a common
subexpression is one object by construction and equality is identity. What a user declares (inputs,
parameters, states, random draws) is nominal: it carries a `Declaration`, and no two declarations
are the same.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

from graphc.errors import ArgumentError, DTypeError, GraphcError, NodeUseError, ShapeError
from graphc.ir.declaration import Declaration, attribute_key, numbers
from graphc.ir.dtype import DType
from graphc.ir.op import Attributes, Op
from graphc.ir.shape import NodeType, Shape, TensorType, TupleType, shape_text
from graphc.ir.site import SITES_KEPT, Site, current_sites, raise_located

_lock = threading.RLock()
_table: dict[tuple[Any, ...], weakref.ref[Node]] = {}

# Python operators on nodes; `graphc.ops` fills this table, since a node knows nothing of
# operations.
OPERATORS: dict[str, Callable[..., Any]] = {}


def _refuse(text: str) -> Callable[..., NoReturn]:
    def method(self: Node, *_: object) -> NoReturn:
        raise_located(NodeUseError(f"{text} Node: {self!r}"), self.sites)

    return method


def _operator(name: str) -> Callable[[Node, Any], Node]:
    def method(self: Node, other: Any) -> Node:
        return OPERATORS[name](self, other)  # type: ignore[no-any-return]

    return method


def _reflected(name: str) -> Callable[[Node, Any], Node]:
    def method(self: Node, other: Any) -> Node:
        return OPERATORS[name](other, self)  # type: ignore[no-any-return]

    return method


def _method(name: str, doc: str) -> Callable[..., Node]:
    def method(self: Node, *args: Any, **kwargs: Any) -> Node:
        return OPERATORS[name](self, *args, **kwargs)  # type: ignore[no-any-return]

    method.__name__, method.__qualname__ = name, f"Node.{name}"
    method.__doc__ = f"{doc}: `gx.{name}` of the node."
    return method


class Node:
    """One value of a graph: an operation, its inputs, its attributes, and its type.

    `==` is identity, since nodes are keys of dictionaries; `gx.equal` compares values elementwise.
    """

    __slots__ = ("__weakref__", "attrs", "inputs", "number", "op", "sites", "type")
    __array_priority__ = 1000
    op: Op
    inputs: tuple[Node, ...]
    attrs: Attributes
    type: NodeType
    sites: tuple[Site, ...]
    number: int

    @property
    def tensor(self) -> TensorType:
        """The type of an array-valued node; an error for a tuple."""
        if isinstance(self.type, TupleType):
            count = len(self.type.items)
            problem = f"{self.op.name} has {count} results: take one with node[index] first"
            raise_located(NodeUseError(problem))
        return self.type

    @property
    def shape(self) -> Shape:
        """The shape: a tuple of ints and symbolic sizes."""
        known = self.type
        return known.shape if isinstance(known, TensorType) else self.tensor.shape

    @property
    def dtype(self) -> DType:
        """The element type."""
        known = self.type
        return known.dtype if isinstance(known, TensorType) else self.tensor.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def declaration(self) -> Declaration | None:
        """What the user declared, None for a computed node."""
        declared = self.attrs.get("declaration")
        return declared if isinstance(declared, Declaration) else None

    @property
    def name(self) -> str:
        """The declared name, empty for a computed node."""
        declared = self.declaration
        return declared.name if declared is not None else ""

    @property
    def value(self) -> np.ndarray:
        """A copy of the value that a parameter or a state carries now."""
        declared = self._carrier()
        with declared.lock:
            assert declared.value is not None
            return declared.value.copy()

    @value.setter
    def value(self, new: object) -> None:
        declared = self._carrier()
        assert declared.value is not None
        given = np.asarray(new)
        if given.shape != declared.value.shape:
            raise ShapeError(
                f"{declared}: expected a value of shape {shape_text(self.shape)}, got {given.shape}"
            )
        if not np.can_cast(given.dtype, declared.value.dtype, "same_kind"):
            raise DTypeError(f"{declared}: expected {self.dtype} values, got {given.dtype}")
        with declared.lock:
            declared.value[...] = given

    def _carrier(self) -> Declaration:
        declared = self.declaration
        if declared is None or declared.value is None:
            problem = f"only a parameter or a state carries a value; this is {self!r}. "
            problem += "gx.evaluate(node, {input: value}) computes one"
            raise_located(ArgumentError(problem), self.sites)
        return declared

    def __repr__(self) -> str:
        declared = self.declaration
        head = f"{self.op.name} {declared.name}" if declared is not None else self.op.name
        return f"<{head}: {self.type}>"

    def __iter__(self) -> Iterator[Node]:
        if isinstance(self.type, TupleType):
            return (OPERATORS["getitem"](self, i) for i in range(len(self.type.items)))
        length = self.shape[0] if self.ndim else None
        if not isinstance(length, int):
            problem = f"cannot iterate over {self!r}: its first axis has no fixed length"
            raise_located(NodeUseError(problem), self.sites)
        return (OPERATORS["getitem"](self, i) for i in range(length))

    def __len__(self) -> int:
        if isinstance(self.type, TupleType):
            return len(self.type.items)
        length = self.shape[0] if self.ndim else None
        if not isinstance(length, int):
            raise_located(NodeUseError(f"{self!r} has no fixed length; use .shape[0]"), self.sites)
        return length

    __bool__ = _refuse(
        "a symbolic node has no truth value: use gx.where(condition, a, b) to choose, "
        "gx.logical_and/or/not to combine, `is` to compare nodes, or gx.evaluate to get a number."
    )
    __float__ = _refuse(
        "a symbolic node is not a number: gx.evaluate(node, {input: value}) computes one."
    )
    __int__ = __complex__ = __float__
    __index__ = _refuse(
        "a symbolic node cannot be a Python index: index nodes, as in x[i], take nodes."
    )
    __array__ = _refuse(
        "a symbolic node is not an array: gx.evaluate(node, {input: value}) computes one."
    )
    __setitem__ = _refuse("a node is immutable; x.at[key].set(value) builds a new one.")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return OPERATORS["array_ufunc"](ufunc, method, *inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return OPERATORS["array_function"](function, args, kwargs)

    __add__ = _operator("add")
    __radd__ = _reflected("add")
    __sub__ = _operator("subtract")
    __rsub__ = _reflected("subtract")
    __mul__ = _operator("multiply")
    __rmul__ = _reflected("multiply")
    __truediv__ = _operator("divide")
    __rtruediv__ = _reflected("divide")
    __floordiv__ = _operator("floor_divide")
    __rfloordiv__ = _reflected("floor_divide")
    __mod__ = _operator("remainder")
    __rmod__ = _reflected("remainder")
    __pow__ = _operator("power")
    __rpow__ = _reflected("power")
    __matmul__ = _operator("matmul")
    __rmatmul__ = _reflected("matmul")

    def __neg__(self) -> Node:
        return OPERATORS["negative"](self)  # type: ignore[no-any-return]

    def __pos__(self) -> Node:
        return self

    def __abs__(self) -> Node:
        return OPERATORS["abs"](self)  # type: ignore[no-any-return]

    # Of truth values these are the logical operations, as in NumPy.
    def __invert__(self) -> Node:
        return OPERATORS["bitwise_invert"](self)  # type: ignore[no-any-return]

    __and__ = _operator("bitwise_and")
    __or__ = _operator("bitwise_or")
    __xor__ = _operator("bitwise_xor")
    __rand__ = __and__
    __ror__ = __or__
    __rxor__ = __xor__
    __lshift__ = _operator("bitwise_left_shift")
    __rlshift__ = _reflected("bitwise_left_shift")
    __rshift__ = _operator("bitwise_right_shift")
    __rrshift__ = _reflected("bitwise_right_shift")
    __lt__ = _operator("less")
    __le__ = _operator("less_equal")
    __gt__ = _operator("greater")
    __ge__ = _operator("greater_equal")

    def __getitem__(self, key: Any) -> Node:
        return OPERATORS["getitem"](self, key)  # type: ignore[no-any-return]

    @property
    def at(self) -> Any:
        """Places of the node: `x.at[key].set(v)` is the node with other elements at x[key]."""
        return OPERATORS["at"](self)

    @property
    def T(self) -> Node:
        """The node with its axes reversed."""
        return OPERATORS["transpose"](self)  # type: ignore[no-any-return]

    def reshape(self, *shape: Any) -> Node:
        """The same elements in another shape; one dimension may be -1."""
        wanted = shape[0] if len(shape) == 1 else shape
        return OPERATORS["reshape"](self, wanted)  # type: ignore[no-any-return]

    def astype(self, dtype: Any) -> Node:
        """The values converted to another element type."""
        return OPERATORS["cast"](self, dtype)  # type: ignore[no-any-return]

    sum = _method("sum", "The sum over `axis` (all axes by default)")
    mean = _method("mean", "The arithmetic mean over `axis` (all axes by default)")
    prod = _method("prod", "The product over `axis` (all axes by default)")
    var = _method("var", "The variance over `axis` (all axes by default)")
    std = _method("std", "The standard deviation over `axis` (all axes by default)")
    max = _method("max", "The largest element over `axis` (all axes by default)")
    min = _method("min", "The smallest element over `axis` (all axes by default)")
    any = _method("any", "Whether one element over `axis` is not zero")
    all = _method("all", "Whether no element over `axis` is zero")
    argmax = _method("argmax", "The index of the first largest element along `axis`")
    argmin = _method("argmin", "The index of the first smallest element along `axis`")
    cumsum = _method("cumsum", "The sum of the elements up to each place along `axis`")
    cumprod = _method("cumprod", "The product of the elements up to each place along `axis`")

    def _repr_latex_(self) -> str:
        return str(OPERATORS["repr_latex"](self))

    def _repr_html_(self) -> str:
        return str(OPERATORS["repr_html"](self))


def make(op: Op, inputs: tuple[Node, ...] = (), **attrs: Any) -> Node:
    """The node of `op` on `inputs` with `attrs`: the existing one if there is one.

    An error of the type rule ends with the user's line.
    """
    # Numbers in the place of nodes: the table must not keep alive what an effect refers back to.
    numbered = tuple([node.number for node in inputs])
    key = (op, numbered, tuple([(name, attribute_key(attrs[name])) for name in sorted(attrs)]))
    with _lock:
        reference = _table.get(key)
        found = reference() if reference is not None else None
    if found is not None:
        _remember_site(found)
        return found
    try:
        node_type = op.infer(inputs, attrs)
    except GraphcError as error:
        raise_located(error)
    node = Node()
    node.op, node.inputs, node.attrs, node.type = op, inputs, attrs, node_type
    node.number, node.sites = next(numbers), current_sites()
    return _intern(key, node)


def _intern(key: tuple[Any, ...], node: Node) -> Node:
    def forget(reference: weakref.ref[Node]) -> None:
        with _lock:
            if _table.get(key) is reference:
                del _table[key]

    with _lock:
        reference = _table.get(key)
        winner = reference() if reference is not None else None
        if winner is not None:  # another thread made the same node first
            return winner
        _table[key] = weakref.ref(node, forget)
    return node


def _remember_site(node: Node) -> None:
    if len(node.sites) < SITES_KEPT:
        sites = current_sites()
        if any(site not in node.sites for site in sites):
            node.sites = (*node.sites, *(s for s in sites if s not in node.sites))[:SITES_KEPT]


def interned_count() -> int:
    """The number of nodes alive now, for tests of memory."""
    return len(_table)
