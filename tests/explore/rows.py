"""The rows of the transition table as explorers see them: which are reached, and what others to put in their place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from rotator.core import machine
from rotator.core.effects import Kind
from rotator.core.machine import ROWS, TOKENS, Row

Way = tuple[str, Kind | None]
"""A row by the name of its guard; and the kind of answer whose move was followed, or None: the row was decided on."""


def name(row: Row) -> str:
    """Return what tells a row from the others."""
    return row.guard.__name__


WAYS: frozenset[Way] = frozenset((name(row), kind) for row in ROWS for kind in (None, *row.moves))
"""All ways that the table has."""


@contextmanager
def planted(rows: tuple[Row | None, ...]) -> Iterator[None]:
    """Let the machine run on other rows, each in the place of the real one; None: that one is left out."""
    before = machine.TOKENS, machine.ROWS
    machine.TOKENS = tuple(row for row in rows[: len(TOKENS)] if row)  # type: ignore[misc]
    machine.ROWS = tuple(row for row in rows if row)  # type: ignore[misc]
    try:
        yield
    finally:
        machine.TOKENS, machine.ROWS = before  # type: ignore[misc]


@contextmanager
def watched() -> Iterator[set[Way]]:
    """Note the ways that the machine goes."""
    seen: set[Way] = set()
    with planted(tuple(_noting(row, seen) for row in ROWS)):
        yield seen


def _noting(row: Row, seen: set[Way]) -> Row:
    def noting(kind: Kind | None, function: Any) -> Any:
        def noted(*given: Any) -> Any:
            seen.add((name(row), kind))
            return function(*given)

        return noted

    moves = {kind: noting(kind, move) for kind, move in row.moves.items()}
    return replace(row, build=noting(None, row.build), moves=moves)
