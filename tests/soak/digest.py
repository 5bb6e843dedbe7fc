"""A journal for days: it counts what the daemons say, and keeps no more lines than are being looked at."""

from __future__ import annotations

import time
from array import array
from collections import Counter, defaultdict, deque

from tests.world.daemon import Journal, Line

LAST_LINES = 200
NEW_TOKEN = ("token.dead", "token.published")


class Digest(Journal):
    """What daemons said.

    Attributes:
        counts: how often each event came.
        alerts: how often each of those that call a person.
        late_seconds: how late each step came that was taken when it was due.
        last: the latest lines, without those of steps.
        called: the latest of those that call a person.
        reasons: how often a key was promoted for each.
        noticed: user -> when its session was found dead or replaced (monotonic).
    """

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.alerts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.last: deque[Line] = deque(maxlen=LAST_LINES)
        self.called: deque[Line] = deque(maxlen=LAST_LINES)
        self.late_seconds = array("d")
        self.noticed: defaultdict[str, list[float]] = defaultdict(list)

    def _note(self, line: Line) -> None:
        super()._note(line)
        event = line["event"]
        self.counts[event] += 1
        if line.get("alert"):
            self.alerts[event] += 1
            self.called.append(line)
        if event == "key.promoted":
            self.reasons[line["reason"]] += 1
        if event != "step.taken":
            self.last.append(line)
        elif "late_seconds" in line:
            self.late_seconds.append(line["late_seconds"])
        if event in NEW_TOKEN and not line.get("unchanged"):
            self.noticed[line["user"]].append(time.monotonic())

    def noticed_after(self, user: str, at: float) -> float | None:
        """Return when it was first noticed after a moment that a user's session is another one (monotonic)."""
        with self._changed:
            return next((when for when in self.noticed[user] if when >= at), None)

    def take_text(self) -> str:
        """Return what was said since the last time, and forget it. No mark of before holds afterwards."""
        with self._changed:
            said = "".join(self.text)
            self.text.clear()
            self.lines.clear()
            return said
