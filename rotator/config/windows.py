"""Maintenance windows: a cron expression says when one opens, a duration for how long, a time zone whose clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise, takewhile
from typing import Annotated
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field

from rotator.config.durations import Duration
from rotator.config.shape import Section, mistake
from rotator.core.model import Window

_LONGEST_CRON = 120
_CRON_MEND = "Write minute, hour, day of month, month, day of week, such as `0 2 * * 6` for Saturdays at 2."
_SURVEY_FROM, _SURVEY_TO = date(2027, 1, 1), date(2037, 1, 1)
"""What is surveyed: with leap years and changes of the clock. A fixed time gives the same answer every day."""

_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)


def _cron(text: str) -> str:
    if len(text) > _LONGEST_CRON:
        raise mistake(f"has more than {_LONGEST_CRON} characters", _CRON_MEND)
    try:
        opens = next(CronSim(text, _midnight(_SURVEY_FROM, UTC)), None)
    except CronSimError as error:
        raise mistake(f"is no cron expression: {str(error).lower()}", _CRON_MEND) from None
    if opens is None:
        raise mistake(
            "no day ever fits this cron expression", "Name a day that exists, such as `0 2 28 2 *`."
        )
    return text


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise mistake(
            f"the time zone {name!r} is not known here",
            "Use a name such as Europe/Berlin or UTC; where even those are unknown, install tzdata.",
        ) from None
    return name


class MaintenanceWindow(Section):
    """When a rotation may begin, as long as expiry is not near."""

    cron: Annotated[str, AfterValidator(_cron)] = Field(
        description="When the window opens: minute, hour, day of month, month, day of week.",
        examples=["0 2 * * 6"],
    )
    duration: Duration = Field(description="For how long it stays open.", examples=["4h"])
    time_zone: Annotated[str, AfterValidator(_time_zone)] = Field(
        default="UTC", description="Whose clock `cron` means.", examples=["Europe/Berlin"]
    )


def next_window(window: MaintenanceWindow, now: datetime) -> Window:
    """Return the window that is open at ``now``, or else the next one.

    A time that the change to summer time skips opens the window when the clock has jumped; one that comes twice
    opens it the first time. The duration is real time: a window over the change is neither longer nor shorter.
    """
    since = (now - window.duration).astimezone(ZoneInfo(window.time_zone))
    for local in CronSim(window.cron, since):
        opens = local.astimezone(UTC)
        if opens + window.duration > now:
            return Window(opens, opens + window.duration)
    raise AssertionError("the cron expression was checked to have openings")


@lru_cache(maxsize=256)
def longest_closed(cron: str, duration: timedelta, time_zone: str) -> timedelta:
    """Return the longest time for which a window stays closed, as far as ten years tell.

    Day by day, not opening by opening, of which there may be millions.
    """
    zone = ZoneInfo(time_zone)
    begins, ends = (_midnight(day, zone).astimezone(UTC) for day in (_SURVEY_FROM, _SURVEY_TO))
    longest, latest = timedelta(), begins
    for begin, openings in _days(cron, zone):
        longest = max(longest, begin + openings.first - latest, openings.gap)
        latest = begin + openings.last
    return max(max(longest, ends - latest) - duration, timedelta())


@dataclass(frozen=True, slots=True)
class _Openings:
    """When a window opens on a day, since its midnight, and the longest time between two openings."""

    first: timedelta
    last: timedelta
    gap: timedelta


def _days(cron: str, zone: ZoneInfo) -> Iterator[tuple[datetime, _Openings]]:
    """Yield the days of the survey on which a window opens: their midnights (UTC), and when it does.

    Days of the same length have the same openings: one day of each is looked at. A day is longer or shorter than
    others when the clock is changed.
    """
    spec = CronSim(cron, _midnight(_SURVEY_FROM, zone))
    known: dict[timedelta, _Openings | None] = {}
    day, begin = _SURVEY_FROM, _midnight(_SURVEY_FROM, zone).astimezone(UTC)
    while day < _SURVEY_TO:
        next_day = day + _DAY
        end = _midnight(next_day, zone).astimezone(UTC)
        if day.month in spec.months and spec.match_day(day):
            length = end - begin
            if length not in known:
                known[length] = _openings(cron, spec.seconds, begin, end, zone)
            if (openings := known[length]) is not None:
                yield begin, openings
        day, begin = next_day, end


def _openings(
    cron: str, seconds: set[int], begin: datetime, end: datetime, zone: ZoneInfo
) -> _Openings | None:
    """Return when a window opens on a day; None if its hours are those that the change to summer time skips."""
    first, spread = min(seconds), timedelta(seconds=max(seconds) - min(seconds))
    if len(seconds) > 1:  # of each minute only its first second is looked at
        cron = f"{first} {cron.split(maxsplit=1)[1]}"
    found = (local.astimezone(UTC) for local in CronSim(cron, (begin - _SECOND).astimezone(zone)))
    openings = [at - begin for at in takewhile(lambda at: at < end, found)]
    if not openings:
        return None
    within = max((later - earlier for earlier, later in pairwise(sorted(seconds))), default=0)
    between = max((later - earlier for earlier, later in pairwise(openings)), default=spread)
    return _Openings(openings[0], openings[-1] + spread, max(timedelta(seconds=within), between - spread))


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone)
