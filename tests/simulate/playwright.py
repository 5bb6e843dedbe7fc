"""Draws plots: all that goes wrong follows from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from rotator.core.model import Phase
from tests.simulate.drama import CALM, Mishap, Moment, Plot
from tests.simulate.fleet import DEPLOYER
from tests.simulate.loop import DAY
from tests.simulate.mishaps import FIRST_KEY, KINDS

STYLES = {"daily": 65, "defaults": 3, "jwt": 4, "quarterly": 4, "yearly": 16}
"""How many of a hundred or so stories have which style."""

LENGTHS = {"daily": 6.0, "defaults": 6.0, "jwt": 60.0, "quarterly": 200.0, "yearly": 420.0}


def plot(seed: int) -> Plot:
    """Return the plot that follows from a seed."""
    rng = random.Random(f"{seed}:plot")  # noqa: S311 - repeatable
    style = rng.choices(list(STYLES), list(STYLES.values()))[0]
    many = style in ("yearly", "quarterly")
    names = tuple(f"cred{number}" for number in range(1, 9 if many else 4))
    empty = names[-1:] if style == "daily" and rng.random() < 0.5 else ()
    daemons = rng.choice((1, 2)) if not many else 1 + (rng.random() < 0.1)
    made = Plot(
        seed,
        style,
        LENGTHS[style],
        daemons,
        names,
        empty,
        rng.random() < 0.5 and not many,
        rng.random() > 0.03,
    )
    return replace(made, mishaps=tuple(_mishaps(made, rng)))


def _mishaps(made: Plot, rng: random.Random) -> Iterator[Mishap]:
    """Draw what goes wrong: mishaps at any time, and those that hit a credential in a phase that is short or rare."""
    until = (made.days - CALM[made.style]) * DAY
    daily = made.style == "daily"
    for name in made.empty:
        begins = rng.uniform(0.2, 0.8) * until
        for _ in range(8):
            yield _mishap(_kind(rng), Moment(rng.uniform(0, begins)), made, rng, name)
        yield Mishap(FIRST_KEY, Moment(begins), name)
    names = (*made.names, DEPLOYER)
    for _ in range(3 if daily else 1):
        name = rng.choice(names)
        yield Mishap("reverted", Moment(rng.uniform(0, until)), name)
        for _ in range(3):
            when = Moment(rng.choice((0.0, rng.uniform(0, 300))), name, Phase.LOCKED_OUT)
            yield _mishap(_kind(rng), when, made, rng, name)
    for _ in range(30 if daily else 10):
        anywhere = rng.random() > 0.8
        name = rng.choice(names if anywhere else made.names)
        when = Moment(rng.uniform(0, until)) if anywhere else _in_a_change(name, made, rng)
        yield _mishap(_kind(rng), when, made, rng, name)


def _kind(rng: random.Random) -> str:
    """Draw a kind of mishap; what is over at once, and so meets one phase only, twice as often as what lasts."""
    kinds = [kind for kind in KINDS if kind != FIRST_KEY]
    weights = [1 if KINDS[kind].lasts[1] and not KINDS[kind].at_border else 2 for kind in kinds]
    return rng.choices(kinds, weights)[0]


LENGTH_OF = {Phase.CREATING: 1.0, Phase.STAGED: 20.0, Phase.DEPLOYING: 20.0, Phase.PROVING: 600.0}
"""How long a phase lasts, about, in seconds."""


def _in_a_change(name: str, made: Plot, rng: random.Random) -> Moment:
    """Return a moment within a phase of one of the rotations."""
    phase = rng.choice(list(LENGTH_OF))
    rotations = {"daily": 16, "defaults": 2, "jwt": 3, "quarterly": 3, "yearly": 1}[made.style]
    after = rng.choice((0.0, rng.uniform(0, LENGTH_OF[phase])))
    return Moment(after, name, phase, rng.randint(1, rotations))


def _mishap(kind: str, when: Moment, made: Plot, rng: random.Random, name: str) -> Mishap:
    chosen = KINDS[kind]
    whom = {"credential": name, "machine": str(rng.randrange(made.daemons))}.get(chosen.on, "")
    shortest, longest = chosen.lasts
    seconds = shortest * (longest / shortest) ** rng.random() if shortest else 0.0
    return Mishap(kind, when, whom, seconds, int(40 ** rng.random()) - 1)
