"""What the dense stories aim at: every mishap in every phase, in turn, so that none is left to chance."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache

from rotator.core.model import Phase
from tests.simulate.mishaps import KINDS, MISHAPS

PASSING = (Phase.CREATING, Phase.STAGED, Phase.DEPLOYING, Phase.PROVING, Phase.LOCKED_OUT)
"""Phases that no mishap meets unless it is aimed. A credential is steady, or has no key yet, at any other time."""


@dataclass(frozen=True)
class Aim:
    """A mishap that is to meet a credential in a phase."""

    phase: Phase
    kind: str


def aims(count: int, nth: int) -> tuple[Aim, ...]:
    """Return what the nth story aims at, if each aims so many times: together they aim at everything equally often."""
    every = len(_round(0))
    return tuple(_round(at // every)[at % every] for at in range(nth * count, (nth + 1) * count))


@lru_cache(4)
def _round(number: int) -> tuple[Aim, ...]:
    """Return all aims, in another order each time. What hits only one credential is aimed at it while it is steady."""
    found = [Aim(phase, kind) for phase in PASSING for kind in MISHAPS]
    found += [Aim(Phase.STEADY, kind) for kind in MISHAPS if KINDS[kind].on == "credential"]
    random.Random(f"round {number}").shuffle(found)  # noqa: S311 - repeatable
    return tuple(found)
