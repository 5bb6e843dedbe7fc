"""What a check of the installation found; `rotator doctor` prints these."""

from __future__ import annotations

from dataclasses import dataclass

from rotator.errors import RotatorError, Transient


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        ok: it is as it should be.
        subject: what was looked at, such as ``vault.policy`` or ``acme: certificate``.
        message: what was seen, as a sentence. Never holds a secret.
        hint: what mends it; empty when all is well.
        looked: False where it could not be looked at: ``ok`` says nothing then, and ``hint`` how a person can look.
        transient: it failed for something that does not answer at the moment, and may be well.
    """

    ok: bool
    subject: str
    message: str
    hint: str = ""
    looked: bool = True
    transient: bool = False


def failure(subject: str, error: RotatorError) -> Finding:
    """Return what an error has kept from being found."""
    return Finding(False, subject, error.message, error.hint, transient=isinstance(error, Transient))
