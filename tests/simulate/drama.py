"""What a story is made of."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from rotator.core.model import Phase
from tests.simulate.loop import DAY

CALM = {"daily": 1.0, "defaults": 2.0, "quarterly": 3.0, "yearly": 3.0, "jwt": 3.0}
"""Days at the end of a story in which nothing goes wrong any more, by style."""

STYLES = {"daily": 80, "defaults": 3, "jwt": 4, "quarterly": 4, "yearly": 16}
"""How many of a hundred or so stories have which style."""

LENGTHS = {"daily": 6.0, "defaults": 6.0, "jwt": 60.0, "quarterly": 200.0, "yearly": 420.0}


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
        whom: a credential, or the number of a machine; empty: the org or Vault.
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
    from tests.simulate.mishaps import KINDS

    kinds = [kind for kind in KINDS if kind != "init"]
    until = (made.days - CALM[made.style]) * DAY
    for name in made.empty:
        begins = rng.uniform(0.2, 0.8) * until
        for _ in range(4):
            yield _mishap(rng.choice(kinds), Moment(rng.uniform(0, begins)), made, rng, name)
        yield Mishap("init", Moment(begins), name)
    names = (*made.names, "deployer")
    for _ in range(2 if made.style != "yearly" else 1):
        name = rng.choice(names)
        yield Mishap("reverted", Moment(rng.uniform(0, until)), name)
        for _ in range(2):
            when = Moment(rng.choice((0.0, rng.uniform(0, 300))), name, Phase.LOCKED_OUT)
            yield _mishap(rng.choice(kinds), when, made, rng, name)
    for _ in range(16 if made.style == "daily" else 10):
        yield (
            _directed(rng.choice(kinds), made, rng)
            if rng.random() < 0.8
            else _mishap(rng.choice(kinds), Moment(rng.uniform(0, until)), made, rng, rng.choice(names))
        )


LENGTH_OF = {Phase.CREATING: 1.0, Phase.STAGED: 20.0, Phase.DEPLOYING: 20.0, Phase.PROVING: 600.0}
"""How long a phase lasts, about, in seconds."""


def _directed(kind: str, made: Plot, rng: random.Random) -> Mishap:
    """Return a mishap that hits a credential in a phase of a change."""
    name, phase = rng.choice(made.names), rng.choice(list(LENGTH_OF))
    after = rng.choice((0.0, rng.uniform(0, LENGTH_OF[phase])))
    rotations = {"daily": 16, "defaults": 4, "jwt": 3, "quarterly": 3, "yearly": 1}[made.style]
    return _mishap(kind, Moment(after, name, phase, rng.randint(1, rotations)), made, rng, name)


def _mishap(kind: str, when: Moment, made: Plot, rng: random.Random, name: str) -> Mishap:
    from tests.simulate.mishaps import KINDS

    chosen = KINDS[kind]
    whom = {"credential": name, "machine": str(rng.randrange(made.daemons))}.get(chosen.on, "")
    shortest, longest = chosen.lasts
    seconds = shortest * (longest / shortest) ** rng.random() if shortest else 0.0
    return Mishap(kind, when, whom, seconds, int(40 ** rng.random()) - 1)
