"""Draws the state machine: the table from its rows, the diagram from the ways that the explorer went.

``python -m tests.explore.drawing`` writes both into docs/state-machine.md.
"""

from __future__ import annotations

from pathlib import Path

from rotator.cli.topics import told
from rotator.core.machine import CHANGE, COLLECTION, TOKENS, Row
from rotator.core.model import Phase, Record
from rotator.core.outcome import Outcome
from tests.explore.daemons import Began, Did
from tests.explore.explorer import Explorer
from tests.explore.worlds import worlds

PAGE = Path(__file__).parents[2] / "docs" / "state-machine.md"
BEGIN, END = "<!-- begin: drawn by tests/explore/drawing.py -->", "<!-- end -->"
DRAWN_FROM = ("init", "adopt_abort", "asks", "abort", "rollback", "leaked_out")


def diagram() -> str:
    """Return every way from phase to phase that the explorer went, as a Mermaid state diagram."""
    known = worlds()
    edges = {edge for name in DRAWN_FROM for edge in ways(Explorer(known[name], lively=False))}
    order = list(Phase)
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> empty"]
    for start, end in sorted({(s, e) for s, e, _ in edges}, key=lambda pair: [order.index(p) for p in pair]):
        labels = sorted(label for s, e, label in edges if (s, e) == (start, end))
        lines.append(f"    {start} --> {end}: {', '.join(labels)}")
    return "\n".join([*lines, "```"])


def ways(explorer: Explorer) -> set[tuple[Phase, Phase, str]]:
    """Return which ways led from phase to phase, each under the name of what ended, began or was done."""
    explorer.run()
    led: set[tuple[Phase, Phase, str]] = set()
    for index in range(len(explorer.states)):
        world = explorer.states[index]
        for event, _after in explorer.moves(world):
            match event:
                case Began(daemon=daemon, want=want) if want.intent is not None:
                    led |= _way(daemon.snapshot.record, want.intent, type(want.action).__name__)
                case Did(daemon=daemon, want=want, answer=answer, fate="recorded"):
                    before = daemon.snapshot.record if want.intent is None else want.intent
                    after = explorer.steps.after(world, daemon.snapshot, answer)
                    if after is not None:
                        led |= _way(before, after.record, f"{type(want.action).__name__} {answer.kind}")
    return led


def _way(before: Record, after: Record, what: str) -> set[tuple[Phase, Phase, str]]:
    if before.phase is after.phase:
        return set()
    if before.phase is Phase.LOCKED_OUT:
        aborted = after.history and after.history[-1].outcome is Outcome.ABORTED
        staged = "aborted" if aborted else "brought in again"
        what = {Phase.PROVING: "key found", Phase.CREATING: "leaked key replaced"}.get(after.phase, staged)
    elif after.history:
        what = after.history[-1].outcome.words
    elif before.change is None and after.change is not None:
        what = f"begin {after.change.reason}"
    elif what == "Nothing":
        what = "not in time"
    return {(before.phase, after.phase, what.lower())}


def table(rows: tuple[Row, ...]) -> str:
    """Return the rows as a table, in the order in which they are asked."""
    lines = ["| in | when | do | record |", "|---|---|---|---|"]
    for row in rows:
        phases = "any" if row.phases == frozenset(Phase) else ", ".join(p for p in Phase if p in row.phases)
        one = told(row)
        do = f"`{one.does}`" if one.does else ""
        lines.append(f"| {phases} | {one.when} | {do} | {'<br>'.join(one.then)} |")
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
