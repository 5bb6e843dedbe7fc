"""Draws the state machine: the table from its rows, the diagram from the ways that the explorer went.

``python -m tests.explore.drawing`` writes both into docs/state-machine.md.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rotator.core.effects import Nothing
from rotator.core.machine import CHANGE, COLLECTION, TOKENS, Row
from rotator.core.model import Phase
from tests.explore.explorer import Explorer
from tests.explore.worlds import worlds

PAGE = Path(__file__).parents[2] / "docs" / "state-machine.md"
BEGIN, END = "<!-- begin: drawn by tests/explore/drawing.py -->", "<!-- end -->"
DRAWN_FROM = ("init", "adopt_abort", "asks", "abort", "rollback")


def diagram() -> str:
    """Return every way from phase to phase that the explorer went, as a Mermaid state diagram."""
    edges: set[tuple[Phase, Phase, str]] = set()
    known = worlds()
    for name in DRAWN_FROM:
        explorer = Explorer(known[name], lively=False)
        edges |= explorer.run().edges
    order = list(Phase)
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> empty"]
    for start, end in sorted({(s, e) for s, e, _ in edges}, key=lambda pair: [order.index(p) for p in pair]):
        labels = sorted(label for s, e, label in edges if (s, e) == (start, end))
        lines.append(f"    {start} --> {end}: {', '.join(labels)}")
    return "\n".join([*lines, "```"])


def first_line(function: Callable[..., Any]) -> str:
    return (function.__doc__ or "").strip().splitlines()[0].rstrip(".")


def table(rows: tuple[Row, ...]) -> str:
    """Return the rows as a table, in the order in which they are asked."""
    lines = ["| in | when | do | record |", "|---|---|---|---|"]
    for row in rows:
        phases = "any" if row.phases == frozenset(Phase) else ", ".join(p for p in Phase if p in row.phases)
        then = [f"first: {first_line(row.intent)}"] if row.intent else []
        then += [f"{kind}: {first_line(move)}" for kind, move in row.moves.items()]
        do = "" if row.action is Nothing else f"`{row.action.__name__}`"
        lines.append(f"| {phases} | {first_line(row.guard)} | {do} | {'<br>'.join(then)} |")
    return "\n".join(lines)


def drawn() -> str:
    """Return what stands between the marks of the page."""
    return "\n\n".join(
        [
            BEGIN,
            diagram(),
            "### Tokens of each user",
            table(TOKENS),
            "### The change",
            table(CHANGE),
            "### What is left over",
            table(COLLECTION),
            END,
        ]
    )


def page_with(text: str, page: str) -> str:
    """Return the page with the part between its marks replaced."""
    before, _, rest = page.partition(BEGIN)
    return before + text + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page_with(drawn(), PAGE.read_text()))
