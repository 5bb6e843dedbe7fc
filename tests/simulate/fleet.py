"""The fleets of the simulation: a configuration that holds, and the world in which it begins."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from rotator.config import Configuration, load

DEPLOYER = "deployer"


@dataclass(frozen=True)
class Style:
    """The settings that a fleet has in common; durations as the configuration has them."""

    name: str
    lifetime: str
    rotation: dict[str, Any]
    session: dict[str, Any]
    reconcile_every: str = "15s"
    more: dict[str, Any] = field(default_factory=dict)


STYLES = {
    style.name: style
    for style in (
        Style(
            "daily",
            "1d",
            {"renew_before": "20h", "urgent_before": "2h", "jitter": "30m", "swaps_a_day": 24,
             "backoff_floor": "20m", "backoff_ceiling": "3h", "quarantine": "4h", "staging_deadline": "4h"},
            {"timeout": "8h", "refresh_every": "2h", "verify_every": "2h", "consumer_lag": "1h"},
            "5m",
            {"proof": {"retry": "30s"}, "deploy": {"poll_every": "15s"}},
        ),
        # As many rotations as can be: a mishap for each, and little else that takes time.
        Style(
            "dense",
            "1d",
            {"renew_before": "22h", "urgent_before": "2h", "jitter": "10m", "swaps_a_day": 24,
             "backoff_floor": "10m", "backoff_ceiling": "1h", "quarantine": "2h", "staging_deadline": "3h"},
            {"timeout": "12h", "refresh_every": "80m", "verify_every": "3h", "consumer_lag": "1h"},
            "5m",
            {"proof": {"count": 2, "span": "3m", "retry": "1m", "slow_servers": "10m", "doubts": 2},
             "deploy": {"poll_every": "30s"},
             "deployer": {"timeout": "24h", "refresh_every": "10h", "verify_every": "6h"}},
        ),
        Style(
            "defaults",
            "7d",
            {"renew_before": "4d", "urgent_before": "1d", "swaps_a_day": 12, "quarantine": "1d"},
            {},
            "1m",
        ),
        Style(
            "quarterly",
            "90d",
            {},
            {"timeout": "12h", "refresh_every": "4h", "verify_every": "2h", "consumer_lag": "1h"},
            "5m",
        ),
        Style(
            "yearly",
            "365d",
            {},
            {"timeout": "24h", "refresh_every": "10h", "verify_every": "6h", "consumer_lag": "1h"},
            "5m",
        ),
        # A certificate of a year, and tokens that live longer than those of Salesforce, so that a day takes few steps.
        Style(
            "patient",
            "365d",
            {},
            {"format": "jwt", "timeout": "4d", "refresh_every": "3d", "verify_every": "3d", "consumer_lag": "1h"},
            "5m",
            {"deployer": {"timeout": "24h", "refresh_every": "10h", "verify_every": "6h"}},
        ),
        Style(
            "jwt",
            "30d",
            {"renew_before": "10d", "urgent_before": "2d", "quarantine": "5d"},
            {"format": "jwt", "timeout": "12h", "refresh_every": "4h", "verify_every": "3h", "consumer_lag": "1h"},
            "5m",
        ),
    )
}  # fmt: skip


def users_of(name: str) -> tuple[str, ...]:
    """Return the users of a credential; every third has two of them."""
    users = (f"integration@{name}.example", f"batch@{name}.example")
    return users if name.endswith("2") else users[:1]


def consumer_key(name: str) -> str:
    return f"3MVG9{name}"


def app_name(name: str) -> str:
    return f"Rotator_{name}"


def host() -> str:
    return "acme--sim.sandbox.my.salesforce.com"


@lru_cache(64)
def configuration(style: str, names: tuple[str, ...], *, deployer_rotates: bool) -> Configuration:
    """Return the settings of a fleet, as its file would be read."""
    chosen = STYLES[style]
    said: dict[str, Any] = {
        "vault": {
            "address": "https://vault.example:8200",
            "login": {"method": "token", "token": {"env": "TOKEN"}},
        },
        "fleet": {"reconcile_every": chosen.reconcile_every, "workers": 4},
        "credentials": {name: _credential(name, chosen) for name in names},
    }
    said["credentials"][DEPLOYER] = _deployer(chosen, rotates=deployer_rotates)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "rotator.yaml")
        file.write_text(yaml.safe_dump(said))
        return load(file)


def _credential(name: str, style: Style) -> dict[str, Any]:
    return {
        "login_url": f"https://{host()}",
        "consumer_key": consumer_key(name),
        "app": {"name": app_name(name)},
        "users": list(users_of(name)),
        "key": {"lifetime": style.lifetime},
        "rotation": style.rotation,
        "session": style.session,
        "deploy": {"publisher": "metadata", "with": DEPLOYER, **style.more.get("deploy", {})},
        "proof": style.more.get("proof", {}),
    }


def _deployer(style: Style, *, rotates: bool) -> dict[str, Any]:
    said = _credential(DEPLOYER, style)
    opaque = {key: value for key, value in style.session.items() if key != "format"}
    said["session"] = style.more.get("deployer", opaque)
    said["publish"] = False
    if rotates:
        said["deploy"] = {"publisher": "metadata", "allow_self": True}
    else:
        said["deploy"] = {"publisher": "manual"}
        said["key"], said["rotation"] = {"lifetime": "9000d"}, {}
    return said
