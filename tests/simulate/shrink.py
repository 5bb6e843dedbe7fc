"""Makes a story that fails as short as can be, and tells it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from tests.simulate.drama import Mishap, Plot
from tests.simulate.loop import EPOCH, timedelta
from tests.simulate.mishaps import KINDS

One = TypeVar("One")
LINES = 40


def fewest(parts: Sequence[One], fails: Callable[[Sequence[One]], bool]) -> list[One]:
    """Return parts of which none can be left out without the failure being gone (Zeller's delta debugging)."""
    left, pieces = list(parts), 2
    while len(left) > 1:
        size = max(1, len(left) // pieces)
        for begin in range(0, len(left), size):
            rest = left[:begin] + left[begin + size :]
            if fails(rest):
                left, pieces = rest, max(2, pieces - 1)
                break
        else:
            if size == 1:
                break
            pieces = min(len(left), 2 * pieces)
    return [] if fails([]) else left


def shrunk(plot: Plot, fails: Callable[[Plot], bool]) -> Plot:
    """Return a plot with the fewest mishaps that still fails."""

    def still(mishaps: Sequence[Mishap]) -> bool:
        return fails(replace(plot, mishaps=tuple(mishaps)))

    return replace(plot, mishaps=tuple(fewest(plot.mishaps, still)))


def sentences(
    plot: Plot, lines: Sequence[tuple[float, str]], violations: Sequence[tuple[float, str]]
) -> Iterator[str]:
    """Tell a story: its plot, and what happened before the first thing that must not be."""
    daemons = "one daemon" if plot.daemons == 1 else f"{plot.daemons} daemons"
    yield f"Story {plot.seed}: a fleet of {', '.join(plot.names)} ({plot.style}), {daemons}."
    for mishap in plot.mishaps:
        yield f"  {_told(mishap)}"
    end = violations[0][0] if violations else float("inf")
    before = [(at, line) for at, line in lines if at <= end]
    if len(before) > LINES:
        yield f"  ... {len(before) - LINES} lines ..."
    for at, line in before[-LINES:]:
        yield f"  {EPOCH + timedelta(seconds=at):%m-%d %H:%M:%S}  {line}"
    for _at, sentence in violations[:3]:
        yield f"This must not be: {sentence}."
    if not violations:
        yield "Nothing is wrong in it."


def _told(mishap: Mishap) -> str:
    when, kind = mishap.when, KINDS[mishap.kind]
    at = f"at {EPOCH + timedelta(seconds=when.after):%m-%d %H:%M:%S}"
    if when.phase is not None:
        at = f"{when.after:.1f} s after {when.name} enters {when.phase} for the {when.nth}. time"
    lasts = f", for {mishap.seconds:.0f} s" if mishap.seconds else ""
    border = f", at the {mishap.border}. border of a call from then" if kind.on == "machine" else ""
    return f"{kind.sentence} {mishap.whom}".rstrip() + f" {at}{lasts}{border}"
