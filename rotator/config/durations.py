"""Durations as people write them: ``30d``, ``12h``, ``1h30m``, ``15s``, ``250ms``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from rotator.config.shape import mistake, shown

PATTERN = r"^(?=\d)(\d{1,9}d)?(\d{1,9}h)?(\d{1,9}m(?!s))?(\d{1,9}s)?(\d{1,9}ms)?$"
LONGEST = timedelta(days=36500)  # a certificate has to end before the year 9999

_UNITS = ("days", "hours", "minutes", "seconds", "milliseconds")


def parse_duration(text: str) -> timedelta:
    """Return the duration that a text such as ``1h30m`` means. Raises ValueError."""
    match = re.fullmatch(PATTERN, text, re.ASCII)
    if match is None:
        raise ValueError("is no duration")
    amounts = {
        unit: int(part.rstrip("dhms")) for unit, part in zip(_UNITS, match.groups(), strict=True) if part
    }
    try:
        duration = timedelta(**amounts)
    except OverflowError:  # of what a timedelta can hold
        duration = timedelta.max
    if duration > LONGEST:
        raise ValueError(f"is longer than {LONGEST.days}d")
    return duration


def format_duration(duration: timedelta) -> str:
    """Return the shortest text that :func:`parse_duration` reads as this duration, in whole milliseconds."""
    rest, parts = duration // timedelta(milliseconds=1), []
    for letters, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        amount, rest = divmod(rest, size)
        if amount:
            parts.append(f"{amount}{letters}")
    return "".join(parts) or "0s"


def _validate(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        size = abs(value)
        raise mistake(f"{value} has no unit", f"Write {size}s, {size}m, {size}h or {size}d.")
    if not isinstance(value, str):
        raise mistake(f"{shown(value)} is no duration", "Write it as 30d, 12h, 10m, 15s or 1h30m.")
    try:
        return parse_duration(value)
    except ValueError as error:
        raise mistake(f"{shown(value)} {error}", "Write it as 30d, 12h, 10m, 15s or 1h30m.") from None


def _positive(value: object) -> timedelta:
    duration = _validate(value)
    if not duration:
        raise mistake("must be longer than nothing", "Write it as 30d, 12h, 10m, 15s or 1h30m.")
    return duration


_written = PlainSerializer(format_duration, return_type=str)
_schema = WithJsonSchema({"type": "string", "pattern": PATTERN})

Duration = Annotated[timedelta, PlainValidator(_positive), _written, _schema]
DurationOrZero = Annotated[timedelta, PlainValidator(_validate), _written, _schema]
