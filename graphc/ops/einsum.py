"""Einstein summation: products of arrays whose axes are named by letters.

Operands meet in pairs, in an order that opt_einsum chooses; each pair is a matrix product, or a
multiplication and a sum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import graphc.ops.scalar as scalar
from graphc.errors import ArgumentError, ShapeError
from graphc.ir.dim import Dim, evaluate, size_names
from graphc.ir.dtype import bool_, int32
from graphc.ir.node import Node, make
from graphc.ir.shape import shape_text
from graphc.ops.contraction import Labelled, Labels, arrange, contract_pair, sum_labels
from graphc.ops.elementwise import cast, cast_together
from graphc.ops.indexing import take_op
from graphc.ops.indices import placed
from graphc.ops.layout import reshape
from graphc.ops.source import as_nodes, ramp

# What a named size counts for when the order of products is chosen.
_NOMINAL = 128
_ELLIPSIS = "..."


def einsum(*operands: Any, optimize: Any = "auto") -> Node:
    """Products of arrays summed over axes named by letters, as np.einsum.

    `einsum("ij,jk->ik", a, b)` sums over j, which the result does not name. Without `->` the result
    names every letter that is written once, in the order of the alphabet. A letter twice in one
    operand is its diagonal; `...` stands for further axes, which broadcast; axes of length 1 meet
    any length. Lists of integers beside each operand may replace the text, as in NumPy.

    Floats and integers meet in one type; of truth values it is whether any product holds. More
    than two operands are multiplied in the order that opt_einsum finds (`optimize` is its name
    for a strategy; False takes them from left to right); named sizes count as 128 there. Raises
    ArgumentError for text that is no subscripts, ShapeError where axes of one letter differ, naming
    the operands.

    >>> from graphc.ops.source import input
    >>> einsum("bij,bjk->bik", input("a", ("b", 3, 4)), input("b", ("b", 4, 5)))
    <matmul: float32 (b, 3, 5)>
    """
    given, written, output = _subscripts(operands)
    nodes = cast_together(as_nodes(given))
    boolean = nodes[0].dtype is bool_
    if boolean:
        nodes = [cast(node, int32) for node in nodes]
    terms = [
        _labels(i, term, node) for i, (term, node) in enumerate(zip(written, nodes, strict=True))
    ]
    labels = _output_labels(output, written, terms)
    lengths = _lengths(terms, nodes)
    known = [_prepared((n, t), lengths) for n, t in zip(nodes, terms, strict=True)]
    result = _contracted(known, labels, lengths, optimize)
    return scalar.not_equal(result, 0) if boolean else result


# ---- reading subscripts

# A term as a list of labels, with `...` for axes that no letter names.
Term = list[str]


def _subscripts(operands: tuple[Any, ...]) -> tuple[list[Any], list[Term], Term | None]:
    """The arrays, their subscripts, and those of the result if they are written."""
    if not operands:
        raise ArgumentError("einsum: expected subscripts and operands, got nothing")
    if not isinstance(operands[0], str):
        return _interleaved(operands)
    text = "".join(operands[0].split())
    left, arrow, right = text.partition("->")
    terms = [_letters(part, operands[0]) for part in left.split(",")]
    given = list(operands[1:])
    if len(terms) != len(given):
        raise ArgumentError(
            f"einsum: {operands[0]!r} names {len(terms)} operands, got {len(given)}"
        )
    return given, terms, _letters(right, operands[0]) if arrow else None


def _letters(part: str, text: str) -> Term:
    before, dots, after = part.partition(_ELLIPSIS)
    letters = before + after
    if not all(letter.isascii() and letter.isalpha() for letter in letters):
        raise ArgumentError(
            f"einsum: expected letters, commas, one -> and at most one ... in each term; "
            f"got {text!r}"
        )
    return [*before, *([dots] if dots else []), *after]


def _interleaved(operands: tuple[Any, ...]) -> tuple[list[Any], list[Term], Term | None]:
    """`einsum(a, [0, 1], b, [1, 2], [0, 2])`, the lists in place of letters."""
    pairs = len(operands) // 2
    lists = [*operands[1 : 2 * pairs : 2], *operands[2 * pairs :]]
    terms = [_from_list(item) for item in lists]
    output = terms.pop() if len(operands) % 2 else None
    return list(operands[: 2 * pairs : 2]), terms, output


def _from_list(item: Any) -> Term:
    if not isinstance(item, list | tuple):
        raise ArgumentError(
            f"einsum: expected operands, each followed by a list of integers; got {item!r}"
        )
    found: Term = []
    for entry in item:
        whole = hasattr(entry, "__index__") and not isinstance(entry, bool | Node)
        if entry is not Ellipsis and not whole:
            raise ArgumentError(f"einsum: expected integers and ... as subscripts, got {entry!r}")
        # Zeros in front keep the order of the numbers.
        found.append(_ELLIPSIS if entry is Ellipsis else f"{int(entry):09d}")
    return found


def _labels(number: int, term: Term, node: Node) -> Labels:
    """A label for each axis of an operand: those that `...` stands for are numbered from the
    last."""
    named = [label for label in term if label != _ELLIPSIS]
    extra = node.ndim - len(named)
    if term.count(_ELLIPSIS) > 1:
        raise ArgumentError(f"einsum: operand {number} has ... more than once in its subscripts")
    if extra < 0 or (extra and _ELLIPSIS not in term):
        raise ShapeError(
            f"einsum: operand {number} has {node.ndim} axes, {shape_text(node.shape)}; its "
            f"subscripts name {len(named)}"
        )
    found: list[str] = []
    for label in term:
        found += _further(extra) if label == _ELLIPSIS else [label]
    return tuple(found)


def _further(count: int) -> list[str]:
    """The labels of the axes that `...` stands for."""
    return [f"{_ELLIPSIS}{place}" for place in reversed(range(count))]


def _output_labels(output: Term | None, written: list[Term], terms: list[Labels]) -> Labels:
    uses = Counter(label for term in written for label in term if label != _ELLIPSIS)
    further = _further(max(sum(label.startswith(_ELLIPSIS) for label in term) for term in terms))
    if output is None:
        return (*further, *sorted(label for label, times in uses.items() if times == 1))
    for label in output:
        if label != _ELLIPSIS and label not in uses:
            raise ArgumentError(f"einsum: the result names {_shown(label)}, which no operand has")
        if output.count(label) > 1:
            raise ArgumentError(f"einsum: the result names {_shown(label)} more than once")
    if further and _ELLIPSIS not in output:
        raise ArgumentError(
            "einsum: operands have axes that ... stands for; expected ... in the result too"
        )
    return tuple(name for label in output for name in (further if label == _ELLIPSIS else [label]))


def _shown(label: str) -> str:
    """A label as it was written."""
    return repr(label if not label.isdigit() else str(int(label)))


def _lengths(terms: list[Labels], nodes: list[Node]) -> dict[str, Dim]:
    """The length of each label's axes; those of length 1 meet any other."""
    found: dict[str, tuple[Dim, int]] = {}
    for number, (term, node) in enumerate(zip(terms, nodes, strict=True)):
        own: dict[str, Dim] = {}
        for label, dim in zip(term, node.shape, strict=True):
            if own.setdefault(label, dim) != dim:
                raise ShapeError(
                    f"einsum: subscript {_shown(label)} names axes of {own[label]} and {dim} in "
                    f"operand {number}, {shape_text(node.shape)}"
                )
            known, first = found.get(label, (dim, number))
            if known not in (1, dim) and dim != 1:
                raise ShapeError(
                    f"einsum: subscript {_shown(label)} is {known} in operand {first}, "
                    f"{shape_text(nodes[first].shape)}, and {dim} in operand {number}, "
                    f"{shape_text(node.shape)}"
                )
            found[label] = (dim, number) if known == 1 else (known, first)
    return {label: dim for label, (dim, _) in found.items()}


# ---- contracting


def _prepared(operand: Labelled, lengths: dict[str, Dim]) -> Labelled:
    """An operand that has each label once, and no axis of length 1 where others are longer."""
    node, labels = _diagonal(operand)
    kept = [
        axis for axis, label in enumerate(labels) if node.shape[axis] != 1 or lengths[label] == 1
    ]
    shape = tuple(node.shape[axis] for axis in kept)
    return reshape(node, shape), tuple(labels[axis] for axis in kept)


def _diagonal(operand: Labelled) -> Labelled:
    """The elements whose indices are equal along axes of the same label."""
    node, labels = operand
    repeated = [label for label, times in Counter(labels).items() if times > 1]
    for label in repeated:
        axes = tuple(axis for axis, own in enumerate(labels) if own == label)
        index = ramp((node.shape[axes[0]],), 0)
        node = make(take_op, (node, *[index] * len(axes)), axes=axes)
        rest = [own for own in labels if own != label]
        labels = (*rest[: placed(axes)], label, *rest[placed(axes) :])
    return node, labels


def _contracted(
    operands: list[Labelled], output: Labels, lengths: dict[str, Dim], optimize: Any
) -> Node:
    for places in _path(operands, output, lengths, optimize):
        chosen = [operands[place] for place in sorted(places)]
        operands = [op for place, op in enumerate(operands) if place not in places]
        first = chosen[0]
        for number, second in enumerate(chosen[1:], start=2):
            rest = [*operands, *chosen[number:]]
            first = contract_pair(first, second, _kept(first, second, rest, output))
        operands.append(first)
    (last,) = operands
    return arrange(sum_labels(last, output), output)


def _kept(first: Labelled, second: Labelled, rest: list[Labelled], output: Labels) -> Sequence[str]:
    """The labels that a product of two operands keeps, in the order that is wanted."""
    if not rest:
        return output
    needed = {*output, *(label for _, labels in rest for label in labels)}
    return [label for label in dict.fromkeys((*first[1], *second[1])) if label in needed]


def _path(
    operands: Sequence[Labelled], output: Labels, lengths: dict[str, Dim], optimize: Any
) -> list[tuple[int, ...]]:
    """Which operands meet next, by their places; what they give comes last."""
    count = len(operands)
    if count < 3 or optimize is False:
        return [tuple(range(count))] if count > 1 else []
    import opt_einsum

    known: dict[str, str] = {}
    for _, labels in operands:
        for label in labels:
            known.setdefault(label, opt_einsum.get_symbol(len(known)))
    letters = ["".join(known[label] for label in labels) for _, labels in operands]
    result = "".join(known[label] for label in output if label in known)
    shapes = [tuple(_nominal(lengths[label]) for label in labels) for _, labels in operands]
    strategy = "auto" if optimize is True else optimize
    path, _ = opt_einsum.contract_path(
        f"{','.join(letters)}->{result}", *shapes, shapes=True, optimize=strategy
    )
    return [tuple(places) for places in path]


def _nominal(dim: Dim) -> int:
    return max(1, evaluate(dim, dict.fromkeys(size_names(dim), _NOMINAL)))


def contract_labelled(operands: list[Labelled], output: Labels, optimize: str) -> Node:
    """Operands whose axes have labels, each once in an operand, multiplied and summed."""
    lengths = {
        label: dim
        for node, labels in operands
        for label, dim in zip(labels, node.shape, strict=True)
    }
    return _contracted(operands, output, lengths, optimize)
