"""How a change ends, and what that means to whoever tells of it or counts it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Outcome(StrEnum):
    """How a change ended; :data:`OUTCOMES` says what each means."""

    PROMOTED = "promoted"
    REHEARSED = "rehearsed"
    RESTORED = "restored"
    FOUND = "found"
    FAILED = "failed"
    REFUSED = "refused"
    GIVEN_UP = "given_up"
    ABORTED = "aborted"
    LOCKED_OUT = "locked_out"

    @property
    def words(self) -> str:
        """As people read it."""
        return self.value.replace("_", " ")

    @property
    def by_proofs(self) -> bool:
        """Whether the target has its proofs, and is the current key."""
        return self.arrived or self in (Outcome.RESTORED, Outcome.FOUND)

    @property
    def arrived(self) -> bool:
        """Whether it got where it was to go; one that ended by proofs and did not mended what went wrong before."""
        return self in (Outcome.PROMOTED, Outcome.REHEARSED)


OUTCOMES: Mapping[Outcome, str] = {
    Outcome.PROMOTED: "the target was proved, and signs from now on",
    Outcome.REHEARSED: "the current certificate was brought in again as a trial, and proved",
    Outcome.RESTORED: "the current certificate was brought back after something went wrong, and proved",
    Outcome.FOUND: "the org turned out to take a key that was kept, which was proved",
    Outcome.FAILED: "the org did not take the target in time, or took it no more",
    Outcome.REFUSED: "the publisher or the org said no, or no key could be made",
    Outcome.GIVEN_UP: "nothing could be sent in time",
    Outcome.ABORTED: "an operator called it off",
    Outcome.LOCKED_OUT: "the org took no key that we keep; it was tried again, or another key was found",
}
