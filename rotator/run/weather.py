"""How Vault is: told once when it stops to serve, and once when it is back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from rotator import events
from rotator.core.model import Terms
from rotator.core.timing import retry_pause
from rotator.errors import Compromised, Misconfigured, RotatorError, Transient
from rotator.performer.tell import iso
from rotator.performer.toolbox import is_about_document
from rotator.show.logs import emit
from rotator.vault.client import VaultClient
from rotator.vault.login import Lease
from rotator.vault.refusals import PERMISSION_DENIED, RENEWED
from rotator.vault.settings import Token

_AWAY = frozenset({"vault.sealed", "vault.standby", "vault.unreachable"})
"""Nobody is served at all, so that any answer shows that it is over."""


def is_of_one_credential(error: RotatorError) -> bool:
    """Tell whether an error concerns one credential alone, and not Vault as all see it."""
    of_one_path = is_about_document(error) or error.code == PERMISSION_DENIED
    return of_one_path or not error.code.startswith("vault.")


def pause_after(error: RotatorError, failures: int, terms: Terms) -> timedelta:
    """Return how long to wait after Vault failed: longer with each failure in a row, and as long as Vault asks for."""
    asked = timedelta(seconds=error.retry_after_seconds or 0.0)
    return max(retry_pause(failures, terms), asked)


@dataclass(frozen=True, slots=True)
class Outage:
    """What is wrong with Vault, and what mends it: as the log says it.

    Attributes:
        began: by the steady clock.
    """

    began: float
    code: str
    message: str
    hint: str


class VaultWeather:
    """Tells when Vault stops to serve all credentials, and when it is back. Used by all workers.

    Any worker may find it failing. Only the regular look says that it is back: a step that needs nothing of Vault
    succeeds at all times. That look reads. Where writes failed although Vault was there (no quorum, a full disk, a
    limit), it is back when one has succeeded; where Vault asked to wait, not before that is over.
    """

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        """``steady``: a clock that nobody sets, in seconds."""
        self._steady = steady
        self._lock = threading.Lock()
        self._told: set[str] = set()
        self._outage: Outage | None = None
        self._unwritten = False
        self._not_before = 0.0

    def failed(self, error: RotatorError, *, writing: bool = False) -> None:
        """Note a failure, and tell it unless one of its kind was told since Vault last served."""
        with self._lock:
            new = error.code not in self._told
            self._told.add(error.code)
            began = self._steady() if self._outage is None else self._outage.began
            self._outage = Outage(began, error.code, error.message, error.hint)
            self._not_before = max(self._not_before, self._steady() + (error.retry_after_seconds or 0.0))
            if writing and (error.maybe_done or error.code not in _AWAY):
                self._unwritten = True
            elif error.code in _AWAY:
                self._unwritten = False
        if new:
            emit(_event_of(error), code=error.code, message=error.message, hint=error.hint)

    def wrote(self, error: Transient | None) -> None:
        """Note what became of a write; None: it succeeded."""
        if error is not None:
            self.failed(error, writing=True)
            return
        with self._lock:
            self._unwritten = False

    def answered(self) -> bool:
        """Note that Vault answered the regular look, and return whether it is back by that."""
        with self._lock:
            if self._outage is None or self._unwritten or self._steady() < self._not_before:
                return False
            took = self._steady() - self._outage.began
            self._told.clear()
            self._outage = None
        emit(events.VAULT_RECOVERED, seconds=round(took, 1))
        return True

    def tells(self, code: str) -> bool:
        """Return whether this is being told of Vault as a whole."""
        with self._lock:
            return code in self._told

    def trouble(self) -> Outage | None:
        """Return what is wrong with Vault; None if nothing is."""
        with self._lock:
            return self._outage


class LeaseKeeper:
    """Keeps the daemon's Vault token alive, and tells what becomes of it."""

    def __init__(self, client: VaultClient) -> None:
        self.client = client
        self._told = client.inherited
        self._ending = False
        self._refusal = ""

    def keep(self, now: datetime) -> None:
        """Log in or renew when it is time. While a new login is refused, the old token serves on.

        Raises RotatorError when there is no token, and Transient when Vault does not serve just now.
        """
        try:
            self.client.keep_alive(now)
        except RotatorError as error:
            self._refused(error)
        lease = self.client.lease()
        if lease is not None and lease is not self._told:
            self._tell(lease)
            self._told = lease

    def _refused(self, error: RotatorError) -> None:
        if self.client.lease() is None or isinstance(error, Transient):
            raise error
        if error.code != self._refusal:
            emit(events.VAULT_LOGIN_FAILED, code=error.code, message=error.message, hint=error.hint)
        self._refusal = error.code

    def _tell(self, lease: Lease) -> None:
        lasts = lease.duration.total_seconds() if lease.duration else None
        login = self.client.settings.login
        renewed = self._told is not None and self._told.token == lease.token
        if renewed:
            emit(events.VAULT_RENEWED, lease_seconds=lasts)
        else:
            self._ending = False
            emit(events.VAULT_LOGIN, method=type(login).__name__.lower(), lease_seconds=lasts,
                 renewable=lease.renewable)  # fmt: skip
        shrinks = renewed and lease.duration is not None and lease.duration < (lease.wanted or lease.duration)
        if not shrinks:
            self._refusal = ""
        ends = lease.expires_at
        if (
            isinstance(login, Token)
            and ends is not None
            and (shrinks or not lease.renewable)
            and not self._ending
        ):
            self._ending = True
            hint = f"Put a new token into its file before; a periodic one does not age. {RENEWED}"
            emit(events.VAULT_TOKEN_ENDING, expires_at=iso(ends), hint=hint)


def _event_of(error: RotatorError) -> events.Event:
    if error.code == "vault.sealed":
        return events.VAULT_SEALED
    if isinstance(error, Compromised):
        return events.VAULT_SECRET_ID_UNWRAPPED_TWICE
    if error.code.startswith("vault.login"):
        return events.VAULT_LOGIN_FAILED
    if error.code == PERMISSION_DENIED:
        return events.VAULT_PERMISSION_DENIED
    return events.VAULT_MISCONFIGURED if isinstance(error, Misconfigured) else events.VAULT_UNAVAILABLE
