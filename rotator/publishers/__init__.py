"""Publishers bring a certificate into an app in Salesforce: ``metadata``, ``command`` and ``manual``.

They share a protocol and nothing else. None of them raises for what was to be expected: a refusal, a lost answer and
a missing permission are answers, because the record has to say what they mean for the change under way.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Protocol

from rotator.core.effects import Answer, Kind
from rotator.errors import Misconfigured, RotatorError
from rotator.finding import Finding


class Publisher(Protocol):
    """What brings a certificate into the one slot of one app."""

    def validate(self, certificate_pem: str, ticket: str | None) -> Answer:
        """Find out whether the certificate could be brought in, without changing anything.

        One start (``ticket`` is None) or one poll of what was started.

        Returns OK; PENDING with the ticket to come back with; ABSENT when the ticket is forgotten: start anew;
        REFUSED; FAILED when it could not be found out (``lasting`` if a person must change something first).
        """

    def deploy(self, certificate_pem: str, send_before: datetime) -> Answer:
        """Bring the certificate in. Nothing is sent at or after ``send_before``.

        Returns OK; PENDING with a ticket; REFUSED: the slot is as it was; FAILED: surely nothing was sent;
        UNKNOWN: perhaps it was, with a ticket if that tells it from a call that was cut off.
        """

    def poll(self, certificate_pem: str, *, ticket: str | None, since: datetime, cancel: bool) -> Answer:
        """Find out once what became of a deploy; without a ticket: of the one that was asked for at ``since``.

        ``cancel`` asks for its end, which is not seen before a later poll.

        Returns OK; PENDING; ABSENT: nothing of ours is under way, and it is to be deployed again; REFUSED: it ended
        without bringing the certificate in; FAILED: it could not be found out.
        """

    def certificate_shown(self) -> bytes | None:
        """Return the certificate (DER) that is in the slot; None where that can't be seen. Raises RotatorError."""

    def verify(self) -> Iterator[Finding]:
        """Look at everything that a deploy needs, without deploying."""


TOO_LATE = (
    "Nothing was sent, and a later step tries again. If that goes on: is this machine overloaded, or Vault or the org "
    "slow? `deploy.lease` leaves more time."
)
"""What a person does where the time in which a deploy may be sent was over before it was."""


def failed(error: RotatorError, at: datetime, *, kind: Kind = Kind.FAILED) -> Answer:
    """Return the answer that tells of an error; ``lasting`` where a person must change something."""
    return Answer(
        kind,
        at,
        code=error.code,
        message=error.message,
        hint=error.hint,
        lasting=isinstance(error, Misconfigured),
        not_before=retry_at(error, at),
    )


def retry_at(error: RotatorError, at: datetime) -> datetime | None:
    """Return when the other side asked us to come back, if it did."""
    return None if error.retry_after_seconds is None else at + timedelta(seconds=error.retry_after_seconds)
