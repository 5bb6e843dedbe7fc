"""Which rows are shown, and in what order: read off the address, so that it works without a script and can be kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import ceil
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode

from rotator.web.rows import Row

ON_A_PAGE = 100
LONGEST = 200
"""Characters of what is looked for."""
LONGEST_QUERY = 2000

_NEVER = datetime.max.replace(tzinfo=UTC)
_ORDERS: dict[str, Callable[[Row], Any]] = {
    "state": lambda row: row.level,
    "name": lambda row: row.name,
    "phase": lambda row: row.phase,
    "key": lambda row: row.certificate.serial if row.certificate else 0,
    "certificate": lambda row: row.certificate.not_after if row.certificate else _NEVER,
    "token": lambda row: row.token_ends or _NEVER,
    "rotation": lambda row: row.rotates_at or _NEVER,
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody wants to see.

    Attributes:
        text: stands in the name, a user, the fingerprint or the sentence.
        phase: in words; empty: any.
        order: by what the rows are sorted; ``state``: what is wrong first.
    """

    text: str = ""
    problems: bool = False
    phase: str = ""
    order: str = "state"
    reverse: bool = False
    page: int = 1

    @classmethod
    def read(cls, query: str) -> Self:
        """Return what the part of an address after ``?`` says. What means nothing is passed over."""
        said = dict(parse_qsl(query[:LONGEST_QUERY], encoding="utf-8", errors="replace"))
        order = said.get("sort", "").removeprefix("-")
        number = said.get("page", "")
        return cls(
            text=said.get("q", "")[:LONGEST].strip(),
            problems=said.get("show") == "problems",
            phase=said.get("phase", "")[:LONGEST],
            order=order if order in _ORDERS else "state",
            reverse=order in _ORDERS and said.get("sort", "").startswith("-"),
            page=int(number) if number.isascii() and number.isdigit() and len(number) < 7 else 1,  # noqa: PLR2004 - far enough
        )

    def rows(self, every: Sequence[Row]) -> list[Row]:
        """Return the rows that are wanted, in the order that is wanted."""
        text = self.text.casefold()
        wanted = [
            row
            for row in every
            if (not self.problems or row.level.is_problem)
            and (not self.phase or row.phase.partition(",")[0] == self.phase)
            and (not text or text in _searched(row))
        ]
        return sorted(sorted(wanted, key=lambda row: row.name), key=_ORDERS[self.order], reverse=self.reverse)

    def part(self, wanted: Sequence[Row]) -> tuple[Sequence[Row], int, int]:
        """Return the rows of the page that is wanted, its number, and how many pages there are."""
        pages = max(1, ceil(len(wanted) / ON_A_PAGE))
        page = min(max(self.page, 1), pages)
        return wanted[(page - 1) * ON_A_PAGE : page * ON_A_PAGE], page, pages

    def link(self, **changes: Any) -> str:
        """Return the address of this choice with changes; of another choice the first page."""
        other = replace(self, **{"page": 1, **changes})
        said = {
            "q": other.text,
            "show": "problems" if other.problems else "",
            "phase": other.phase,
            "sort": ("-" if other.reverse else "") + other.order
            if (other.order, other.reverse) != ("state", False)
            else "",
            "page": str(other.page) if other.page > 1 else "",
        }
        query = urlencode({name: value for name, value in said.items() if value})
        return f"/?{query}" if query else "/"

    def sorted_by(self, order: str) -> str:
        """Return the address that sorts by something, or the other way round if this does already."""
        return self.link(order=order, reverse=order == self.order and not self.reverse)

    def aria_sort(self, order: str) -> str:
        """Return how a column is sorted, as ``aria-sort`` names it."""
        if order != self.order:
            return "none"
        return "descending" if self.reverse else "ascending"


def _searched(row: Row) -> str:
    users = " ".join(token.user for token in row.standing.tokens or ()) if row.standing else ""
    fingerprint = row.certificate.fingerprint if row.certificate else ""
    return f"{row.name} {users} {fingerprint} {row.sentence}".casefold()
