"""What holds in every record that rotator writes. A record in which it does not was damaged, or changed by hand.

Nothing is decided from such a record: it would lead to steps that nobody has thought through.
"""

from __future__ import annotations

from collections.abc import Iterator

from rotator.core.model import Phase, Record, Serial

WITHOUT_CHANGE = frozenset({Phase.EMPTY, Phase.STEADY})
MOST_SERIALS = 10**9
MOST_COUNTED = 10_000
"""Far above where any counter of a record saturates, and low enough to reckon with."""

Flaw = tuple[str, str]
"""A key of the document, and what is wrong with it."""


def flaw_of(record: Record) -> Flaw | None:
    """Return the first thing that cannot be in a record; None if all is well."""
    return next(_flaws(record), None)


def _flaws(record: Record) -> Iterator[Flaw]:
    yield from _wrong_numbers(record)
    yield from _wrong_serials(record)
    yield from _wrong_phase(record)


def _wrong_numbers(record: Record) -> Iterator[Flaw]:
    counters = {"newest": (record.newest, MOST_SERIALS)}
    counters |= {name: (getattr(record, name), MOST_COUNTED) for name in ("doubts", "failures")}
    if record.change is not None:
        counters |= {
            f"change.{name}": (getattr(record.change, name), MOST_COUNTED) for name in ("asked", "proofs")
        }
    for key, (number, most) in counters.items():
        if not 0 <= number <= most:
            yield key, f"should be a number from 0 to {most}"


def _wrong_serials(record: Record) -> Iterator[Flaw]:
    """Look whether all key pairs that are spoken of can be there."""
    known = [facts.serial for facts in record.keys]
    if len(set(known)) < len(known):
        yield "keys", "holds a serial twice"
    named: list[tuple[str, Serial | None]] = [
        ("current", record.current), ("previous", record.previous), ("shredding", record.shredding),
        *(("keys", serial) for serial in known),
        *(("retired", retired.serial) for retired in record.retired),
        *(("history", entry.target) for entry in record.history),
    ]  # fmt: skip
    must_be_known = [("current", record.current), ("previous", record.previous)]
    if record.change is not None:
        target = ("change.target", record.change.target)
        named += [target, ("change.rival", record.change.rival)]
        must_be_known += [target] if record.phase is not Phase.CREATING else []
    for key, serial in named:
        if serial is not None and not 1 <= serial <= record.newest:
            yield key, "names a key pair that was never made (newest is the highest serial)"
    for key, serial in must_be_known:
        if serial is not None and serial not in known:
            yield key, "names a key pair that is not among keys"


def _wrong_phase(record: Record) -> Iterator[Flaw]:
    if (record.change is None) is not (record.phase in WITHOUT_CHANGE):
        what = "is missing" if record.change is None else "is there"
        yield "change", f"{what}, which cannot be in phase {record.phase}"
    if record.phase is Phase.EMPTY and record.current is not None:
        yield "current", "is there, which cannot be in phase empty"
    if record.phase is Phase.STEADY and record.current is None:
        yield "current", "is missing, which cannot be in phase steady"
