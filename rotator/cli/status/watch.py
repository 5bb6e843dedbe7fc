"""`rotator status --watch`: look again and again, until Ctrl-C."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from rotator.cli.exits import Exit, exit_of
from rotator.cli.output import BAD, FAINT, complain, console, fitted, is_live, print_json, show
from rotator.cli.signals import stop_on_signals
from rotator.cli.status.look import Look
from rotator.cli.status.overview import each, overview, summary
from rotator.errors import RotatorError
from rotator.show.times import clock, span


class Watch:
    """Looks, and what became of the last one. A Vault that does not answer is told, and looked for again.

    Args:
        in_detail: tell all that is known of each credential.
    """

    def __init__(self, take: Callable[[], Look], *, in_detail: bool, as_json: bool) -> None:
        self._take, self._in_detail, self._as_json = take, in_detail, as_json
        self._seen: Look | None = None
        self._error: RotatorError | None = None
        self._lost_at: float | None = None

    @property
    def code(self) -> Exit:
        """As of the last look."""
        if self._error is not None:
            return exit_of(self._error)
        return self._seen.code if self._seen is not None else Exit.OK

    def once(self) -> Exit:
        """Look, and show it. Raises RotatorError."""
        self._seen = self._take()
        self._tell()
        return self.code

    def again_and_again(self, every_seconds: float) -> Exit:
        """Look until SIGINT or SIGTERM; return the exit code that the last look has."""
        out = console()
        in_place = is_live(out) and not self._as_json
        with stop_on_signals() as stop:
            if in_place:
                with Live(console=out, screen=True, auto_refresh=False) as live:
                    self._until(
                        stop,
                        every_seconds,
                        lambda: live.update(self._screen(out, every_seconds), refresh=True),
                    )
                self._tell()
            else:
                self._until(stop, every_seconds, self._tell)
        return self.code

    def _until(self, stop: threading.Event, every_seconds: float, tell: Callable[[], None]) -> None:
        while True:
            try:
                self._seen, self._error, self._lost_at = self._take(), None, None
            except RotatorError as error:
                self._error, self._lost_at = error, self._lost_at or time.monotonic()
            tell()
            if stop.wait(every_seconds):
                return

    def _tell(self) -> None:
        """Print the last look, below what was printed before."""
        if self._error is not None:
            complain(self._error.message, self._error.hint)
        elif self._seen is not None and self._as_json:
            print_json(self._seen.plain())
        elif self._seen is not None:
            show(*overview(self._seen, console(), in_detail=self._in_detail))

    def _screen(self, out: Console, every_seconds: float) -> RenderableType:
        every = span(timedelta(seconds=every_seconds))
        parts: list[RenderableType] = [
            Text(f"rotator status, every {every}    {clock(datetime.now(UTC))}    Ctrl-C ends", FAINT)
        ]
        if self._error is not None and self._lost_at is not None:
            since = span(timedelta(seconds=time.monotonic() - self._lost_at))
            parts.append(Text(f"no look succeeds, for {since}: {self._error.message}", BAD))
            parts.append(Text(self._error.hint))
            if self._seen is not None:
                parts.append(Text(f"below: how it stood at {clock(self._seen.at)}", FAINT))
        if self._seen is not None:
            parts += [summary(self._seen), Text(), *each(self._seen, out, in_detail=self._in_detail)]
        return fitted(parts, out)
