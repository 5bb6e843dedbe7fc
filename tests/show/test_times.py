"""How people are told times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rotator.show.times import briefly, relative, span, when

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("duration", "fine", "coarse"),
    [
        (timedelta(), "0.0 s", "0.0 s"),
        (timedelta(milliseconds=340), "0.3 s", "0.3 s"),
        (timedelta(seconds=59.9), "59 s", "59 s"),
        (timedelta(seconds=60), "1 m", "1 m"),
        (timedelta(minutes=4, seconds=34), "4 m 34 s", "4 m"),
        (timedelta(minutes=14, seconds=34), "14 m", "14 m"),
        (timedelta(hours=1, minutes=59), "1 h 59 m", "1 h"),
        (timedelta(days=2, hours=3, minutes=4), "2 d 3 h", "2 d"),
        (timedelta(days=23, hours=3), "23 d", "23 d"),
    ],
)
def test_a_length_of_time_has_two_units_at_most(duration, fine, coarse):
    assert (span(duration), span(duration, coarse=True)) == (fine, coarse)
    assert span(-duration) == fine


def test_a_time_is_utc_and_says_how_far_it_is_away():
    berlin = NOW.astimezone(tz=None) + timedelta(hours=4, minutes=12)
    assert when(berlin, NOW) == "2026-11-24 08:12:00Z (in 4 h 12 m)"
    assert briefly(berlin, NOW) == "2026-11-24 08:12Z (in 4 h)"
    assert relative(NOW - timedelta(minutes=5), NOW) == "5 m ago"
    assert relative(NOW + timedelta(milliseconds=5), NOW) == "now"
    assert (when(None, NOW), briefly(None, NOW)) == ("-", "-")
