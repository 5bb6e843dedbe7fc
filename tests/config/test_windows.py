"""Maintenance windows follow a cron expression by the clock of their time zone, also when that clock is changed."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
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
    ],
)
def test_the_longest_time_without_a_window_counts_the_change_of_the_clock(cron: str, longest: timedelta):
    assert longest_closed(cron, timedelta(hours=4), "Europe/Berlin") == longest
