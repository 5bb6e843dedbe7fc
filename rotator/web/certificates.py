"""When the TLS certificates end that rotator shows to others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from cryptography.x509 import load_pem_x509_certificate

from rotator.config import Configuration
from rotator.config.model import CertificateLogin


class Ends:
    """Reads the end of certificates from their files, anew only when a file has changed."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[int, datetime]] = {}

    def of(self, configuration: Configuration) -> Iterator[tuple[str, datetime]]:
        """Yield what a certificate is shown for (``vault_login``, ``vault``, ``web``), and its end where it can be read."""
        vault = configuration.vault
        login = vault.login.certificate_file if isinstance(vault.login, CertificateLogin) else None
        client = vault.client_certificate.certificate_file if vault.client_certificate else None
        web = configuration.web.tls.certificate if configuration.web.tls else None
        for use, file in (("vault_login", login), ("vault", client), ("web", web)):
            end = None if file is None else self._end(file)
            if end is not None:
                yield use, end

    def _end(self, file: Path) -> datetime | None:
        try:
            changed = file.stat().st_mtime_ns
            known = self._known.get(file)
            if known is None or known[0] != changed:
                known = changed, load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
                self._known[file] = known
        except (OSError, ValueError):  # whoever uses it tells
            return None
        return known[1]
