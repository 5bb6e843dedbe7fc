"""Times and lengths of time, as people are told them. All are UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_PLENTY: Final = 10  # of a unit: then the next smaller one says little


def span(duration: timedelta, *, coarse: bool = False) -> str:
    """Return a length of time in its two largest units, or its largest: ``4 h 12 m``, ``23 d``, ``0.3 s``."""
    left = int(abs(duration).total_seconds())
    for (letter, size), (below, below_size) in pairwise(_UNITS):
        amount, rest = divmod(left, size)
        if amount:
            small = 0 if coarse or amount >= _PLENTY else rest // below_size
            return f"{amount} {letter} {small} {below}" if small else f"{amount} {letter}"
    return f"{left} s" if left else f"{abs(duration).total_seconds():.1f} s"


def relative(time: datetime, now: datetime, *, coarse: bool = False) -> str:
    """Return how far a time is away, such as ``in 23 d``, ``4 m ago`` or ``now``."""
    if abs(time - now) < timedelta(seconds=1):
        return "now"
    away = span(time - now, coarse=coarse)
    return f"in {away}" if time > now else f"{away} ago"


def clock(time: datetime) -> str:
    """Return a time in UTC."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def when(time: datetime | None, now: datetime) -> str:
    """Return a time in UTC, and how far it is away."""
    return "-" if time is None else f"{clock(time)} ({relative(time, now)})"


def briefly(time: datetime | None, now: datetime) -> str:
    """Return a time to the minute, and about how far it is away, for a column of a table."""
    return (
        "-"
        if time is None
        else f"{time.astimezone(UTC):%Y-%m-%d %H:%MZ} ({relative(time, now, coarse=True)})"
    )
