"""What the soak's site is like: how long things live, and what the configuration says beside that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rotator.sandbox.settings import text
from tests.world.site import FAST, restored_seconds

LIVES = replace(
    FAST,
    first_due_seconds=30,
    stagger_seconds=10,
    session_timeout_seconds=60,
    refresh_seconds=15,
    proof_deadline_seconds=16,
)
"""A change outlives a death of the daemon, and what makes the machine slow meanwhile."""

LOGINS_AT_ONCE, LOGINS_A_MINUTE = 300, 20
"""What rotator grants each user (rotator.salesforce.budget)."""
LOGINS_OF_A_ROTATION = 18
"""Of a user that gives all proofs: two for each of three, some while the certificate spreads, some for spoilt deploys."""

RESTORED_SECONDS = restored_seconds(LIVES, reading_seconds=LIVES.refresh_seconds)
"""Within what time consumers of the soak, which read when a refresh is due, are served again after a session was killed."""


def pace_seconds(duration_seconds: float) -> float:
    """Return how often a credential of one user can be rotated, so that its logins last for the whole run."""
    minutes = duration_seconds / 60
    a_minute = LOGINS_A_MINUTE + LOGINS_AT_ONCE / minutes - 60 / LIVES.refresh_seconds
    return 60 * LOGINS_OF_A_ROTATION / a_minute


def edited(settings: dict[str, Any], pace_seconds: float) -> None:
    """Let `globex` be due again and again by its certificate, and the log tell every step."""
    settings["log"] = {"format": "json", "level": "debug"}
    settings["defaults"]["rotation"]["swaps_a_day"] = 10_000  # the cap would end it after the first hundreds
    settings["credentials"]["globex"]["key"] = {"lifetime": text(LIVES.renew_before_seconds + pace_seconds)}
