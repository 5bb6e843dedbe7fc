"""Maintenance windows follow a cron expression by the clock of their time zone, also when that clock is changed."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rotator.config import MaintenanceWindow, next_window
from rotator.config.windows import longest_closed


def window(cron: str, duration: str = "4h", time_zone: str = "Europe/Berlin") -> MaintenanceWindow:
    return MaintenanceWindow.model_validate({"cron": cron, "duration": duration, "time_zone": time_zone})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2027-01-15T12:00", "2027-01-16T01:00"),  # a Friday: Saturday at 2 by the winter clock
        ("2027-01-16T01:00", "2027-01-16T01:00"),  # it opens now
        ("2027-01-16T04:59:59", "2027-01-16T01:00"),  # the last second of it
        ("2027-01-16T05:00", "2027-01-23T01:00"),  # over
        ("2027-07-15T12:00", "2027-07-17T00:00"),  # by the summer clock
    ],
)
def test_the_open_window_or_else_the_next_is_found(now: str, opens: str):
    found = next_window(window("0 2 * * 6"), at(now))
    assert (found.opens, found.closes) == (at(opens), at(opens) + timedelta(hours=4))
    assert found.opens.tzinfo is UTC


def test_a_time_that_summer_time_skips_opens_the_window_when_the_clock_has_jumped():
    found = next_window(window("30 2 * * *"), at("2027-03-27T12:00"))
    assert found.opens == at("2027-03-28T01:00")  # 2:30 does not exist; it is 3:00 then


def test_a_time_that_comes_twice_opens_the_window_once():
    spec = window("30 2 * * *", "15m")
    first = next_window(spec, at("2027-10-30T12:00"))
    assert first.opens == at("2027-10-31T00:30")  # 2:30 of summer time
    assert next_window(spec, first.closes).opens == at("2027-11-01T01:30")
    assert next_window(spec, at("2027-10-31T01:20")).opens == at("2027-11-01T01:30")  # between the two


def test_a_window_over_the_change_of_the_clock_is_as_long_as_others():
    found = next_window(window("0 1 * * 0"), at("2027-03-28T00:30"))
    assert found.closes - found.opens == timedelta(hours=4)
    assert found.closes == at("2027-03-28T04:00")  # 6 by the clock


def test_overlapping_windows_leave_no_gap():
    spec = window("0 * * * *", "90m", "UTC")
    now = at("2027-01-01T00:00")
    for minute in range(0, 24 * 60, 7):
        found = next_window(spec, now + timedelta(minutes=minute))
        assert found.opens <= now + timedelta(minutes=minute) < found.closes


def test_seconds_may_lead_the_expression():
    assert next_window(window("*/10 * * * * *", "3s", "UTC"), at("2027-01-01T00:00:04")).opens == at(
        "2027-01-01T00:00:10"
    )


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2029, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - given below
    st.sampled_from(["30 2 * * *", "0 2 * * 6", "*/20 1-3 * * *", "15 3 1 * *"]),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
)
def test_the_window_found_is_not_over_and_none_is_missed(now: datetime, cron: str, time_zone: str):
    spec = window(cron, "10m", time_zone)
    found = next_window(spec, now)
    assert found.closes > now
    if found.opens > now:
        assert next_window(spec, now + (found.opens - now) / 2) == found
    assert next_window(spec, found.opens) == found


@given(st.text(alphabet="0123456789*/,-#LWJANMON? ", max_size=30))
def test_any_text_is_a_window_that_opens_or_is_refused(cron: str):
    with contextlib.suppress(ValidationError):
        next_window(window(cron), at("2027-01-01T00:00"))


@pytest.mark.parametrize("zone", ["", "/etc/passwd", "../UTC", "America", "Europe/Berlin\0", "Europe/Bonn"])
def test_a_time_zone_that_is_none_is_refused(zone: str):
    with pytest.raises(ValidationError, match="is not known here"):
        window("0 2 * * 6", "4h", zone)


@pytest.mark.parametrize(
    ("cron", "longest"),
    [
        ("0 2 * * *", timedelta(hours=21)),
        ("0 2 * * 6", timedelta(days=6, hours=21)),
        ("* * * * *", timedelta()),
        ("*/5 * * * *", timedelta()),
        ("0 */6 * * *", timedelta(hours=3)),
        ("30 2 * * 0", timedelta(days=6, hours=21)),
        (
            "*/20 2 * * *",
            timedelta(days=1, hours=18, minutes=20),
        ),  # there is no such hour when summer time begins
    ],
)
def test_the_longest_time_without_a_window_counts_the_change_of_the_clock(cron: str, longest: timedelta):
    assert longest_closed(cron, timedelta(hours=4), "Europe/Berlin") == longest


@pytest.mark.parametrize(
    ("cron", "longest"),
    [
        ("*/5 * * 1 *", timedelta(days=335, minutes=5)),  # every five minutes, but in January alone
        ("* * 1 1 *", timedelta(days=365, minutes=1)),
        ("* * 29 2 *", timedelta(days=4 * 365, minutes=1)),
        ("0 0 * * 6#5", timedelta(days=119)),
        ("*/10 * * * * *", timedelta(seconds=10)),
        ("0,50 * * * * *", timedelta(seconds=50)),
        ("0,50 30 * * * *", timedelta(minutes=59, seconds=10)),
    ],
)
def test_the_longest_time_without_a_window_is_found_however_often_it_opens_at_other_times(
    cron: str, longest: timedelta
):
    assert longest_closed(cron, timedelta(minutes=1), "UTC") == max(
        longest - timedelta(minutes=1), timedelta()
    )


@given(
    st.sampled_from(["* * * * *", "*/7 3-5 * * 1,4", "0 2 L * *", "15,45 1,2 * 3,10 *", "0 0,12 */9 * *"]),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC"]),
    st.dates(date(2027, 1, 1), date(2036, 12, 1)),
)
def test_no_time_without_a_window_is_longer_than_the_longest(cron: str, time_zone: str, since: date):
    opens = CronSim(cron, datetime.combine(since, time(), ZoneInfo(time_zone)))
    seen = [local.astimezone(UTC) for local in islice(opens, 50)]
    gaps = [later - earlier for earlier, later in pairwise(seen) if later.year < 2037]
    assert max(gaps, default=timedelta()) <= longest_closed(cron, timedelta(), time_zone)
