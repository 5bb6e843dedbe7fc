"""What JSON is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from rotator.core.model import Retired
from rotator.secret import Secret
from rotator.show.plain import plain

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)


class Colour(StrEnum):
    RED = "red"


def test_json_holds_what_values_hold_and_no_secret():
    value = {
        "at": NOW,
        "for": timedelta(seconds=90),
        "is": Colour.RED,
        "in": Path("/x"),
        "token": Secret("s3cret"),
    }
    assert plain([value, Retired(1, NOW, handed_out=True)]) == [
        {"at": "2026-11-24T04:00:00Z", "for": 90.0, "is": "red", "in": "/x", "token": "**********"},
        {"serial": 1, "since": "2026-11-24T04:00:00Z", "handed_out": True, "cleared_at": None},
    ]
    assert plain((1, None)) == [1, None]
