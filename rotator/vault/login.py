"""How a Vault token is obtained, and how long it may be used."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import hvac

from rotator.errors import Compromised, Misconfigured, Rejected, RotatorError
from rotator.secret import Secret
from rotator.show.logs import redactor
from rotator.vault.refusals import PERMISSION_DENIED, RENEWED, accept, part
from rotator.vault.settings import (
    AppRole,
    Certificate,
    Jwt,
    Kubernetes,
    Token,
    VaultSettings,
    is_token,
    reveal,
    reveal_token,
)

_LONGEST_LIFE_SECONDS = 100 * 366 * 24 * 3600
_RENEW_AFTER = 2 / 3  # of a lease; what Vault's own agents do


@dataclass(frozen=True, slots=True)
class Lease:
    """A Vault token and its life.

    Attributes:
        duration: granted life; None: it does not end (a root token).
        wanted: the life that the login gives when it is new. A renewal that grants less tells that the end is near.
    """

    token: Secret
    granted_at: datetime
    duration: timedelta | None
    wanted: timedelta | None
    renewable: bool

    @property
    def expires_at(self) -> datetime | None:
        return None if self.duration is None else self.granted_at + self.duration

    @property
    def renew_at(self) -> datetime | None:
        """When two thirds of the life are over."""
        return None if self.duration is None else self.granted_at + self.duration * _RENEW_AFTER


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """What was in a wrapping token.

    Attributes:
        ends: when the secret_id ends; None where it does not, or Vault does not tell.
    """

    wrapping: Secret
    secret_id: Secret
    ends: datetime | None


class Authenticator:
    """Logs in as the settings say. Keeps an unwrapped secret_id, because it can be unwrapped only once.

    A new wrapping token in the file is unwrapped at the next login; one that is gone by then is not missed.

    Args:
        before: whose place this one takes, or would have taken.

    Attributes:
        all_unwrapped: by their wrapping tokens, and shared with the one before: what either unwraps serves both.
        unwrapped: what was in the last wrapping token; None before the first one.
    """

    def __init__(self, settings: VaultSettings, before: Authenticator | None = None) -> None:
        self._login = settings.login
        self.all_unwrapped: dict[Secret, Unwrapped] = before.all_unwrapped if before else {}
        self.unwrapped: Unwrapped | None = before.unwrapped if before else None

    def log_in(self, client: hvac.Client, now: datetime) -> Lease:
        """Return a new lease; ``client`` must carry no token. Raises RotatorError."""
        login = self._login
        if isinstance(login, Token):
            return _adopt(client, Secret(reveal_token(login.token)), now)
        auth = client.auth
        try:
            match login:
                case AppRole():
                    secret_id = self._secret_id(client, login, now)
                    answer = auth.approle.login(
                        reveal(login.role_id), secret_id.reveal(), use_token=False, mount_point=login.mount
                    )
                case Kubernetes():
                    answer = auth.kubernetes.login(
                        login.role, reveal(login.token_file), use_token=False, mount_point=login.mount
                    )
                case Jwt():
                    answer = auth.jwt.jwt_login(
                        login.role, reveal(login.token_file), use_token=False, path=login.mount
                    )
                case Certificate():
                    client.adapter.close()  # a connection keeps the certificate it began with, and it may have been renewed
                    role = {"name": login.role} if login.role else {}
                    answer = client.adapter.post(f"/v1/auth/{login.mount}/login", json=role)
            granted = accept(answer).get("auth")
        except RotatorError as error:
            raise _login_error(error) from None
        return _granted(granted, now, None)

    def _secret_id(self, client: hvac.Client, login: AppRole, now: datetime) -> Secret:
        if not login.wrapped:
            return Secret(reveal(login.secret_id))
        try:
            wrapping = Secret(reveal_token(login.secret_id))
        except Misconfigured:
            if self.unwrapped is None:
                raise
            return self.unwrapped.secret_id
        if self.unwrapped is None or self.unwrapped.wrapping != wrapping:
            known = self.all_unwrapped.get(wrapping) or _unwrap(client, wrapping, login, now)
            self.unwrapped = self.all_unwrapped[wrapping] = known
        return self.unwrapped.secret_id


def renew(client: hvac.Client, lease: Lease, now: datetime) -> Lease:
    """Return the prolonged lease; ``client`` carries its token. It may have got less than it wanted. Raises RotatorError."""
    increment = int(lease.wanted.total_seconds()) if lease.wanted else None
    answer = accept(client.auth.token.renew_self(increment=increment))
    return _granted(answer.get("auth"), now, lease)


def _granted(auth: Any, now: datetime, before: Lease | None) -> Lease:
    """Return the lease that the ``auth`` part of an answer grants."""
    granted = auth if isinstance(auth, dict) else {}
    token, duration = granted.get("client_token"), _life(granted.get("lease_duration", ""))
    if not is_token(token):
        raise _no_token()
    wanted = before.wanted if before else duration
    return Lease(Secret(token), now, duration, wanted, bool(granted.get("renewable")))


def _life(seconds: object, what: str = "a login or renewal without granting a token") -> timedelta | None:
    """Return the life of a token from an answer; None if it does not end. Raises Rejected: Vault answered ``what``."""
    if type(seconds) is not int or not 0 <= seconds <= _LONGEST_LIFE_SECONDS:
        raise _no_token(what)
    return timedelta(seconds=seconds) if seconds else None


def _no_token(what: str = "a login or renewal without granting a token") -> Rejected:
    return Rejected(
        f"Vault answered {what}",
        code="vault.login.no_token",
        hint="Does the login's mount name an auth method? Multi-factor logins cannot be used by a daemon.",
    )


def _adopt(client: hvac.Client, token: Secret, now: datetime) -> Lease:
    """Return the lease of a token that somebody else made."""
    client.token = token.reveal()
    answer = client.auth.token.lookup_self()
    if answer.status_code == HTTPStatus.FORBIDDEN:
        raise Misconfigured(
            "Vault does not know the token of the settings (any more)",
            code="vault.login.token_dead",
            hint=f"Put a new token into the file that `vault.login` names; a periodic one does not age. {RENEWED}",
        )
    data = part(accept(answer), "data")
    unreadable = "a look at the token of the settings without telling how long it lives"
    left, wanted = (
        _life(seconds or 0, unreadable)
        for seconds in (data.get("ttl"), data.get("period") or data.get("creation_ttl"))
    )
    return Lease(token, now, left, wanted, bool(data.get("renewable")))


def _unwrap(client: hvac.Client, wrapping: Secret, login: AppRole, now: datetime) -> Unwrapped:
    """Trade the wrapping token for the secret_id, after a look at where it comes from.

    Raises Compromised when it was used before or wraps something else: somebody may have taken the secret_id
    (Vault documentation, "Response wrapping", validation).
    """
    lookup = client.adapter.post("/v1/sys/wrapping/lookup", json={"token": wrapping.reveal()})
    wrapped = part(accept(lookup), "data")
    made_by = str(wrapped.get("creation_path", ""))
    role = re.escape(login.role_name) if login.role_name else "[^/]+"
    if not re.fullmatch(rf"auth/{re.escape(login.mount.strip('/'))}/role/{role}/secret-id", made_by):
        raise Compromised(
            f"the wrapping token was made by {made_by[:100]!r}, not by a secret-id of auth/{login.mount}",
            code="vault.wrapping.foreign",
            hint="Do not use it: somebody may have put another token in its place. Find out who, then supply a new "
            "wrapped secret_id.",
        )
    client.token = wrapping.reveal()
    try:
        data = part(accept(client.sys.unwrap()), "data")
    finally:
        client.token = ""
    if not isinstance(secret_id := data.get("secret_id"), str) or not secret_id:
        raise Rejected(
            "the wrapping token held no secret_id",
            code="vault.wrapping.empty",
            hint="Supply a new one: `bao write -wrap-ttl=10m -f auth/approle/role/ROLE/secret-id`.",
        )
    redactor.remember(secret_id, "vault.login")
    ends = _end(wrapped.get("creation_time"), data.get("secret_id_ttl"), now)
    return Unwrapped(wrapping, Secret(secret_id), ends)


def _end(made: object, seconds: object, now: datetime) -> datetime | None:
    """Return when a secret_id ends that was made, with its life, as Vault says; None where it says nothing of use."""
    if type(seconds) is not int or not 0 < seconds <= _LONGEST_LIFE_SECONDS:
        return None
    try:
        at = datetime.fromisoformat(str(made))
    except ValueError:
        at = now
    return (at if at.tzinfo else now) + timedelta(seconds=seconds)


def _login_error(error: RotatorError) -> RotatorError:
    """Return a refusal of a login as what it is: nothing gets better until a person changes something."""
    if error.code not in {
        "vault.refused",
        PERMISSION_DENIED,
        "vault.unsupported",
        "vault.mount_absent",
    }:
        return error
    return Misconfigured(
        f"Vault refuses the login: {error.message}",
        code="vault.login.refused",
        hint="Check the role, the mount and what the role is bound to (service account, audience, certificate, "
        "addresses) in the login's settings and in Vault.",
    )
