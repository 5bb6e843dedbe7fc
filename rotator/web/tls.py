"""The certificate that the port shows, as it was read from its files."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from cryptography.x509 import load_pem_x509_certificate

from rotator.config.web import WebTls
from rotator.errors import Misconfigured

FileState = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A certificate with its key, in memory.

    Attributes:
        context: what shows it.
        ends: None where only OpenSSL can read it.
        states: of the files when they were read: others than :func:`states_of` tell that something was put there since.
    """

    context: ssl.SSLContext
    ends: datetime | None
    states: tuple[FileState, ...]

    @classmethod
    def read(cls, tls: WebTls) -> Self:
        """Return what the files hold. Raises Misconfigured where they cannot be used."""

        def password() -> str:  # without this OpenSSL would ask on the terminal
            raise Misconfigured(
                f"web.tls.key: {tls.key} is encrypted",
                code="web.unusable",
                hint="Nobody is there to type its password: `openssl pkey` writes the key without one.",
            )

        states = states_of(tls)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            context.load_cert_chain(tls.certificate, tls.key, password=password)
        except OSError as error:  # that of OpenSSL is one, too
            raise Misconfigured(
                f"web.tls: {tls.certificate} and {tls.key} cannot be used: {error}",
                code="web.unusable",
                hint="Can both be read, and do they belong together?",
            ) from None
        return cls(context, end_of(tls.certificate), states)


def states_of(tls: WebTls) -> tuple[FileState, ...]:
    """Return what is another once something else is in the files; whoever reads them tells what is wrong with them."""
    return state_of(tls.certificate), state_of(tls.key)


def end_of(certificate: Path) -> datetime | None:
    """Return when the first certificate of a file ends; None where that cannot be read."""
    try:
        return load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return None


def state_of(file: Path) -> FileState:
    """Return the state of one file; empty where there is none."""
    try:
        found = file.stat()  # of what a link leads to: Kubernetes and certbot turn links
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
