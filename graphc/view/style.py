"""Two ways of writing the same mathematics: plain text and LaTeX.

A style knows glyphs: how numbers, names, shapes, brackets, products and fractions look. What is
written where is decided in `graphc.view.writer`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from graphc.ir.dim import Dim
from graphc.ir.literal import quote
from graphc.ir.node import Node
from graphc.ir.op import ATOM, POWER, PREFIX, PRODUCT, SUM, Notation
from graphc.ir.shape import Shape, shape_text
from graphc.view.symbol import latex_dim, latex_escape, latex_symbol

# What has been written, and how tightly it holds together.
Part = tuple[str, int]

# A longer text in LaTeX stands beside a fraction rather than above its line.
_SHORT = 20
_INDICES = "ijklpq"  # of axes, the first one first
_PLACE = re.compile(r"\{(\d)\}")
_PLAIN_NAME = re.compile(r"[∂∇]?[^\W\d][\w.]*'*(?:/[∂∇]?[^\W\d][\w.]*'*)*")


def fill(template: str, operands: Sequence[str]) -> str:
    """The template of a notation with its operands; braces that name no operand stay."""

    def operand(place: re.Match[str]) -> str:
        index = int(place[1])
        return operands[index] if index < len(operands) else place[0]

    return _PLACE.sub(operand, template)


def number_text(value: np.generic | np.ndarray) -> str:
    """A number in its shortest form: 0.1 for the float32 nearest to it, 2 for 2.0.

    >>> number_text(np.float32(0.1)), number_text(np.float32(2)), number_text(np.float64(1e-07))
    ('0.1', '2', '1e-7')
    """
    element = np.asarray(value)[()]
    if not isinstance(element, np.floating):
        return str(element)
    text = str(element).removesuffix(".0")
    return re.sub(r"e([+-]?)0*(\d)", lambda e: f"e{e[1].strip('+')}{e[2]}", text)


class TextStyle:
    """Text, near to Python with NumPy; `juxtapose` leaves the sign of matrix products out."""

    def __init__(self, juxtapose: bool = False) -> None:
        self.matrix_sign = " " if juxtapose else " @ "

    scalar_sign = elementwise_sign = " * "
    columns = False  # whether a vector is a column, which has to be turned to be a row
    collects = False  # whether x + x is written 2 x

    def number(self, value: np.generic) -> Part:
        """An unsigned number."""
        return number_text(value), ATOM

    def symbol(self, name: str) -> str:
        """A name as it is, or as a JSON string if it could be taken for something else."""
        return name if _PLAIN_NAME.fullmatch(name) else quote(name)

    def size(self, dim: Dim) -> Part:
        """The value of a dimension."""
        text = str(dim)
        loose = SUM if " + " in text or " - " in text else PRODUCT
        return text, ATOM if text.isidentifier() or text.isdigit() else loose

    def group(self, text: str) -> str:
        """The text in brackets."""
        return f"({text})"

    def template(self, notation: Notation, node: Node) -> tuple[str, int, tuple[int, ...]]:
        """The notation's template, its level, and the level that each operand needs."""
        template = notation.text if isinstance(notation.text, str) else notation.text(node)
        return template, notation.level, notation.operands

    def call(self, name: str, operands: Sequence[str]) -> str:
        """An operation without a notation."""
        return f"{name}({', '.join(operands)})"

    def product(self, sign: str, parts: Sequence[Part]) -> Part:
        """Parts multiplied; the number 1 if there are none."""
        if len(parts) == 1:
            return parts[0]
        return sign.join(self.at_least(PRODUCT, part) for part in parts) or "1", PRODUCT

    def fraction(
        self, scalars: list[Part], core: list[Part], divisors: list[Part], over: list[Part]
    ) -> Part:
        """Scalars times a core (one part or none), over scalar divisors and elementwise ones."""
        above = self.product(self.scalar_sign, [*scalars, *core])
        bottom = [*divisors, *over]
        if not bottom:
            return above
        below = self.at_least(PREFIX, self.product(self.scalar_sign, bottom))
        return f"{self.at_least(PRODUCT, above)} / {below}", PRODUCT

    def at_least(self, level: int, part: Part) -> str:
        """A part, in brackets if it holds less tightly than its place needs."""
        return part[0] if part[1] >= level else self.group(part[0])

    def filled(self, value: int, shape: Shape) -> Part:
        """An array of ones or zeros."""
        return f"{'ones' if value else 'zeros'}{shape_text(shape).replace(',)', ')')}", ATOM

    def constant(self, array: np.ndarray) -> Part:
        """A constant array: its elements if they are few."""
        if array.ndim == 1 and array.size <= 4:
            return f"[{', '.join(map(number_text, array))}]", ATOM
        return f"const{shape_text(array.shape).replace(',)', ')')}", ATOM

    def index(self, text: str, items: Sequence[str]) -> Part:
        """Elements of an array."""
        return f"{text}[{', '.join(items)}]", ATOM

    def new_axes(self, text: str, items: Sequence[str], rank: int) -> str:
        """An array of `rank` axes with axes of length 1 added and dropped."""
        return self.index(text, items)[0]

    def stretch(self, text: str, shape: Shape) -> Part:
        """An array repeated to a shape."""
        return f"broadcast_to({text}, {shape_text(shape)})", ATOM

    def transpose(self, part: Part) -> Part:
        """A matrix transposed."""
        return f"{self.at_least(ATOM, part)}ᵀ", ATOM

    def row(self, part: Part) -> Part:
        """A vector on the left of a matrix product."""
        return part

    def outer(self, column: Part, row: Part) -> Part:
        """The matrix of all products of two vectors."""
        return f"outer({column[0]}, {row[0]})", ATOM

    def mask(self, condition: Part) -> Part:
        """A truth value as a factor 0 or 1."""
        return condition

    def summed(self, node: Node, part: Part) -> Part | None:
        """A sum or product over axes with its own sign; None for a call."""
        return None

    def squared(self, part: Part) -> Part | None:
        """A number times itself; None for a product."""
        return None

    def ramp(self, node: Node) -> Part | None:
        """The index along an axis; None for a call."""
        return None


class LatexStyle(TextStyle):
    """LaTeX for mathematics mode, in what LaTeX itself, MathJax and KaTeX all know."""

    matrix_sign = r" \, "
    scalar_sign = r" \, "
    elementwise_sign = r" \odot "
    columns = collects = True

    def __init__(self) -> None:
        pass

    def number(self, value: np.generic) -> Part:
        text = number_text(value)
        if text in ("inf", "nan", "True", "False"):
            return r"\infty" if text == "inf" else rf"\mathrm{{{text}}}", ATOM
        digits, _, exponent = text.partition("e")
        if not exponent:
            return text, ATOM
        power = f"10^{{{exponent}}}"
        return (power, POWER) if digits == "1" else (rf"{digits} \cdot {power}", PRODUCT)

    def symbol(self, name: str) -> str:
        return latex_symbol(name)

    def size(self, dim: Dim) -> Part:
        return latex_dim(dim)

    def group(self, text: str) -> str:
        return rf"\left({text}\right)"

    def template(self, notation: Notation, node: Node) -> tuple[str, int, tuple[int, ...]]:
        template = notation.latex if isinstance(notation.latex, str) else notation.latex(node)
        level, operands = notation.latex_level, notation.latex_operands
        return (
            template,
            notation.level if level is None else level,
            notation.operands if operands is None else operands,
        )

    def call(self, name: str, operands: Sequence[str]) -> str:
        return rf"\operatorname{{{latex_escape(name)}}}\left({', '.join(operands)}\right)"

    def product(self, sign: str, parts: Sequence[Part]) -> Part:
        if len(parts) == 1:
            return parts[0]
        texts = [self.at_least(PRODUCT, part) for part in parts]
        joined = texts[0] if texts else "1"
        for text in texts[1:]:  # two numbers side by side would read as one
            joined += (r" \cdot " if text[0].isdigit() else sign) + text
        return joined, PRODUCT

    def fraction(
        self, scalars: list[Part], core: list[Part], divisors: list[Part], over: list[Part]
    ) -> Part:
        if over:
            above, scalars = (core, scalars) if core else (scalars, [])
            core = [(rf"\frac{{{self._all(above)}}}{{{self._all(over)}}}", PREFIX)]
        if divisors:
            short = len(core) == 1 and core[0][1] == ATOM and len(core[0][0]) <= _SHORT
            above, core = ([*scalars, *core], []) if short else (scalars, core)
            below = self._all(self._powers(divisors))
            scalars = [(rf"\frac{{{self._all(above)}}}{{{below}}}", PREFIX)]
        return self.product(self.scalar_sign, [*scalars, *core])

    def _powers(self, parts: list[Part]) -> list[Part]:
        """Factors that come more than once, with their number above them."""
        return [
            (f"{self.at_least(ATOM, part)}^{{{count}}}", POWER) if count > 1 else part
            for part, count in Counter(parts).items()
        ]

    def _all(self, parts: list[Part]) -> str:
        return self.product(self.scalar_sign, parts)[0]

    def filled(self, value: int, shape: Shape) -> Part:
        sizes = r" \times ".join(latex_dim(dim)[0] for dim in shape)
        return rf"\mathbf{{{value}}}_{{{sizes}}}", ATOM

    def constant(self, array: np.ndarray) -> Part:
        if array.ndim == 1 and array.size <= 4:
            numbers = ", ".join(self.number(element)[0] for element in array)
            return rf"\left[{numbers}\right]", ATOM
        sizes = r" \times ".join(map(str, array.shape))
        return rf"\operatorname{{const}}_{{{sizes}}}", ATOM

    def index(self, text: str, items: Sequence[str]) -> Part:
        return rf"{{{text}}}_{{\left[{', '.join(items)}\right]}}", ATOM

    def new_axes(self, text: str, items: Sequence[str], rank: int) -> str:
        """Silent for a vector, and for axes in front, which broadcasting adds by itself."""
        behind = items[items.index(":") :] if ":" in items else []
        if rank < 2 or "None" not in behind:
            return text
        shown = [r"\text{new}" if item == "None" else item for item in items]
        return self.index(text, shown)[0]

    def stretch(self, text: str, shape: Shape) -> Part:
        return rf"\operatorname{{broadcast}}\left({text}\right)", ATOM

    def transpose(self, part: Part) -> Part:
        return rf"{self.at_least(ATOM, part)}^{{\top}}", POWER

    def row(self, part: Part) -> Part:
        return self.transpose(part)

    def outer(self, column: Part, row: Part) -> Part:
        return self.product(self.matrix_sign, [column, self.transpose(row)])

    def mask(self, condition: Part) -> Part:
        """The bracket of Iverson: 1 where the condition holds, else 0."""
        return rf"\left[{condition[0]}\right]", ATOM

    def summed(self, node: Node, part: Part) -> Part | None:
        r"""`\sum_i x_i`; of the axes that stay, a colon stands for the index."""
        rank = node.inputs[0].ndim
        if rank > len(_INDICES):
            return None
        reduced = [_INDICES[axis] for axis in node.attrs["axes"]]
        every = [index if index in reduced else ":" for index in _INDICES[:rank]]
        text = self.group(part[0]) if part[1] < ATOM or "_" in part[0] else part[0]
        separator = ", " if ":" in every else " "
        sign = rf"\{node.op.name}_{{{', '.join(reduced)}}}"
        return f"{sign} {text}_{{{separator.join(every)}}}", PREFIX

    def squared(self, part: Part) -> Part | None:
        return f"{self.at_least(ATOM, part)}^{{2}}", POWER

    def ramp(self, node: Node) -> Part | None:
        axis: int = node.attrs["axis"]
        return (_INDICES[axis], ATOM) if axis < len(_INDICES) else None
