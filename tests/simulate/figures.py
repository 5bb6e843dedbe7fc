"""The figures of many stories together, and the table of what was met in which phase."""

from __future__ import annotations

from collections import Counter

from rotator.core import outcome as core
from rotator.core.model import Phase
from tests.simulate.consumers import HABITS
from tests.simulate.mishaps import MISHAPS
from tests.simulate.story import Cell, Outcome

DAEMONS = (1, 2)


class Figures:
    """Sums over stories."""

    def __init__(self) -> None:
        self.stories, self.steps, self.swaps, self.days = 0, 0, 0, 0.0
        self.cells: Counter[Cell] = Counter()
        self.ends: Counter[core.Outcome] = Counter()
        self.failed: Counter[str] = Counter()
        self.detected: list[float] = []

    def add(self, outcome: Outcome) -> None:
        self.stories += 1
        self.steps += outcome.steps
        self.swaps += outcome.swaps
        self.days += outcome.days
        self.cells += outcome.cells
        self.ends += outcome.ends
        self.failed += outcome.failed
        self.detected += outcome.detected

    def table(self) -> str:
        """Return how often each kind of mishap met a credential in each phase, with one daemon and with two."""
        phases = list(Phase)
        head = f"{'one daemon / two':16}" + "".join(f"{phase.value:>16}" for phase in phases)
        rows = []
        for kind in MISHAPS:
            met = (" / ".join(f"{self.cells[phase, kind, n]}" for n in DAEMONS) for phase in phases)
            rows.append(f"{kind:16}" + "".join(f"{cell:>16}" for cell in met))
        return "\n".join((head, *rows))

    def met_less_than(self, least: int) -> list[str]:
        """Return which cells were met less often: phase x kind of mishap x number of daemons."""
        return [
            f"{kind} in {phase.value} with {number} daemon{'s' * (number > 1)} ({self.cells[phase, kind, number]})"
            for kind in MISHAPS
            for phase in Phase
            for number in DAEMONS
            if self.cells[phase, kind, number] < least
        ]

    def sentence(self, least: int) -> str:
        """Return the figures in one line; ``least``: how often each cell must be met."""
        ends = ", ".join(f"{self.ends[end]:,} {end.words}" for end in core.Outcome)
        failed = ", ".join(f"{self.failed[habit.name]:,} ({habit.name})" for habit in HABITS)
        cells = len(MISHAPS) * len(Phase) * len(DAEMONS)
        met = cells - len(self.met_less_than(least))
        late = sorted(self.detected)
        p50, p99 = (late[int(len(late) * share)] if late else 0.0 for share in (0.5, 0.99))
        return (
            f"{self.stories:,} stories, {self.days:,.0f} credential-days, {self.steps:,} steps, "
            f"{self.ends[core.Outcome.PROMOTED]:,} rotations, {self.swaps:,} swaps; "
            f"{met} of {cells} cells (phase x mishap x daemons) met {least} times or more; "
            f"changes: {ends}; failed calls of consumers by how often they read, at a call a minute: {failed}; "
            f"{len(late):,} dead tokens detected, p50 {p50:.3f}, p99 {p99:.2f} of session.verify_every"
        )
