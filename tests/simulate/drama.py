"""What a story is made of."""

from __future__ import annotations

from dataclasses import dataclass

from rotator.core.model import Phase

CALM = {
    "dense": 0.5,
    "daily": 1.0,
    "defaults": 2.0,
    "quarterly": 3.0,
    "yearly": 3.0,
    "patient": 5.0,
    "jwt": 3.0,
}
"""Days at the end of a story in which nothing goes wrong any more, by style."""


@dataclass(frozen=True)
class Moment:
    """When a mishap begins: ``after`` seconds from the beginning, or from when a credential enters a phase.

    ``nth``: not before it has entered it so many times.
    """

    after: float
    name: str = ""
    phase: Phase | None = None
    nth: int = 1


@dataclass(frozen=True)
class Mishap:
    """Something that goes wrong, or that a person does.

    Attributes:
        whom: a credential, or the number of a machine; empty: the org or Vault, or the machine that is at work then.
        seconds: how long it lasts, or how far it goes.
        border: machines are hit at the so-many-th border of a call from then.
    """

    kind: str
    when: Moment
    whom: str = ""
    seconds: float = 0.0
    border: int = 0


@dataclass(frozen=True)
class Plot:
    """All that a story follows from."""

    seed: int
    style: str
    days: float
    daemons: int = 1
    names: tuple[str, ...] = ("cred1", "cred2", "cred3")
    empty: tuple[str, ...] = ()
    deployer_rotates: bool = False
    plain: bool = True
    mishaps: tuple[Mishap, ...] = ()
    telling: bool = False
