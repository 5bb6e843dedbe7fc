"""A Vault that writes down every request, and what its log says of who asked for what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rotator.sandbox.vault import BaoServer


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
        holder: the policy of who asked, beside ``default``; empty without a token.
        capability: what the policy has to give for it.
    """

    holder: str
    capability: str
    path: str
    denied: bool


class AuditedBao(BaoServer):
    """Keeps an audit log in a file; secrets in it are hashed, as they are in production."""

    def __init__(self, root_token: str, folder: Path) -> None:
        super().__init__(root_token, storage=folder / "data")
        self._log_file = folder / "audit.log"

    def asked(self) -> Iterator[Asked]:
        """Return what was asked for until now, but for what root asked."""
        for line in self._log_file.read_text().splitlines():
            entry = json.loads(line)
            policies = set((entry.get("auth") or {}).get("policies") or ()) - {"default"}
            if entry["type"] == "response" and policies != {"root"}:
                request = entry["request"]
                yield Asked(
                    "".join(sorted(policies)),
                    request["operation"],
                    request["path"],
                    "permission denied" in entry.get("error", ""),
                )

    def _settings(self, storage: Path) -> dict[str, Any]:
        device = {"description": "all", "options": {"file_path": str(self._log_file), "log_raw": "false"}}
        return {**super()._settings(storage), "audit": [{"file": {"all": device}}]}
