"""A setting that is well-formed and still can't work."""

from __future__ import annotations

from dataclasses import dataclass

from rotator.config.problems import Loc


@dataclass(frozen=True, slots=True)
class Flaw:
    """Settings of one credential that do not fit together.

    Attributes:
        keys: key paths within the credential that take part, the likeliest to be changed first.
    """

    keys: tuple[Loc, ...]
    message: str
    mend: str
