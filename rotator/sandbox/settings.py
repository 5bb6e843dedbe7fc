"""The configuration file that goes with a sandbox."""

from __future__ import annotations

import math
from typing import Any

from rotator.sandbox.lifetimes import Lifetimes
from rotator.sandbox.org.model import Org
from rotator.sandbox.org.seed import ACME, DEPLOYER, GLOBEX, USERS

MOUNT, BASE_PATH = "secret", "salesforce"
APPS = {"acme": ACME, "globex": GLOBEX, "deployer": DEPLOYER}
_DAY_SECONDS = 86400


def settings(
    org: Org, vault_address: str, role_id: str, secret_id_file: str, lives: Lifetimes
) -> dict[str, Any]:
    """Return what the configuration file says of this org and this Vault."""
    credentials = {name: _credential(org, name) for name in APPS}
    credentials["deployer"] |= {
        "publish": False,
        "deploy": {"allow_self": True},
        "key": {"lifetime": text(lives.deployer_certificate_seconds)},
    }
    for name in ("acme", "globex"):
        credentials[name]["deploy"] = {"with": "deployer"}
    return {
        "vault": {
            "address": vault_address,
            "mount": MOUNT,
            "base_path": BASE_PATH,
            "login": {"method": "approle", "role_id": role_id, "secret_id": {"file": secret_id_file}},
        },
        "salesforce": {
            "connect_timeout": text(lives.connect_timeout_seconds),
            "read_timeout": text(lives.read_timeout_seconds),
        },
        "web": {"listen": "127.0.0.1:0"},
        "fleet": {"reconcile_every": text(lives.reconcile_seconds)},
        "defaults": _defaults(lives),
        "credentials": credentials,
    }


def _credential(org: Org, name: str) -> dict[str, Any]:
    app = org.app(APPS[name])
    return {
        "login_url": org.instance_url,
        "consumer_key": app.consumer_key,
        "app": {
            "type": "connected_app" if app.is_connected_app else "external_client_app",
            "name": app.name,
        },
        "users": list(USERS[app.name]),
    }


def _defaults(lives: Lifetimes) -> dict[str, Any]:
    shortest_seconds = min(lives.certificate_seconds, lives.deployer_certificate_seconds)
    settled_seconds = shortest_seconds - lives.renew_before_seconds
    return {
        "key": {"lifetime": text(lives.certificate_seconds)},
        "rotation": {
            "renew_before": text(lives.renew_before_seconds),
            "urgent_before": text(lives.urgent_before_seconds),
            "jitter": "0s",
            "quarantine": text(lives.quarantine_seconds),
            "backoff_floor": text(lives.backoff_seconds),
            "swaps_a_day": math.ceil(_DAY_SECONDS / settled_seconds) + 1,
        },
        "session": {
            "timeout": text(lives.session_timeout_seconds),
            "refresh_every": text(lives.refresh_seconds),
            "verify_every": text(lives.verify_seconds),
            "consumer_lag": text(lives.consumer_lag_seconds),
        },
        "retry": {"floor": text(lives.retry_seconds), "ceiling": text(10 * lives.retry_seconds)},
        "proof": {
            "count": lives.proofs,
            "span": text(lives.proof_span_seconds),
            "retry": text(lives.proof_retry_seconds),
            "deadline": text(lives.proof_deadline_seconds),
            "slow_servers": text(lives.slow_servers_seconds),
            "probe_every": text(2 * lives.proof_retry_seconds),
        },
        "deploy": {
            "publisher": "metadata",
            "deadline": text(lives.deploy_deadline_seconds),
            "poll_every": text(lives.poll_seconds),
            "lease": text(lives.lease_seconds),
        },
    }


def text(seconds: float) -> str:
    """Return a duration as the configuration file has it."""
    if seconds >= 1 and seconds == int(seconds):
        minutes, rest = divmod(int(seconds), 60)
        return f"{minutes}m" if minutes and not rest else f"{int(seconds)}s"
    return f"{round(seconds * 1000)}ms"
