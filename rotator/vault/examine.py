"""Whether the files that it takes to reach Vault can be used: found out before anything depends on it."""

from __future__ import annotations

import ssl
from pathlib import Path

from rotator.errors import Misconfigured
from rotator.vault.settings import (
    AppRole,
    Certificate,
    Jwt,
    Kubernetes,
    Token,
    VaultSettings,
    reveal,
    reveal_token,
)


def examine(settings: VaultSettings) -> None:
    """Read all files of the settings once. Raises Misconfigured for one that cannot be used.

    A wrapped secret_id is left to the login: once it was unwrapped, nobody misses its file.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if settings.ca_file is not None:
        _trust(context, settings.ca_file)
    if settings.shown_certificate is not None:
        _show(context, *settings.shown_certificate)
    match settings.login:
        case AppRole() as login:
            reveal(login.role_id)
            if not login.wrapped:
                reveal(login.secret_id)
        case Kubernetes() | Jwt() as login:
            reveal(login.token_file)
        case Token() as login:
            reveal_token(login.token)
        case Certificate():
            pass  # it was looked at above


def _trust(context: ssl.SSLContext, file: Path) -> None:
    try:
        if file.is_dir():
            context.load_verify_locations(capath=str(file))
        else:
            context.load_verify_locations(cafile=str(file))
    except OSError as error:  # ssl.SSLError is one
        raise _unusable(
            f"cannot read certificates to trust from {file}: {_reason(error, 'not PEM')}",
            "Let `vault.ca_file` name a readable file of PEM certificates.",
        ) from None


def _show(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    def password() -> str:  # without this OpenSSL would ask on the terminal
        raise _unusable(
            f"{key} is encrypted",
            "Nobody is there to type its password: `openssl pkey` writes the key without one.",
        )

    try:
        context.load_cert_chain(certificate, key, password)
    except OSError as error:
        raise _unusable(
            f"cannot use {certificate} with {key}: {_reason(error, 'not PEM, or not certificate and key of each other')}",
            "Name a certificate and its own key, both as PEM and readable: in `vault.client_certificate`, or in "
            "`vault.login` if its method is cert.",
        ) from None


def _reason(error: OSError, otherwise: str) -> str:
    """Return what the system says; what OpenSSL says of a file's content is for nobody."""
    return otherwise if isinstance(error, ssl.SSLError) else error.strerror or otherwise


def _unusable(what: str, mend: str) -> Misconfigured:
    return Misconfigured(what, code="vault.tls_file", hint=mend)
