"""When the TLS certificates end that rotator shows to Vault."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from rotator.config.model import CertificateLogin, VaultConfig
from rotator.web.tls import FileState, end_of, state_of


class Ends:
    """Reads the end of certificates from their files, as every new connection does; anew only when a file has changed."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[FileState, datetime | None]] = {}

    def of(self, vault: VaultConfig) -> Iterator[tuple[str, datetime]]:
        """Yield what a certificate is shown for (``vault_login``, ``vault``), and its end where it can be read."""
        login = vault.login.certificate_file if isinstance(vault.login, CertificateLogin) else None
        client = vault.client_certificate.certificate_file if vault.client_certificate else None
        for use, file in (("vault_login", login), ("vault", client)):
            end = None if file is None else self._end(file)
            if end is not None:
                yield use, end

    def _end(self, file: Path) -> datetime | None:
        state = state_of(file)
        known = self._known.get(file)
        if known is None or known[0] != state:
            known = self._known[file] = state, end_of(file)
        return known[1]
