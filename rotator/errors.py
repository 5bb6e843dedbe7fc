"""The errors of rotator. Each is of a policy (what the daemon does about it), and carries a code and a hint (what a
person does).

::

    RotatorError              policy of the caller
    ├── Transient             try again later; the world will heal by itself
    ├── Conflict              somebody else wrote first: load again and decide again
    ├── Rejected              the other side understood, and said no
    │   ├── KeyRefused        the org does not take this key (RFC 7523 section 3.1, invalid_grant)
    │   └── SessionDead       the access token is not, or no longer, valid
    ├── Misconfigured         nothing gets better until a person changes something
    └── Compromised           somebody may have seen or changed what they must not: alarm

Adapters translate the exceptions of their libraries into these, and nobody else does.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar


class RotatorError(Exception):
    """Something went wrong, in words for an operator.

    Attributes:
        code: stable identifier, such as ``vault.sealed`` or ``salesforce.invalid_grant.invalid_assertion``.
        hint: the mend: what a person can do about it, also where it mostly mends itself.
        maybe_done: the request may have taken effect although no answer came.
        retry_after_seconds: how long the other side asked us to wait, if it did.
        date: the other side's clock when it answered, if it did and told.
        policy: what the daemon does about it, as metrics name it.

    No message ever holds a secret: no key, token, assertion or Vault credential.
    """

    policy: ClassVar[str]

    def __init__(
        self,
        message: str,
        *,
        code: str,
        hint: str,
        maybe_done: bool = False,
        retry_after_seconds: float | None = None,
        date: datetime | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
        self.maybe_done = maybe_done
        self.retry_after_seconds = retry_after_seconds
        self.date = date


class Transient(RotatorError):
    """The world will heal by itself: a timeout, a sealed Vault, a rate limit, maintenance."""

    policy = "transient"


class Conflict(RotatorError):
    """Somebody else wrote first (a check-and-set version moved)."""

    policy = "conflict"


class Rejected(RotatorError):
    """The other side understood the request, and refused it."""

    policy = "rejected"


class KeyRefused(Rejected):
    """The org does not take assertions signed with this key (yet, or any more)."""


class SessionDead(Rejected):
    """The access token is not valid (any more)."""


class Misconfigured(RotatorError):
    """Nothing gets better until a person changes a setting, a permission or a file."""

    policy = "misconfigured"


class Compromised(RotatorError):
    """A secret may be in other hands, or what we rely on was tampered with."""

    policy = "compromised"
