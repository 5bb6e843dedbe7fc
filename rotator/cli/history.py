"""The last changes of a credential, laid out for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console, RenderableType
from rich.text import Text

from rotator.cli.output import BAD, DOUBTFUL, FAINT, GOOD, ROOMY, grid, hanging
from rotator.core.model import Entry
from rotator.core.outcome import Outcome
from rotator.show.times import clock, span

HEAD: Final = ("BEGAN", "TOOK", "REASON", "KEY", "OUTCOME", "DEPLOYED", "WHY")


def laid_out(history: Sequence[Entry], console: Console) -> Iterator[RenderableType]:
    """Yield what there is to print: a table where there is room, else a line each with the reason below it."""
    if console.width >= ROOMY:
        yield grid([_row(entry) for entry in history], HEAD)
        return
    yield Text(f"{'BEGAN':<17}  {'TOOK':>9}  {'CHANGE':<19}  OUTCOME", "bold")
    for entry in history:
        yield Text.assemble(
            f"{clock(entry.began)[:16]}Z  {span(entry.ended - entry.began):>9}  ",
            f"{f'{entry.reason.value} to {entry.target}':<19}  ",
            (entry.outcome.words, style_of(entry.outcome)),
            ("" if entry.deployed else ", not deployed", FAINT),
        )
        if entry.message:
            yield hanging("    ", entry.message, FAINT)


def _row(entry: Entry) -> tuple[Text | str, ...]:
    return (
        clock(entry.began),
        span(entry.ended - entry.began),
        entry.reason.value,
        str(entry.target),
        Text(entry.outcome.words, style_of(entry.outcome)),
        "yes" if entry.deployed else "no",
        entry.message or "-",
    )


def style_of(outcome: Outcome) -> str:
    """Return the colour of an outcome."""
    if outcome.arrived:
        return GOOD
    return DOUBTFUL if outcome.by_proofs else BAD
