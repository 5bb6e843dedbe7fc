"""The policies with which the sandbox is set up: the very texts that `rotator vault-policy` prints."""

from __future__ import annotations

from rotator.sandbox.settings import BASE_PATH, MOUNT
from rotator.sandbox.stage import Policies
from rotator.vault.policies import policy


def sandbox_policies() -> Policies:
    """Return the least that daemon, operator and the consumers of each credential need."""
    return Policies(
        daemon=policy("daemon", MOUNT, BASE_PATH),
        operator=policy("operator", MOUNT, BASE_PATH),
        consumers={
            name: policy("consumer", MOUNT, BASE_PATH, credential=name) for name in ("acme", "globex")
        },
    )
