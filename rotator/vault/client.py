"""The one client of Vault that all threads share."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from weakref import WeakSet

import hvac
import requests
from hvac.adapters import RawAdapter

from rotator.errors import Misconfigured, Rejected, RotatorError, Transient
from rotator.vault.guard import GuardedSession, Shared
from rotator.vault.login import Authenticator, Lease, renew
from rotator.vault.refusals import refusal
from rotator.vault.settings import VaultSettings

_HOLD_TRANSIENT_SECONDS = 1.0
_HOLD_SECONDS = 30.0  # Vault locks an AppRole out after a few failed logins in a row (user lockout)


class VaultClient:
    """Sends requests with a token that it keeps alive. Usable from many threads: each has its own connections.

    Args:
        before: the client that this one replaces, or would. Where either has unwrapped a secret_id, that serves both,
            because nobody can unwrap it again; so does the token of the former, if the login is the same one.
        clock: the time; injected by tests.

    Attributes:
        inherited: the lease of the client before that serves on; None where this one logs in by itself.
    """

    def __init__(
        self,
        settings: VaultSettings,
        *,
        before: VaultClient | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._shared = Shared()
        self.authenticator: Authenticator = Authenticator(settings, before.authenticator if before else None)
        keeps = before is not None and settings.keeps_login_of(before.settings)
        self.inherited = before.lease() if before is not None and keeps else None
        self._lease = self.inherited
        self._login_lock = threading.Lock()
        self._held: tuple[float, RotatorError] | None = None
        self._local = threading.local()
        self._sessions: WeakSet[GuardedSession] = WeakSet()
        self._sessions_lock = threading.Lock()

    def call(self, send: Callable[[hvac.Client], requests.Response]) -> requests.Response:
        """Let ``send`` send one request, logged in, and return Vault's answer whatever its status.

        A 403 can mean a policy or a dead token: one look tells, and a dead one is replaced once.
        Raises RotatorError when there is no answer or no login.
        """
        lease = self._lease or self._replace(None)
        response = send(self._hvac(lease))
        if response.status_code == HTTPStatus.FORBIDDEN and self._is_dead(lease):
            response = send(self._hvac(self._replace(lease)))
        return response

    def keep_alive(self, now: datetime) -> None:
        """Log in or renew when it is time. To be called often: nothing is sent before.

        A lease is renewed when two thirds of it are over. One that cannot grow is replaced by a new login; while
        that fails, the old one serves on. Raises RotatorError.
        """
        lease = self._lease or self._replace(None)
        if lease.renew_at is not None and now >= lease.renew_at:
            self._prolong(lease, now)

    def lease(self) -> Lease | None:
        """Return the present lease; None before the first login."""
        return self._lease

    @property
    def has_unwrapped(self) -> bool:
        """Whether a wrapped secret_id was unwrapped, by this client or one before: its wrapping token is used up."""
        return self.authenticator.unwrapped is not None

    def secret_id_ends(self) -> datetime | None:
        """Return when the secret_id ends that logs us in; None where that cannot be known: only a wrapped one tells."""
        unwrapped = self.authenticator.unwrapped
        return unwrapped.ends if unwrapped else None

    def clock_skew(self) -> timedelta | None:
        """Return Vault's clock minus ours, give or take a second; None before the first answer."""
        return self._shared.skew

    def health(self) -> requests.Response:
        """Return what ``sys/health`` answers, without a login."""
        response: requests.Response = self._hvac(None).sys.read_health_status(method="GET")
        return response

    def close(self) -> None:
        """Close the connections of all threads. Whoever is in the middle of a call comes to its end."""
        with self._sessions_lock:
            sessions = list(self._sessions)
        for session in sessions:
            with suppress(OSError):
                session.close()

    def _hvac(self, lease: Lease | None) -> hvac.Client:
        """Return this thread's hvac client, with the token of ``lease`` or none."""
        client = getattr(self._local, "client", None)
        if client is None:
            session = GuardedSession(self.settings, self._shared)
            with self._sessions_lock:
                self._sessions.add(session)
            # RawAdapter and ignore_exceptions: hvac's exceptions lose headers and statuses, so answers come as they are.
            client = hvac.Client(
                url=self.settings.address.rstrip("/"),
                token="",  # not None, which would read VAULT_TOKEN and ~/.vault-token
                session=session,
                adapter=RawAdapter,
                namespace=self.settings.namespace,
                ignore_exceptions=True,
            )
            self._local.client = client
        client.token = lease.token.reveal() if lease else ""
        return client

    def _replace(self, stale: Lease | None) -> Lease:
        """Return a lease on another token than that of ``stale``: what another thread got meanwhile, or a new login.

        A lease that was renewed meanwhile is another one on the same token.
        """
        with self._login_lock:
            if self._lease is not None and (stale is None or self._lease.token != stale.token):
                return self._lease
            self._lease = self._log_in()
            return self._lease

    def _log_in(self) -> Lease:
        """Log in, unless that has just failed: then say so again."""
        if self._held and (left := self._held[0] - time.monotonic()) > 0:
            error = self._held[1]
            wait = None if error.retry_after_seconds is None else left
            raise type(error)(
                error.message, code=error.code, hint=error.hint, retry_after_seconds=wait
            ) from None
        try:
            lease = self.authenticator.log_in(self._hvac(None), self._clock())
        except RotatorError as error:
            pause = _HOLD_TRANSIENT_SECONDS if isinstance(error, Transient) else _HOLD_SECONDS
            self._held = (time.monotonic() + max(pause, error.retry_after_seconds or 0.0), error)
            raise
        self._held = None
        return lease

    def _prolong(self, lease: Lease, now: datetime) -> None:
        with self._login_lock:
            if self._lease is not lease:
                return  # another thread was faster
            if lease.renewable:
                try:
                    self._lease = lease = renew(self._hvac(lease), lease, now)
                except (Misconfigured, Rejected):  # the token is gone, or can or may not be renewed
                    pass
                else:
                    if lease.duration is None or lease.wanted is None or lease.duration >= lease.wanted:
                        return
            self._lease = self._log_in()

    def _is_dead(self, lease: Lease) -> bool:
        """Tell whether Vault no longer knows the token of ``lease``."""
        response: requests.Response = self._hvac(lease).auth.token.lookup_self()
        if response.status_code in {HTTPStatus.OK, HTTPStatus.FORBIDDEN}:
            return response.status_code == HTTPStatus.FORBIDDEN
        raise refusal(response)
