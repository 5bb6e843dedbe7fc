"""How to reach Vault, and as whom."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from rotator.errors import Misconfigured
from rotator.secret import Secret
from rotator.show.logs import redactor

_TOKEN = re.compile(r"[!-~]{1,16384}")
_LARGEST_BYTES = 1 << 20

Source = Secret | Path
"""A secret value, or the file that holds it. A file is read anew at each login: it may have been renewed."""


@dataclass(frozen=True, slots=True)
class AppRole:
    """Log in with role_id and secret_id.

    Attributes:
        wrapped: ``secret_id`` is a response-wrapping token. It can be unwrapped once, so it serves one start.
        role_name: where known, the wrapping token must come from this very role.
    """

    role_id: Source
    secret_id: Source
    mount: str = "approle"
    wrapped: bool = False
    role_name: str | None = None


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """Log in with the service account's token of the pod."""

    role: str
    token_file: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    mount: str = "kubernetes"


@dataclass(frozen=True, slots=True)
class Jwt:
    """Log in with a JSON Web Token that somebody else keeps fresh in a file."""

    role: str
    token_file: Path
    mount: str = "jwt"


@dataclass(frozen=True, slots=True)
class Certificate:
    """Log in with a TLS client certificate. Without ``role`` Vault tries all roles."""

    certificate_file: Path
    key_file: Path
    role: str = ""
    mount: str = "cert"


@dataclass(frozen=True, slots=True)
class Token:
    """Use a token that somebody else made. It is renewed where it can be; a new one is taken from the file."""

    token: Source


Login = AppRole | Kubernetes | Jwt | Certificate | Token


@dataclass(frozen=True, slots=True)
class VaultSettings:
    """Where Vault is.

    Attributes:
        address: base URL, such as ``https://vault.example.com:8200``.
        mount: of the KV version 2 engine.
        base_path: below which all documents of rotator live.
        ca_file: certificates to trust instead of the system's.
        client_certificate: certificate and key file for a listener that demands them.
        redirect_hosts: further hosts (``host`` or ``host:port``, in small letters) to which a standby may send us (status 307, 308).
            The token goes with the request, so nobody else is followed.
        timeout_seconds: for connecting, and between two pieces of an answer; the whole may take three times as long.
    """

    address: str
    login: Login
    mount: str = "secret"
    base_path: str = "salesforce"
    namespace: str | None = None
    ca_file: Path | None = None
    client_certificate: tuple[Path, Path] | None = None
    redirect_hosts: tuple[str, ...] = ()
    timeout_seconds: float = 10.0

    @property
    def shown_certificate(self) -> tuple[Path, Path] | None:
        """The certificate and key file that we show: those of the login, if that is by certificate."""
        if isinstance(self.login, Certificate):
            return self.login.certificate_file, self.login.key_file
        return self.client_certificate

    def keeps_login_of(self, other: VaultSettings) -> bool:
        """Tell whether the token that was got by other settings is to serve on with these.

        So it is with a wrapped secret_id, which may serve one login alone. Any other login is done anew, so that the
        token has the policies that its role has by now.
        """
        wrapped = isinstance(self.login, AppRole) and self.login.wrapped
        place, other_place = ((one.address, one.namespace) for one in (self, other))
        return wrapped and self.login == other.login and place == other_place


def is_token(value: object) -> TypeGuard[str]:
    """Tell whether something can be a Vault token, which has to go into a header."""
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def reveal(source: Source) -> str:
    """Return the secret itself, from its file if it is in one, and let no log show it. Raises Misconfigured."""
    if isinstance(source, Secret):
        return source.reveal()
    try:
        with source.open("rb") as stream:
            data = stream.read(_LARGEST_BYTES + 1)
        text = data.decode("utf-8-sig").strip()  # editors of Windows put a mark before UTF-8
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "is not text"
        raise Misconfigured(
            f"cannot read {source}: {why}",
            code="vault.login.file",
            hint="Create the file, and let the user that rotator runs as read it.",
        ) from None
    if len(data) > _LARGEST_BYTES:
        raise Misconfigured(
            f"{source} has more than 1 MB, which no secret has",
            code="vault.login.file",
            hint="Name the file of the secret.",
        )
    if not text:
        raise Misconfigured(
            f"{source} is empty", code="vault.login.file", hint="Put the secret into the file."
        )
    redactor.remember(text, source)
    return text


def reveal_token(source: Source) -> str:
    """Return a Vault token, which has to go into a header. Raises Misconfigured."""
    token = reveal(source)
    if not is_token(token):
        where = source if isinstance(source, Path) else "the Vault token of the settings"
        raise Misconfigured(
            f"{where} is no Vault token: it is too long, or holds characters that none has",
            code="vault.token_malformed",
            hint="Put the bare token there: one line of letters, digits, dots, dashes and underscores, as Vault "
            "printed it.",
        )
    return token
