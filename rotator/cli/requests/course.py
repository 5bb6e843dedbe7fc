"""How a change that is followed is shown: on a terminal a live line for each phase, in a pipe a line at each turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from rich.console import RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from rotator.cli.output import BAD, DOUBTFUL, FAINT, GOOD, console, has_shapes, is_live, say, styled
from rotator.core.model import Reason, Serial
from rotator.show.times import span

REDRAWN_PER_SECOND: Final = 8


@dataclass(frozen=True, slots=True)
class Leg:
    """One phase of one change."""

    reason: Reason
    target: Serial
    phase: str


@dataclass(slots=True)
class Passed:
    """A leg, and how long it took.

    Attributes:
        is_good: it led on; None while it lasts.
    """

    leg: Leg
    began: float
    text: str = ""
    ended: float | None = None
    is_good: bool | None = None

    def span(self) -> str:
        """Return how long it took, or has lasted."""
        return span(timedelta(seconds=(self.ended or time.monotonic()) - self.began))


@dataclass(slots=True)
class Course:
    """What a change has gone through, and what it waits for now. ``turned`` is told of every news."""

    turned: Callable[[str], None] = lambda _line: None
    passed: list[Passed] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    _spinner: Spinner = field(default_factory=lambda: Spinner("dots", style=DOUBTFUL))

    def turn(self, leg: Leg, text: str) -> None:
        """Take note of where a change is, and what it waits for."""
        now = time.monotonic()
        last = self.passed[-1] if self.passed else None
        if last is None or last.leg != leg:
            if last is not None:
                self._close(last, now, is_good=(last.leg.reason, last.leg.target) == (leg.reason, leg.target))
            last = Passed(leg, now)
            self.passed.append(last)
        if last.text != text:
            last.text = text
            self.turned(f"{span(timedelta(seconds=now - self.began)):>8}  {leg.phase}: {text}")

    def finish(self, *, is_good: bool | None) -> None:
        """Take note of how it ended; None: it goes on, and is not followed any more."""
        if self.passed and self.passed[-1].ended is None:
            self._close(self.passed[-1], time.monotonic(), is_good=is_good)

    def _close(self, passed: Passed, now: float, *, is_good: bool | None) -> None:
        passed.ended, passed.is_good = now, is_good

    def __rich__(self) -> RenderableType:
        """Return a line for each phase."""
        laid = Table.grid(padding=(0, 2, 0, 0))
        laid.add_column(no_wrap=True)
        laid.add_column(no_wrap=True)
        laid.add_column(no_wrap=True, justify="right")
        laid.add_column(overflow="fold")
        before: Leg | None = None
        for passed in self.passed:
            leg = passed.leg
            if before is not None and (before.reason, before.target) != (leg.reason, leg.target):
                laid.add_row("", Text(leg.reason.value, DOUBTFUL), "", f"to key pair {leg.target}")
            laid.add_row(self._mark(passed), leg.phase, Text(passed.span(), FAINT), self._text(passed))
            before = leg
        return laid

    def _mark(self, passed: Passed) -> RenderableType:
        if passed.ended is None:
            return self._spinner
        return {True: Text("✔", GOOD), False: Text("✖", BAD), None: Text("●", DOUBTFUL)}[passed.is_good]

    def _text(self, passed: Passed) -> Text:
        """Return what is waited for; where a phase was left, that says nothing any more."""
        return styled("" if passed.is_good else passed.text)


@contextmanager
def following() -> Iterator[Course]:
    """Show on standard error how a change goes."""
    out = console(error=True)
    if not (is_live(out) and has_shapes(out)):
        yield Course(lambda line: say(line, FAINT, error=True))
        return
    course = Course()
    with Live(course, console=out, refresh_per_second=REDRAWN_PER_SECOND, redirect_stdout=False):
        yield course
