"""What consumers are promised, and what no daemon can keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulate.consumers import Failure
from tests.simulate.disturbance import NO_CALLS, NO_LOGINS, NO_VAULT
from tests.simulate.fleet import DEPLOYER

if TYPE_CHECKING:
    from tests.simulate.watch import Watch

NOTICED_LATE = 10 * 60.0
"""Beside the interval of verification: pauses between tries, and what is under way."""


def noticed_by(name: str, dead_since: float, now: float, watch: Watch) -> float:
    """Return until when a published token may be dead unnoticed: what keeps the daemon from its work adds its time."""
    verify = watch.world.configuration.credentials[name].session.verify_every.total_seconds()
    return dead_since + verify + NOTICED_LATE + watch.disturbances.within(dead_since, now)


def is_excused(failure: Failure, watch: Watch) -> bool:
    """Tell whether calls may have failed: nothing is promised to those who read too seldom.

    A session that somebody ended, or that could not be kept alive, or an old token that was brought back, is another
    one in time.
    """
    session = watch.world.configuration.credentials[failure.name].session
    if failure.habit.every > session.consumer_lag.total_seconds():
        return True
    sessions = watch.world.org.sessions
    dead_since = max(sessions.dead_at(failure.token), failure.published)
    keyless_until = _keyless_until(failure, watch)
    since = max(dead_since, keyless_until)
    if failure.ends > noticed_by(failure.name, since, failure.ends, watch) + failure.habit.every:
        return False
    ended = failure.token in sessions.killed or dead_since <= keyless_until
    return ended or _brought_back(failure, dead_since, watch) or _ran_out(failure, dead_since, watch)


def _keyless_until(failure: Failure, watch: Watch) -> float:
    """Return until when nobody could mint: a backup took away the keys that the org took, until a person came.

    Where the one who deploys lost its keys too, so did all those that it could have brought a kept one in for.
    """
    rescued = (*watch.world.rescued[failure.name], *watch.world.rescued[DEPLOYER])
    return max((at for at in rescued if at <= failure.ends), default=float("-inf"))


def _brought_back(failure: Failure, dead_since: float, watch: Watch) -> bool:
    """Tell whether a restore of Vault published this token, and it was over before anybody can know."""
    known_by = noticed_by(failure.name, failure.published, dead_since, watch)
    return failure.published in watch.world.restorations and dead_since <= known_by


def _ran_out(failure: Failure, dead_since: float, watch: Watch) -> bool:
    """Tell whether a session ran out because nobody could keep it alive for long enough."""
    session = watch.world.configuration.credentials[failure.name].session
    timeout, verify = session.timeout.total_seconds(), session.verify_every.total_seconds()
    kinds, since = NO_CALLS, dead_since - timeout
    if session.format == "jwt":
        kinds |= NO_LOGINS | NO_VAULT
    elif watch.disturbances.within(since, dead_since, {"killed"}):
        kinds |= NO_VAULT  # a new daemon does not know the tokens
    disturbed = watch.disturbances.within(since, dead_since, kinds)
    return disturbed >= timeout / 2 - verify - 2 * NOTICED_LATE
