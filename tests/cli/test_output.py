"""How times, secrets and strange texts are printed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

import pytest

from rotator.cli.output import briefly, facts, plain, print_json, relative, say, span, table, when
from rotator.core.model import Retired
from rotator.secret import Secret

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


class Colour(StrEnum):
    RED = "red"


def test_json_holds_what_values_hold_and_no_secret(capsys):
    value = {
        "at": NOW,
        "for": timedelta(seconds=90),
        "is": Colour.RED,
        "in": Path("/x"),
        "token": Secret("s3cret"),
    }
    print_json([value, Retired(1, NOW, handed_out=True)])
    shown = json.loads(capsys.readouterr().out)
    assert shown == [
        {"at": "2026-11-24T04:00:00Z", "for": 90.0, "is": "red", "in": "/x", "token": "**********"},
        {"serial": 1, "since": "2026-11-24T04:00:00Z", "handed_out": True, "cleared_at": None},
    ]
    assert plain((1, None)) == [1, None]


def test_no_text_moves_the_cursor_or_is_taken_for_markup(capsys):
    say("an org said \x1b[2J [bold]Hi[/bold]\x9b1A\r :smile:")
    assert capsys.readouterr().out == "an org said ?[2J [bold]Hi[/bold]?1A? :smile:\n"


def test_a_pipe_gets_every_letter_and_no_blanks_at_the_end(capsys):
    table(("NAME", "WHY"), [("acme", "x" * 500), ("b", "[/nothing]")])
    facts([("long", "y" * 500), ("s", "short")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "acme  " + "x" * 500
    assert lines[2] == "b     [/nothing]"
    assert lines[3] == "  long  " + "y" * 500
    assert all(line == line.rstrip() for line in lines)
