"""What the log tells of outages: each has a beginning, of one or more kinds, and an end."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.world.daemon import Journal

BEGINNINGS = frozenset({
    "vault.sealed", "vault.unavailable", "vault.login_failed", "vault.permission_denied", "vault.misconfigured",
})  # fmt: skip
END = "vault.recovered"


@dataclass
class Told:
    """One outage: the events that told of it, with their codes, and how long it was; None: it is not over."""

    began: list[tuple[str, str]] = field(default_factory=list)
    seconds: float | None = None

    @property
    def events(self) -> list[str]:
        return [event for event, _code in self.began]


def outages(journal: Journal, since: int = 0) -> list[Told]:
    """Return the outages that the log has told since a mark, in their order. An end without a beginning is one, too."""
    found: list[Told] = []
    for line in journal.lines[since:]:
        if line["event"] in BEGINNINGS:
            if not found or found[-1].seconds is not None:
                found.append(Told())
            found[-1].began.append((line["event"], line["code"]))
        elif line["event"] == END:
            if not found or found[-1].seconds is not None:
                found.append(Told())
            found[-1].seconds = line["seconds"]
    return found
