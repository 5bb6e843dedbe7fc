"""The worlds that are explored: what may happen in each, and how often."""

from __future__ import annotations

from rotator.core.model import Ask
from tests.explore.world import Bounds, World, empty, start


def worlds(**more: int) -> dict[str, World]:
    """Return the worlds by name; ``more`` overrides bounds of all of them (``faults=2``)."""

    def bounds(**own: object) -> Bounds:
        return Bounds(**{**own, **more})  # type: ignore[arg-type]

    return {
        # a rotation, with one answer lost, one failure or one refusal out of the blue at any place
        "faults": start(bounds(faults=1)),
        # a deploy that was given up lands late, in this change or in the next
        "late": start(bounds(late=1)),
        # an admin ends the session of the published token
        "sessions": start(bounds(lost_sessions=1)),
        # calls that fail are held back, while an admin ends sessions
        "held": start(bounds(lost_sessions=1, held=True)),
        # somebody else puts another certificate into the org
        "reverted": start(bounds(reverted=1)),
        # the change of certificate ends live sessions
        "swap": start(bounds(bridge_dies_at_swap=True)),
        # the org turns out to be another one
        "mismatch": start(bounds(mismatch=1)),
        # a person brings the certificate in, soon, late or never
        "by_hand": start(bounds(by_hand=True)),
        # the first key pair
        "init": empty(bounds(newest=1, faults=1, requests=1, asks=(Ask.INIT,))),
        "adopt": empty(bounds(newest=1, faults=1, requests=1, asks=(Ask.ADOPT,))),
        "adopt_abort": empty(bounds(newest=1, requests=2, asks=(Ask.ADOPT, Ask.ABORT))),
        # operators
        "asks": start(bounds(newest=1, requests=1, asks=tuple(Ask))),
        "abort": start(bounds(newest=1, requests=2, asks=(Ask.ROTATE, Ask.ABORT))),
        "rollback": start(bounds(newest=2, requests=1, asks=(Ask.ROLLBACK,))),
        "leaked": start(bounds(newest=1, faults=1, requests=1, asks=(Ask.COMPROMISED,))),
        "leaked_abort": start(bounds(newest=1, requests=2, asks=(Ask.COMPROMISED, Ask.ABORT))),
        "leaked_swap": start(bounds(newest=1, bridge_dies_at_swap=True, requests=1, asks=(Ask.COMPROMISED,))),
        # two daemons on one record, each of which may stall or die anywhere
        "two": start(bounds(daemons=2)),
    }
