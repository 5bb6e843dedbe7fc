"""Mutants of the transition table: every row left out, always or never applying, without intent or without a move.

A mutant is caught when the explorer finds a promise broken, when the machine breaks down on it, or when a test of the
core fails. ``python -m tests.explore.mutants NAME`` runs the tests of the core on one, and ends as they end.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from rotator.core.effects import Destroy
from rotator.core.machine import ROWS, Guard, Row
from rotator.core.model import Snapshot
from rotator.core.verdicts import Go, Verdict
from tests.explore.explorer import Explorer
from tests.explore.rows import name, planted
from tests.explore.world import World
from tests.explore.worlds import worlds

CORE = Path(__file__).parents[1] / "core"
AS_IT_IS = "as it is"
LIMIT = 60_000  # states of a world in which a mutant runs wild
BREAKDOWNS = (ValueError, AssertionError, AttributeError, TypeError, KeyError)


@dataclass(frozen=True)
class Mutant:
    """A table in which one row is another."""

    name: str
    place: int
    row: Row | None

    @property
    def rows(self) -> tuple[Row | None, ...]:
        return (*ROWS[: self.place], self.row, *ROWS[self.place + 1 :])


def mutants() -> dict[str, Mutant]:
    """Return every mutant of every row, by name."""
    made = (mutant for place, row in enumerate(ROWS) for mutant in _of(place, row))
    return {mutant.name: mutant for mutant in made}


def _of(place: int, row: Row) -> Iterator[Mutant]:
    def mutant(what: str, changed: Row | None) -> Mutant:
        return Mutant(f"{name(row)}: {what}", place, changed)

    yield mutant("left out", None)
    yield mutant("never", replace(row, guard=lambda _snapshot, _now: None))
    yield mutant("always", replace(row, guard=_always(row)))
    if row.intent is not None:
        yield mutant("no intent", replace(row, intent=None))
    for kind, move in row.moves.items():
        others = {k: m for k, m in row.moves.items() if k is not kind}
        yield mutant(f"{kind} ignored", replace(row, moves=others))
        other = next((k for k, m in others.items() if m is not move), None)
        if other is not None:
            yield mutant(f"{kind} taken for {other}", replace(row, moves={**row.moves, kind: others[other]}))


def _always(row: Row) -> Guard:
    """Return a guard that lets a row apply wherever it finds somebody or something to apply to."""

    def always(snapshot: Snapshot, now: datetime) -> Verdict:
        verdict = row.guard(snapshot, now)
        if isinstance(verdict, Go):
            return verdict
        subject = _subject(row, snapshot)
        return None if subject is None else Go("always", subject)

    return always


def _subject(row: Row, snapshot: Snapshot) -> str | int | None:
    if row.action is Destroy or name(row) == "clearance_due":
        return next((retired.serial for retired in snapshot.record.retired), None)
    return snapshot.terms.users[0]


FIRST = ("called", "gone", "adopt", "adopt_abort", "init", "faults")
"""Small worlds, the smallest first. What is not caught there is left to the tests of the core, then to all worlds."""


def catch(name: str) -> str:
    """Return how a mutant is caught: the world and its promise, or ``core``; empty: it is not."""
    mutant, known = mutants()[name], worlds()
    first = {world: known.pop(world) for world in FIRST}
    if caught := broken_by(mutant, first):
        return caught
    return "core" if fails_core_tests(name) else broken_by(mutant, known)


def broken_by(mutant: Mutant, known: dict[str, World]) -> str:
    """Return which promise of which world a mutant breaks; empty: none."""
    for world_name, world in known.items():
        with planted(mutant.rows):
            try:
                violation = Explorer(world).run(LIMIT).violation
            except BREAKDOWNS as error:
                violation = f"breaks down: {error!r}"
        if violation:
            return f"{world_name}: {violation}"
    return ""


def fails_core_tests(name: str) -> bool:
    """Tell whether a test of the core fails on a mutant, or on the table as it is."""
    command = [sys.executable, "-m", "tests.explore.mutants", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=CORE.parents[1])
    if done.returncode == 0 or (done.returncode == 1 and " failed" in done.stdout):
        return bool(done.returncode)
    raise RuntimeError(f"the tests of the core did not run: {done.stdout}{done.stderr}")


def main() -> int:
    """Run the tests of the core on a mutant."""
    import pytest

    rows = ROWS if sys.argv[1] == AS_IT_IS else mutants()[sys.argv[1]].rows
    with planted(rows):
        quiet = ("-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly")
        return int(pytest.main([*quiet, str(CORE)]))


if __name__ == "__main__":
    sys.exit(main())
