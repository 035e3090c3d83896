"""All rules, in the order in which they are tried, and the page that lists them."""

from __future__ import annotations

from graphc.errors import VerificationError
from graphc.rewrite import (
    batches,
    canonicalize,
    error_function,
    fold,
    gates,
    gather,
    layout,
    logarithm,
    losses,
    padding,
    pieces,
    positive,
    powers,
    products,
    reductions,
    scale,
    simplify,
    stabilize,
    sums,
    transposes,
)
from graphc.rewrite.rule import PHASES, Rule

_START, _END = "<!-- the rules -->", "<!-- the end of the rules -->"
# Special forms before general ones: what a stable form replaces must not be taken apart first.
RULES: tuple[Rule, ...] = (
    *fold.RULES,
    *canonicalize.RULES,
    *layout.RULES,
    *pieces.RULES,
    *gates.RULES,
    *error_function.RULES,
    *stabilize.RULES,
    *logarithm.RULES,
    *losses.RULES,
    *padding.RULES,
    *simplify.RULES,
    *powers.RULES,
    *positive.RULES,
    *reductions.RULES,
    *products.RULES,
    *scale.RULES,
    *transposes.RULES,
    *batches.RULES,
    *gather.RULES,
    *sums.RULES,
)


def check_table(rules: tuple[Rule, ...]) -> None:
    """Raise VerificationError unless names are unique, differ from phases, and phases exist."""
    names = [rule.name for rule in rules]
    repeated = sorted({name for name in names if names.count(name) > 1 or name in PHASES})
    unknown = sorted({rule.name for rule in rules if rule.phase not in PHASES})
    if repeated or unknown:
        raise VerificationError(
            f"rewrite rules: repeated names {repeated}, unknown phases in {unknown}"
        )


check_table(RULES)


def table_text(rules: tuple[Rule, ...] = RULES) -> str:
    """The rules as Markdown tables, one for each phase."""
    lines: list[str] = []
    for phase in PHASES:
        lines += [
            f"### {phase}",
            "",
            "| rule | from | to | where | may change |",
            "|---|---|---|---|---|",
        ]
        for rule in rules:
            if rule.phase == phase:
                cells = (f"`{rule.name}`", _code(rule.pattern), _code(rule.result))
                lines.append(f"| {' | '.join((*cells, rule.condition, rule.changes))} |")
        lines.append("")
    return "\n".join(lines)


def page_text(page: str) -> str:
    """A page with the tables between its two marks replaced by those of the rules.

    Raises VerificationError if a mark is missing.
    """
    head, start, rest = page.partition(_START)
    _, end, tail = rest.partition(_END)
    if not start or not end:
        raise VerificationError(f"expected a page that holds {_START} and then {_END}")
    return f"{head}{_START}\n\n{table_text()}\n{_END}{tail}"


def _code(text: str) -> str:
    return f"`{text}`".replace("|", r"\|")
