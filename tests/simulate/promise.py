"""What consumers are promised, and what no daemon can keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulate.consumers import Failure
from tests.simulate.disturbance import NO_CALLS, NO_LOGINS, NO_VAULT

if TYPE_CHECKING:
    from tests.simulate.watch import Watch

NOTICED_LATE = 10 * 60.0
"""Beside the interval of verification: pauses between tries, and what is under way."""


def is_excused(failure: Failure, watch: Watch) -> bool:
    """Tell whether calls may have failed: nothing is promised to those who read too seldom."""
    session = watch.world.configuration.credentials[failure.name].session
    if failure.habit.every > session.consumer_lag.total_seconds():
        return True
    verify = session.verify_every.total_seconds()
    killed = watch.world.org.sessions.killed.get(failure.token)
    back = [at for at in watch.world.restorations if failure.published - 1 <= at <= failure.ends]
    begins = killed if killed is not None else max(back, default=None)
    if begins is None:
        return _ran_out(failure, watch, session.timeout.total_seconds(), verify, jwt=session.format == "jwt")
    # Somebody ended the session, or brought an old token back: nobody can know before it is tried out.
    noticed = max(begins, failure.published) + verify + NOTICED_LATE + failure.habit.every
    return failure.ends <= noticed or watch.disturbances.within(begins - NOTICED_LATE, failure.ends) > 0


def _ran_out(failure: Failure, watch: Watch, timeout: float, verify: float, *, jwt: bool) -> bool:
    """Tell whether a session ran out because nobody could keep it alive for long enough."""
    kinds, since = NO_CALLS, failure.begins - timeout
    if jwt:
        kinds |= NO_LOGINS | NO_VAULT
    elif watch.disturbances.within(since, failure.ends, {"killed"}):
        kinds |= NO_VAULT  # a new daemon does not know the tokens
    disturbed = watch.disturbances.within(since, failure.ends, kinds)
    return disturbed >= timeout / 2 - verify - 2 * NOTICED_LATE
