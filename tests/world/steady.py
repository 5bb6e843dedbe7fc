"""How credentials are configured and recorded that have been steady for long, whoever writes it where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from rotator.core.model import Phase, Record
from rotator.keypairs import KeyPair
from rotator.sandbox.pairs import make_pair
from rotator.sandbox.vault_api import BaoApi
from rotator.secret import Secret


def key_pair(name: str, seconds: float) -> KeyPair:
    """Make a key pair as somebody without rotator does; its certificate holds for so many seconds."""
    made = make_pair(name, seconds)
    return KeyPair(Secret(made.key), made.certificate)


def steady_record(pair: KeyPair) -> Record:
    """Return the record of a credential whose key pair 1 signs."""
    return Record(phase=Phase.STEADY, newest=1, current=1, keys=(pair.facts(1),))


def log_in_as_root(said: dict[str, Any], vault: BaoApi, folder: Path) -> None:
    """Let a configuration log in to Vault with the root token, in a file beside it."""
    token = folder / "root"
    if not token.exists():  # a daemon that runs may be reading it
        token.touch(mode=0o600)
        token.write_text(vault.root_token)
    said["vault"]["login"] = {"method": "token", "token": {"file": token.name}}


def write_configuration(said: dict[str, Any], folder: Path) -> Path:
    file = folder / "rotator.yaml"
    file.write_text(yaml.safe_dump(said, sort_keys=False))
    return file
