"""Draws plots: all that goes wrong follows from the number of the story."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from rotator.core.model import Phase
from tests.simulate.aims import Aim, aims
from tests.simulate.drama import CALM, Mishap, Moment, Plot
from tests.simulate.fleet import DEPLOYER
from tests.simulate.loop import DAY, HOUR
from tests.simulate.mishaps import FIRST_KEY, KINDS, MISHAPS

STORIES = 1_000_000
"""Stories of one SEED have the numbers from SEED times this on."""


@dataclass(frozen=True)
class Sort:
    """What stories of one sort have in common.

    Attributes:
        share: how many stories of a cycle are of it.
        names: how many credentials it has beside the one that deploys; who is in dense stories see CASTS.
        mishaps: how many are drawn; the dense ones aim at so many.
        rotations: how often a credential rotates, about, in all its days.
    """

    style: str
    daemons: int
    share: int
    days: float
    names: int
    mishaps: int
    rotations: int


SORTS = (
    Sort("dense", 1, 152, 5.0, 1, 44, 44),
    Sort("dense", 2, 92, 5.0, 1, 50, 50),
    Sort("patient", 1, 20, 420.0, 20, 20, 1),
    Sort("yearly", 1, 1, 420.0, 2, 10, 1),
    Sort("yearly", 2, 1, 210.0, 1, 10, 1),
    Sort("quarterly", 1, 1, 200.0, 1, 10, 3),
    Sort("quarterly", 2, 1, 100.0, 1, 10, 1),
    Sort("jwt", 1, 1, 60.0, 3, 10, 3),
    Sort("jwt", 2, 1, 60.0, 3, 10, 3),
    Sort("defaults", 1, 1, 6.0, 3, 10, 2),
    Sort("defaults", 2, 1, 6.0, 1, 10, 2),
    Sort("daily", 1, 1, 6.0, 3, 30, 16),
    Sort("daily", 2, 1, 6.0, 3, 30, 16),
)
_SHARES = [sort for sort in SORTS for _ in range(sort.share)]
CYCLE = tuple(random.Random("cycle").sample(_SHARES, len(_SHARES)))  # noqa: S311 - repeatable
"""The sorts of stories, as they follow each other."""


def plot(number: int) -> Plot:
    """Return the plot of a story."""
    turn, place = divmod(number % STORIES, len(CYCLE))
    sort = CYCLE[place]
    if sort.style == "dense":
        return _dense(number, sort, turn * sort.share + CYCLE[:place].count(sort))
    rng = _rng(number)
    names = tuple(f"cred{one}" for one in range(1, sort.names + 1))
    empty = names[-1:] if sort.style == "daily" and rng.random() < 0.5 else ()
    made = _made(number, sort, names, empty, rng)
    return replace(made, mishaps=tuple(_drawn(made, sort, rng)))


def _rng(number: int) -> random.Random:
    return random.Random(f"{number}:plot")  # noqa: S311 - repeatable


def _made(
    number: int, sort: Sort, names: tuple[str, ...], empty: tuple[str, ...], rng: random.Random
) -> Plot:
    return Plot(
        number,
        sort.style,
        sort.days,
        sort.daemons,
        names,
        empty,
        deployer_rotates=rng.random() < 0.5 and sort.names <= 3,
        plain=rng.random() > 0.03,
    )


# -- dense stories: every rotation has its mishap -------------------------------------------------------------------

CASTS = (("cred1", "cred2"), ("cred1",), ("cred2",), ("cred1",))
"""Who is in dense stories, in turn: the second is empty at first, cred2 has two users."""

AT_ONE_LOCK_OUT = 3
"""So many mishaps share a lock-out: it takes the most time of all phases to come to."""

AS_WELL = 8
"""So many kinds of mishap hit all, among them one that has no key yet: too many would drown what is aimed at."""

SETTLED = (11 * 60.0, 40 * 60.0)
"""Seconds after a promotion: a refusal is no slow server any more, and the next rotation is far."""

BORDERS = {Phase.CREATING: 4, Phase.STAGED: 8, Phase.DEPLOYING: 8, Phase.LOCKED_OUT: 6}
"""How many borders of calls a phase has, about."""


def _dense(number: int, sort: Sort, nth: int) -> Plot:
    """Return the nth story in which each rotation of the first credential has its mishap."""
    rng, names = _rng(number), CASTS[nth % len(CASTS)]
    made = _made(number, sort, names, names[1:], rng)
    aimed = _aimed(names[0], aims(sort.mishaps, nth), made, rng)
    return replace(made, mishaps=(*_before_the_first_key(made, rng), *aimed))


def _before_the_first_key(made: Plot, rng: random.Random) -> Iterator[Mishap]:
    """Let everything that hits a credential hit those that have no key yet, and some of the rest, until they get one."""
    for name in made.empty:
        init = made.days * DAY * rng.uniform(0.3, 0.6)
        alone = [kind for kind in MISHAPS if KINDS[kind].on == "credential"]
        for kind in (*alone, *rng.sample(sorted({*MISHAPS} - {*alone}), AS_WELL)):
            yield _mishap(kind, Moment(rng.uniform(0, init)), made, rng, name)
        yield Mishap(FIRST_KEY, Moment(init), name)


def _aimed(name: str, chosen: tuple[Aim, ...], made: Plot, rng: random.Random) -> Iterator[Mishap]:
    """Let each rotation of a credential have its mishap; before a lock-out somebody brings an old certificate in."""
    rotation, locked = 0, 0
    for aim in chosen:
        if aim.phase is Phase.LOCKED_OUT:
            if locked % AT_ONE_LOCK_OUT == 0:
                rotation += 1
                settled = Moment(rng.uniform(*SETTLED), name, Phase.STEADY, rotation)
                yield Mishap("reverted", settled, name)
            when = Moment(0.0, name, aim.phase, locked // AT_ONE_LOCK_OUT + 1)
            locked += 1
        else:
            rotation += 1
            when = Moment(_within(aim.phase, rng), name, aim.phase, rotation)
        yield _mishap(aim.kind, when, made, rng, name)


def _within(phase: Phase, rng: random.Random) -> float:
    """Return how long after the beginning of a phase a mishap begins: half of them at once."""
    if phase is Phase.CREATING:
        return 0.0
    return rng.choice((0.0, rng.uniform(0, LENGTH_OF[phase])))


# -- the others: whatever comes -------------------------------------------------------------------------------------


def _drawn(made: Plot, sort: Sort, rng: random.Random) -> Iterator[Mishap]:
    """Draw what goes wrong: mishaps at any time, and those that hit a credential in a phase that is short or rare."""
    until = (made.days - CALM[made.style]) * DAY
    for name in made.empty:
        begins = rng.uniform(0.2, 0.8) * until
        for _ in range(8):
            yield _mishap(_kind(rng), Moment(rng.uniform(0, begins)), made, rng, name)
        yield Mishap(FIRST_KEY, Moment(begins), name)
    names = (*made.names, DEPLOYER)
    for _ in range(sort.mishaps // 10):
        name = rng.choice(names)
        yield Mishap("reverted", Moment(rng.uniform(0, until)), name)
        for _ in range(AT_ONE_LOCK_OUT):
            when = Moment(rng.choice((0.0, rng.uniform(0, 300))), name, Phase.LOCKED_OUT)
            yield _mishap(_kind(rng), when, made, rng, name)
    for _ in range(sort.mishaps):
        anywhere = rng.random() > 0.8
        name = rng.choice(names if anywhere else made.names)
        phase = rng.choice((Phase.CREATING, Phase.STAGED, Phase.DEPLOYING, Phase.PROVING))
        in_a_change = Moment(_within(phase, rng), name, phase, rng.randint(1, sort.rotations))
        when = Moment(rng.uniform(0, until)) if anywhere else in_a_change
        yield _mishap(_kind(rng), when, made, rng, name)


def _kind(rng: random.Random) -> str:
    """Draw a kind of mishap; what is over at once, and so meets one phase only, twice as often as what lasts."""
    weights = [1 if KINDS[kind].lasts[1] and not KINDS[kind].at_border else 2 for kind in MISHAPS]
    return rng.choices(MISHAPS, weights)[0]


LENGTH_OF = {
    Phase.STAGED: 20.0,
    Phase.DEPLOYING: 20.0,
    Phase.PROVING: 180.0,
    Phase.STEADY: HOUR,
}
"""How long a phase lasts, about, in seconds."""


def _mishap(kind: str, when: Moment, made: Plot, rng: random.Random, name: str) -> Mishap:
    chosen = KINDS[kind]
    machine = "" if when.phase is not None and not when.after else str(rng.randrange(made.daemons))
    whom = {"credential": name, "machine": machine}.get(chosen.on, "")
    shortest, longest = chosen.lasts
    seconds = shortest * (longest / shortest) ** rng.random() if shortest else 0.0
    borders = 40 if when.phase is None else BORDERS.get(when.phase, 40)
    return Mishap(kind, when, whom, seconds, int(borders ** rng.random()) - 1)
