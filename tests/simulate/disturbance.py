"""When something was wrong that may keep the daemon from its work."""

from __future__ import annotations

from tests.simulate.loop import HOUR

HARMLESS = frozenset({"rotate", "rehearse", "rollback", "abort", "deployed", "paused", "init", "compromised"})
AT_ONCE = frozenset({"clock ahead", "clock back", "restored", "stale reads", "swap kills", "slow spread"})
"""What lasts without keeping the daemon from its work, or counts only when it begins and ends."""

RECOVERY = 10 * 60.0
"""Pauses between tries grow to five minutes; so long after a mishap its consequences are its own."""


class Disturbances:
    """Spans of time in which a mishap kept the daemon from its work, or may have."""

    def __init__(self) -> None:
        self._spans: list[tuple[float, float]] = []

    def add(self, begins: float, ends: float) -> None:
        self._spans.append((begins, ends + RECOVERY))

    def within(self, begins: float, ends: float) -> float:
        """Return how many seconds of a span of time were disturbed."""
        total, reached = 0.0, begins
        for start, end in sorted(self._spans):
            start, end = max(start, reached), min(end, ends)
            if end > start:
                total += end - start
                reached = end
        return total


__all__ = ["HARMLESS", "HOUR", "Disturbances"]
