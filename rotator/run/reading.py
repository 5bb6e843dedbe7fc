"""What came of reading the file of the configuration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from rotator.config import Configuration, Problem, bad_files
from rotator.core.model import Trouble
from rotator.wording import some

NAMED = 3
"""Of the names of a kind, in the status line."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How the file was read last, and what is in force since.

    Attributes:
        at: when what is in force came into force.
        problems: what of it does not hold.
        refusal: why what the file says by now is not in force; None where it is.
    """

    at: datetime
    problems: tuple[Problem, ...] = ()
    refusal: Trouble | None = None

    def flaws(self, configuration: Configuration) -> str:
        """Return what is wrong, in a few words, of the configuration in force or of the file; empty if nothing is."""
        if self.refusal is not None:
            return f"the configuration was refused: {self.refusal.message}"
        names, served = by_credential(self.problems).keys(), configuration.credentials.keys()
        told = (
            (map(str, bad_files(self.problems)), "refused"),
            (names & served, "served with former settings"),
            (names - served, "set aside"),
        )
        found = ((sorted(names), what) for names, what in told)
        return "; ".join(f"{some(names, NAMED)} {what}" for names, what in found if names)


def by_credential(problems: Iterable[Problem]) -> dict[str, list[Problem]]:
    """Return the problems of single credentials."""
    found: dict[str, list[Problem]] = {}
    for problem in problems:
        if problem.credential is not None:
            found.setdefault(problem.credential, []).append(problem)
    return found
