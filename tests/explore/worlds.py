"""The worlds that are explored: what may happen in each, and how often."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rotator.core.model import Ask, Phase, Record
from tests.explore.around import backup_of
from tests.explore.canonical import kept
from tests.explore.world import FOREIGN, USERS, Left, Rules, Session, World, facts


def start(*, backed_up: bool = False, **more: Any) -> World:
    """Return a steady world with one key pair, of which there may be a snapshot.

    ``more``: fields of its rules, and of what is left to happen.
    """
    rules, left = _split(more)
    record = Record(phase=Phase.STEADY, newest=1, current=1, keys=(facts(1, rules.newest),))
    sessions = tuple(Session(user, "fresh", lives=True) for user in USERS[: rules.users])
    world = World(
        kept(record, rules.newest),
        (None,) * rules.daemons,
        rules,
        frozenset({1}),
        frozenset(),
        (1, 1),
        left,
        sessions,
    )
    return world._replace(backup=backup_of(world)) if backed_up else world


def empty(**more: Any) -> World:
    """Return a world before the first key pair."""
    rules, left = _split(more)
    nothing: frozenset[int] = frozenset()
    sessions = tuple(Session(user) for user in USERS[: rules.users])
    none = (None,) * rules.daemons
    return World(
        kept(Record(), rules.newest), none, rules, nothing, nothing, (FOREIGN, FOREIGN), left, sessions
    )


def _split(more: dict[str, Any]) -> tuple[Rules, Left]:
    left = {name: value for name, value in more.items() if name in Left._fields}
    return Rules(**{name: value for name, value in more.items() if name not in left}), Left(**left)


def _within(make: Callable[..., World], more: dict[str, Any]) -> Callable[..., World]:
    return lambda **own: make(**{**own, **more})


def worlds(**more: Any) -> dict[str, World]:
    """Return the worlds of every test run by name; ``more`` overrides bounds of all of them (``faults=2``)."""

    steady, before = _within(start, more), _within(empty, more)
    return {
        # a rotation, with one answer lost, one failure or one refusal out of the blue at any place
        "faults": steady(faults=1),
        # a deploy that was given up lands late, in this change or in the next
        "late": steady(late=1),
        # an admin ends the session of the published token
        "sessions": steady(lost_sessions=1),
        # the call that is to show whether a session lives fails
        "called": steady(newest=1, faults=1, lost_sessions=1),
        # calls that fail are held back, while an admin ends sessions
        "held": steady(lost_sessions=1, held=True),
        # somebody else puts another certificate into the org
        "reverted": steady(reverted=1),
        # the change of certificate ends live sessions
        "swap": steady(bridge_dies_at_swap=True),
        # the org turns out to be another one
        "mismatch": steady(mismatch=1),
        # a person brings the certificate in, soon, late or never
        "by_hand": steady(by_hand=True),
        # the first key pair
        "init": before(newest=1, faults=1, requests=1, asks=(Ask.INIT,)),
        "adopt": before(newest=1, faults=1, requests=1, asks=(Ask.ADOPT,)),
        "adopt_abort": before(newest=1, requests=2, asks=(Ask.ADOPT, Ask.ABORT)),
        # operators
        "asks": steady(newest=1, requests=1, asks=tuple(Ask)),
        "abort": steady(newest=1, requests=2, asks=(Ask.ROTATE, Ask.ABORT)),
        "rollback": steady(newest=2, requests=1, asks=(Ask.ROLLBACK,)),
        "leaked": steady(newest=1, faults=1, requests=1, asks=(Ask.COMPROMISED,)),
        "leaked_abort": steady(newest=1, requests=2, asks=(Ask.COMPROMISED, Ask.ABORT)),
        "leaked_swap": steady(newest=1, bridge_dies_at_swap=True, requests=1, asks=(Ask.COMPROMISED,)),
        # somebody took the certificate of a key that leaked out of the app
        "leaked_out": steady(requests=1, asks=(Ask.COMPROMISED,))._replace(org=(FOREIGN, FOREIGN)),
        # two daemons on one record, each of which may stall or die anywhere
        "two": steady(daemons=2),
        # two users prove in turn; one of them is frozen by an admin, or taken out of the configuration
        "gone": steady(newest=1, users=2, gone=1, frozen=1),
        # Vault goes back to a snapshot of the start: what came later is lost, a serial is used again
        "restored": steady(restores=1, backed_up=True),
        # the deployer is in a change itself, before, while or after it is asked
        "deployer": steady(deployer=1),
    }


def wide_worlds(**more: Any) -> dict[str, World]:
    """Return the worlds of ``make model-check`` by name, in which more goes wrong at once."""
    steady, before = _within(start, more), _within(empty, more)
    two = _within(steady, {"daemons": 2})
    return {
        "faults_late": steady(faults=3, late=2),
        "faults_held": steady(faults=2, lost_sessions=1, held=True),
        "first": before(newest=2, faults=3, requests=2, asks=(Ask.INIT, Ask.ADOPT, Ask.ABORT)),
        "operators": steady(faults=1, requests=2, asks=tuple(Ask)),
        "leaked_late": steady(faults=1, late=1, requests=2, asks=(Ask.COMPROMISED, Ask.ABORT)),
        "leaked_reverted": steady(reverted=1, requests=1, asks=(Ask.COMPROMISED,)),
        "reverted_late": steady(reverted=2, late=1, lost_sessions=1),
        "by_hand_asks": steady(by_hand=True, faults=1, requests=1, asks=(Ask.ABORT, Ask.DEPLOYED)),
        "users": steady(users=2, faults=1, frozen=1, gone=1),
        "restored_any": steady(restores=1),
        "restored_late": steady(restores=1, backed_up=True, faults=1, late=1),
        "restored_asks": steady(restores=1, backed_up=True, requests=1, asks=(Ask.ROTATE, Ask.COMPROMISED, Ask.ROLLBACK, Ask.ABORT)),
        "restored_twice": steady(restores=2, reverted=1),
        "deployer_late": steady(deployer=2, faults=2, late=1),
        "deployer_asks": steady(deployer=1, requests=2, asks=(Ask.ROTATE, Ask.ABORT, Ask.ROLLBACK)),
        "two_late": two(faults=3, late=2),
        "two_users": two(users=2, faults=1),
        "two_asks": two(requests=1, asks=tuple(Ask)),
        "two_restored": two(restores=1, backed_up=True),
        "two_deployer": two(deployer=1, late=1),
        "frozen": steady(users=2, frozen=1),
        "everything": two(users=2, faults=3, late=2, lost_sessions=1, reverted=1, mismatch=1, frozen=1, gone=1,
                          restores=1, deployer=1, requests=2, asks=tuple(Ask)),
    }  # fmt: skip
