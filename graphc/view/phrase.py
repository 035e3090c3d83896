"""A phrase: how a node is written so far, in parts that what follows can still rearrange.

Scalars stand apart from the core, so that h @ (d * (1 / n)) can be written h @ d / n. Axes that
were added, dropped or broadcast are remembered, and written only where a reader could not know.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from graphc.ir.op import ATOM, PRODUCT, SUM
from graphc.ir.shape import Shape
from graphc.view.style import Part, TextStyle

Axes = tuple[int | None, ...]


@dataclass(frozen=True)
class Phrase:
    """`-` scalars * core / divisors / over, where the core and `over` may be arrays.

    `shape` is the shape of what is written, and `axes` says for each axis of the node which written
    axis it is; None is an axis that is not written, along which the written array is repeated. A
    written axis that no axis of the node is has length 1. No core stands for the number 1.
    """

    core: tuple[Part, ...] = ()
    shape: Shape = ()
    axes: Axes = ()
    negative: bool = False
    scalars: tuple[Part, ...] = ()
    divisors: tuple[Part, ...] = ()
    over: tuple[Part, ...] = ()
    number: bool = False  # the core is a number
    sort: str = ""  # "matrix" or "elementwise": the product that the core is
    mask: tuple[Part, ...] = ()  # the core as a factor, where it is a truth value made a number
    turned: tuple[Part, ...] = ()  # the core transposed, where that is simpler than with a sign

    @property
    def is_scalar(self) -> bool:
        """Whether one number is written, however often it is repeated."""
        return self.shape == ()

    @property
    def is_one(self) -> bool:
        """Whether nothing but 1 is written above the line."""
        return not (self.core or self.scalars or self.over)

    @property
    def length(self) -> int:
        """About how many characters it takes."""
        parts = (*self.core, *self.scalars, *self.divisors, *self.over)
        return sum(len(text) + 3 for text, _ in parts)


def atom(text: str, shape: Shape = (), level: int = ATOM) -> Phrase:
    """A phrase that is written whole, of the shape that it has."""
    return Phrase(((text, level),), shape, tuple(range(len(shape))))


def render(phrase: Phrase, style: TextStyle) -> Part:
    """The phrase in one piece, without what its axes still ask for."""
    core = phrase.mask if phrase.mask and phrase.scalars else phrase.core
    top, core = ((*phrase.scalars, *core), ()) if phrase.is_scalar else (phrase.scalars, core)
    part = style.fraction(list(top), list(core), list(phrase.divisors), list(phrase.over))
    return (f"-{style.at_least(PRODUCT, part)}", SUM) if phrase.negative else part


def closed(phrase: Phrase, style: TextStyle) -> Phrase:
    """The phrase with its elementwise divisors in its core, where only scalars may come out."""
    if not phrase.over:
        return phrase
    part = style.fraction([], list(phrase.core), [], list(phrase.over))
    return replace(phrase, core=(part,), over=(), mask=(), turned=(), sort="elementwise")


def is_aligned(phrase: Phrase, rank: int) -> bool:
    """Whether the written axes are the last ones, in order: broadcasting alone places them."""
    written = len(phrase.shape)
    return phrase.axes == (*[None] * (rank - written), *range(written))


def is_column(phrase: Phrase) -> bool:
    """Whether a column is written, beside which a vector has to be turned to be a row."""
    return len(phrase.shape) == 2 and phrase.shape[1] == 1 != phrase.shape[0]


def aligned(phrase: Phrase, style: TextStyle) -> Phrase:
    """The phrase with axes added and dropped, as in `g[:, None]`, so that it is aligned."""
    if is_aligned(phrase, len(phrase.axes)):
        return phrase
    items: list[str] = []
    shape: list[object] = []
    place = 0
    for axis in phrase.axes:
        if axis is None:
            items.append("None")
            shape.append(1)
            continue
        items.extend("0" * (axis - place))
        items.append(":")
        shape.append(phrase.shape[axis])
        place = axis + 1
    items.extend("0" * (len(phrase.shape) - place))
    while items[-1] == ":" and len(items) > 1:
        items.pop()
    whole = closed(phrase, style)
    text = style.new_axes(style.at_least(ATOM, whole.core[0]), items, len(phrase.shape))
    kept: Shape = tuple(shape)  # type: ignore[arg-type]
    return replace(
        whole,
        core=((text, ATOM),),
        shape=kept,
        axes=tuple(range(len(kept))),
        sort="",
        mask=(),
        turned=(),
    )


def exact(phrase: Phrase, shape: Shape, style: TextStyle) -> Phrase:
    """The phrase written so that it has the node's own shape: repeated, if need be."""
    if phrase.shape == shape and is_aligned(phrase, len(shape)):
        return phrase
    axes: Axes = tuple(range(len(shape)))
    if phrase.is_scalar:
        zero = phrase.number and phrase.core[:1] == (("0", ATOM),)
        scalars = (*phrase.scalars, *(() if zero else phrase.core))
        filled = style.filled(0 if zero else 1, shape)
        return Phrase((filled,), shape, axes, phrase.negative, scalars, phrase.divisors)
    whole = closed(aligned(phrase, style), style)
    added = len(shape) - len(whole.shape)
    if whole.shape == shape:
        return whole
    if (1,) * added + whole.shape == shape:
        core = (style.new_axes(style.at_least(ATOM, whole.core[0]), ["None"] * added, 0), ATOM)
    else:
        core = style.stretch(whole.core[0][0], shape)
    return replace(whole, core=(core,), shape=shape, axes=axes, sort="", mask=(), turned=())
