"""When something was wrong that may keep the daemon from its work."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

AT_ONCE = frozenset({"clock ahead", "clock back", "restored", "stale reads", "slow spread"})
"""What lasts without keeping the daemon from its work: it counts only when it begins and ends."""

HARMLESS = frozenset(
    {
        "rotate",
        "rehearse",
        "rollback",
        "abort",
        "deployed",
        "paused",
        "init",
        "compromised",
        "sessions killed",
        "swap kills",
    }
)
"""These keep nobody from work."""

NO_CALLS = frozenset({"maintenance", "throttled", "cut answers", "killed", "suspended"})
"""Sessions cannot be kept alive meanwhile."""

NO_LOGINS = frozenset({"flood", "unknown errors", "flapping", "user frozen"})
"""Sessions can be kept alive, and no token can be minted."""

NO_VAULT = frozenset({"sealed", "standby", "unwritable", "lost replies", "cut off"})
"""A daemon that knows the tokens keeps their sessions alive; what it mints cannot be published."""

RECOVERY = 10 * 60.0
"""Pauses between tries grow to five minutes: so long after a mishap its consequences are its own."""


class Disturbances:
    """Spans of time in which a mishap kept the daemon from its work, or may have."""

    def __init__(self) -> None:
        self._spans: list[tuple[float, float, str]] = []

    def add(self, kind: str, begins: float, ends: float) -> None:
        if kind not in HARMLESS:
            self._spans.append((begins, (begins if kind in AT_ONCE else ends) + RECOVERY, kind))

    def within(self, begins: float, ends: float, kinds: AbstractSet[str] | None = None) -> float:
        """Return how many seconds of a span of time were disturbed, by any kind or by some."""
        total, reached = 0.0, begins
        for start, end, kind in sorted(self._spans):
            left = min(end, ends) - max(start, reached)
            if left > 0 and (kinds is None or kind in kinds):
                total += left
                reached = min(end, ends)
        return total
