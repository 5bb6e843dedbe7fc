"""What `rotator doctor` finds on this very machine: files, and whether the daemon is alive."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography.x509 import load_pem_x509_certificate

from rotator.config import Configuration
from rotator.config.model import CertificateLogin
from rotator.finding import Finding
from rotator.run import lifesign
from rotator.show.times import when

SUBJECT: Final = "machine: "
LEAST_LEFT: Final = timedelta(days=14)
"""Of the certificate with which we come to Vault: with less left, a person should renew it."""


def examine_machine(configuration: Configuration) -> Iterator[Finding]:
    """Yield what is found: the configuration's file, the files of TLS, the daemon's sign of life."""
    yield _configuration(configuration.file)
    for certificate, key in _client_certificates(configuration):
        yield _key_file(key)
        yield _certificate_file(certificate)
    yield _daemon(configuration.file)


def _client_certificates(configuration: Configuration) -> Iterator[tuple[Path, Path]]:
    vault = configuration.vault
    if vault.client_certificate is not None:
        yield vault.client_certificate.certificate_file, vault.client_certificate.key_file
    if isinstance(vault.login, CertificateLogin):
        yield vault.login.certificate_file, vault.login.key_file


def _configuration(file: Path) -> Finding:
    return _mode(
        "configuration file",
        file,
        unwanted=stat.S_IWOTH,
        wrong=f"anybody can change {file}",
        right=f"{file} can be changed by its owner and group alone.",
        mend=f"chmod o-w {file}",
    )


def _key_file(file: Path) -> Finding:
    return _mode(
        "key for Vault",
        file,
        unwanted=stat.S_IROTH | stat.S_IWOTH | stat.S_IWGRP,
        wrong=f"others can read or change {file}",
        right=f"{file} is kept from others.",
        mend=f"chmod 600 {file}. If somebody may have read it, have the certificate revoked",
    )


def _mode(what: str, file: Path, *, unwanted: int, wrong: str, right: str, mend: str) -> Finding:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except OSError as error:
        return _unreadable(what, file, error)
    if mode & unwanted:
        return Finding(False, SUBJECT + what, f"{wrong} (mode {mode:04o}).", f"{mend}.")
    return Finding(True, SUBJECT + what, right)


def _unreadable(what: str, file: Path, error: OSError) -> Finding:
    why = error.strerror or "it cannot be opened"
    return Finding(
        False, SUBJECT + what, f"{file} cannot be read: {why}.", "Create it, and let rotator's user read it."
    )


def _certificate_file(file: Path) -> Finding:
    subject, now = "certificate for Vault", datetime.now(UTC)
    try:
        ends = load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
    except OSError as error:
        return _unreadable(subject, file, error)
    except ValueError:
        return Finding(False, SUBJECT + subject, f"{file} holds no certificate.", "Put it there as PEM.")
    is_well = ends - now > LEAST_LEFT
    mend = "" if is_well else "Renew it: once it has ended, no token can be published."
    return Finding(is_well, SUBJECT + subject, f"{file} ends at {when(ends, now)}.", mend)


def _daemon(config: Path) -> Finding:
    subject, file = f"{SUBJECT}daemon", lifesign.seen_at(config)
    try:
        age = lifesign.age_seconds(file)
    except OSError:
        return Finding(
            True,
            subject,
            f"none is seen to run here: there is no sign of life at {file}.",
            "Run `rotator alive` as root, or as the user and with the RUNTIME_DIRECTORY of the daemon; or does it run "
            "elsewhere?",
            looked=False,
        )
    if lifesign.is_fresh(age):
        return Finding(True, subject, f"it is alive: its last sign of life is {age:.0f} s old.")
    hint = "See its log for heartbeat.late, and whether it runs at all: systemctl status rotator."
    return Finding(False, subject, f"its last sign of life is {age:.0f} s old.", hint)
