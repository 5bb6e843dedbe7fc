"""Durations are written as people write them."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.config.durations import LONGEST, PATTERN, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("30d", timedelta(days=30)),
        ("12h", timedelta(hours=12)),
        ("10m", timedelta(minutes=10)),
        ("15s", timedelta(seconds=15)),
        ("250ms", timedelta(milliseconds=250)),
        ("1h30m", timedelta(minutes=90)),
        ("1d2h3m4s5ms", timedelta(days=1, hours=2, minutes=3, seconds=4, milliseconds=5)),
        ("0s", timedelta()),
        ("90m", timedelta(minutes=90)),
    ],
)
def test_a_duration_is_the_sum_of_its_parts(text: str, duration: timedelta):
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    "text",
    [
        "",
        "30",
        "d",
        "-1d",
        "1.5h",
        "30 d",
        "30m1h",
        "1h1h",
        "1w",
        "1H",
        "٣d",
        "1d\n",
        "99999999999d",
        "36501d",
        "999999999d",
        "999999999d999999999h",  # more than a timedelta can hold
    ],
)
def test_what_is_no_duration_is_refused(text: str):
    with pytest.raises(ValueError, match=r"is no duration|is longer than"):
        parse_duration(text)


@given(st.timedeltas(min_value=timedelta(), max_value=LONGEST))
def test_a_duration_that_is_written_is_read_again(duration: timedelta):
    whole = timedelta(milliseconds=duration // timedelta(milliseconds=1))
    assert parse_duration(format_duration(duration)) == whole


@given(st.text(alphabet="0123456789dhms -.", max_size=15) | st.from_regex(PATTERN, alphabet="0123456789dhms"))
def test_any_text_is_a_duration_that_can_be_written_or_is_refused(text: str):
    with contextlib.suppress(ValueError):
        assert parse_duration(format_duration(parse_duration(text))) == parse_duration(text)
