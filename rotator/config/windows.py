"""Maintenance windows: a cron expression says when one opens, a duration for how long, a time zone whose clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, pairwise, takewhile
from typing import Annotated
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field

from rotator.config.durations import Duration
from rotator.config.shape import Section, mistake
from rotator.core.model import Window

_LONGEST_CRON = 120
_CRON_MEND = "Write minute, hour, day of month, month, day of week, such as `0 2 * * 6` for Saturdays at 2."
_SURVEYED_OPENINGS = 400  # more than a year of daily windows
_SURVEY_FROM = datetime(
    2027, 1, 1, tzinfo=UTC
)  # any time serves; a fixed one gives the same answer every day
_SURVEY_TO = datetime(2037, 1, 1, tzinfo=UTC)


def _cron(text: str) -> str:
    if len(text) > _LONGEST_CRON:
        raise mistake(f"has more than {_LONGEST_CRON} characters", _CRON_MEND)
    try:
        opens = next(CronSim(text, _SURVEY_FROM), None)
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
    """Return the longest time for which a window stays closed, as far as the next years tell."""
    start = _SURVEY_FROM.astimezone(ZoneInfo(time_zone))
    surveyed = takewhile(lambda local: local < _SURVEY_TO, islice(CronSim(cron, start), _SURVEYED_OPENINGS))
    openings = [local.astimezone(UTC) for local in surveyed]
    gaps = (later - earlier for earlier, later in pairwise(openings))
    return max(max(gaps, default=_SURVEY_TO - _SURVEY_FROM) - duration, timedelta())
