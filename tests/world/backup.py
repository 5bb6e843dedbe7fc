"""A backup of Vault, taken and brought back as administrators do: a snapshot of its Raft storage."""

from __future__ import annotations

import requests

from rotator.sandbox.vault import BaoServer


def take(vault: BaoServer) -> bytes:
    """Return all that is in Vault now."""
    answer = requests.get(_url(vault), headers=_headers(vault), timeout=30)
    answer.raise_for_status()
    return answer.content


def restore(vault: BaoServer, backup: bytes) -> None:
    """Bring Vault back to what it was, and wait until it serves that."""
    answer = requests.post(_url(vault) + "-force", headers=_headers(vault), data=backup, timeout=30)
    answer.raise_for_status()
    vault.await_service()


def _url(vault: BaoServer) -> str:
    return f"{vault.address}/v1/sys/storage/raft/snapshot"


def _headers(vault: BaoServer) -> dict[str, str]:
    return {"X-Vault-Token": vault.root_token}
