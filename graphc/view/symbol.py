"""Names and sizes in LaTeX: symbols where a mathematician writes one, escaped text elsewhere."""

from __future__ import annotations

import re

from graphc.ir.dim import Atom, Dim
from graphc.ir.literal import quote
from graphc.ir.op import ATOM, POWER, PRODUCT, SUM

_GREEK = frozenset((
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa",
    "lambda", "mu", "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi",
    "omega", "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi",
    "Omega",
))  # fmt: skip
# In mathematics mode, and known to LaTeX, MathJax and KaTeX alike.
_SPECIAL = {
    "\\": r"\backslash ", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_",
    "%": r"\%", "~": r"\sim ", "^": r"\wedge ", "<": "<", ">": ">",
}  # fmt: skip
_NAME = re.compile(r"(d?)([A-Za-z]+?)_?([0-9]+|(?<=_)[A-Za-z0-9]+)?('*)")


def latex_escape(name: str) -> str:
    """Any text as LaTeX for mathematics mode: nothing in it is a command.

    >>> print(latex_escape("50% of $x"))
    \\text{50}\\%\\text{ of }\\$\\text{x}
    """
    printable = quote(name)[1:-1].replace(r"\"", '"').replace("\\\\", "\\")
    pieces = re.split(r"([\\{}$&#_%~^<>])", printable)
    return "".join(_SPECIAL.get(piece, rf"\text{{{piece}}}") for piece in pieces if piece)


def latex_symbol(name: str) -> str:
    """A name as a symbol: `W1` is W with the index 1, `sigma` the letter, `logits` a word.

    >>> print(latex_symbol("W1"), latex_symbol("h_max"), latex_symbol("sigma"), latex_symbol("dW3"))
    W_{1} h_{\\mathrm{max}} \\sigma \\mathrm{d}W_{3}
    """
    found = _NAME.fullmatch(name)
    if found is None:
        return f"{{{latex_escape(name)}}}"
    differential, base, index, primes = found.groups()
    if differential and len(base) > 1 and base not in _GREEK:
        differential, base = "", differential + base
    head = rf"\{base}" if base in _GREEK else base if len(base) == 1 else rf"\mathrm{{{base}}}"
    if index and not index.isdigit() and len(index) > 1:
        index = rf"\mathrm{{{index}}}"
    below = f"_{{{index}}}" if index else ""
    return (r"\mathrm{d}" if differential else "") + head + below + primes


def latex_dim(dim: Dim) -> tuple[str, int]:
    """A dimension, and how tightly it holds together."""
    if isinstance(dim, int):
        return str(dim), ATOM
    text = ""
    for monomial, coefficient in dim.terms:
        number = [] if abs(coefficient) == 1 and monomial else [str(abs(coefficient))]
        term = r" \, ".join([*number, *(_power(atom, power) for atom, power in monomial)])
        sign = "-" if coefficient < 0 else "+"
        text += f" {sign} {term}" if text else ("-" if coefficient < 0 else "") + term
    if len(dim.terms) > 1 or text.startswith("-"):
        return text, SUM
    return text, PRODUCT if r"\," in text else POWER if "^" in text else ATOM


def _power(atom: Atom, power: int) -> str:
    if isinstance(atom, str):
        base = latex_symbol(atom)
    else:
        above, below = latex_dim(atom.numerator)[0], latex_dim(atom.denominator)[0]
        base = rf"\left\lfloor \frac{{{above}}}{{{below}}} \right\rfloor"
    return base if power == 1 else f"{{{base}}}^{{{power}}}"
