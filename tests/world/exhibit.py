"""A fleet as a daemon has it in memory, in every state that there is: for whatever shows fleets. Nothing runs behind it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from rotator.app import Application, application
from rotator.config import load
from rotator.core.model import Trouble
from rotator.performer import Station
from rotator.secret import Secret
from rotator.vault.login import Lease
from rotator.web import Seen
from tests.world.states import DAY, HOUR, furnish

VAULT_TOKEN = "hvs.token-of-vault-that-nobody-may-see"
NAMES = ("acme", "globex", "initech", "umbrella", "hooli", "stark", "wayne", "tyrell", "cyberdyne", "soylent")
WORK = (
    "billing",
    "orders",
    "support",
    "analytics",
    "archive",
    "portal",
    "claims",
    "dispatch",
    "ledger",
    "search",
)


@dataclass
class Exhibit:
    """A fleet to look at. Change what a test wants changed: ``look`` shows it as it is then."""

    app: Application
    now: datetime
    aside: dict[str, Trouble] = field(default_factory=dict)
    refused: dict[str, Trouble] = field(default_factory=dict)
    refusal: Trouble | None = None
    skews: dict[str, float] = field(default_factory=dict)
    unusable: dict[str, Trouble] = field(default_factory=dict)
    vault_trouble: Trouble | None = None
    lease: Lease | None = None
    secret_id_ends: datetime | None = None
    alive: bool = True
    queued: int = 0

    @property
    def stations(self) -> dict[str, Station]:
        return self.app.driver.stations

    def is_alive(self) -> bool:
        return self.alive

    def let_vault_fail(self, message: str, hint: str = "") -> None:
        """Have Vault serve nobody since an hour ago."""
        self.vault_trouble = Trouble("vault", self.now - HOUR, "vault.sealed", message, hint)

    def look(self) -> Seen:
        return Seen(
            at=self.now,
            configuration=self.app.configuration,
            loaded_at=self.now - 3 * HOUR,
            driver=self.app.driver,
            stations=dict(self.stations),
            aside=self.aside,
            refused=self.refused,
            refusal=self.refusal,
            unusable=self.unusable,
            vault_trouble=self.vault_trouble,
            lease=self.lease,
            secret_id_ends=self.secret_id_ends,
            skews=self.skews,
            queued=self.queued,
            running=0,
            beaten_at=self.now,
        )


def hurried() -> Callable[[], float]:
    """Return a clock by which nothing is of a moment ago, so that a test sees at once what it has changed."""
    return count(step=10.0).__next__


def names(number: int) -> list[str]:
    """Return as many names of credentials, as operators give them."""
    made = list(NAMES)
    made += [f"{owner}-{work}" for work in WORK for owner in NAMES]
    made += [f"{owner}-{work}-{copy:02}" for copy in range(2, 99) for work in WORK for owner in NAMES]
    return made[:number]


@contextmanager
def exhibit(
    folder: Path, credentials: list[str], *, troubled: bool = True, vault: dict[str, Any] | None = None
) -> Iterator[Exhibit]:
    """Build a fleet.

    Args:
        troubled: with all that can be wrong, else all is well.
        vault: further settings of Vault.
    """
    said = {
        "vault": {
            "address": "https://vault.example.com:8200",
            "login": {"method": "kubernetes", "role": "rotator", "token_file": str(folder / "unread")},
            **(vault or {}),
        },
        "web": {"runbook": "https://wiki.example.com/rotator/runbook"},
        "credentials": {name: _settings(name) for name in credentials or ["nobody"]},
    }
    file = folder / "rotator.yaml"
    file.write_text(yaml.safe_dump(said))
    (folder / "unread").touch(mode=0o600)
    now = datetime.now(UTC).replace(microsecond=0)
    (folder / "unread").write_text("a token of a service account\n")
    with application(load(file)) as app:
        app.tools.clock = lambda: now
        if not credentials:
            app.driver.stations.clear()
        lease = Lease(Secret(VAULT_TOKEN), now - HOUR, DAY, DAY, renewable=True)
        shown = Exhibit(app, now, lease=lease)
        for number, station in enumerate(app.driver.stations.values()):
            furnish(station, number, now, troubled=troubled)
        yield shown


def _settings(name: str) -> dict[str, Any]:
    return {
        "login_url": f"https://{name}.my.salesforce.com",
        "consumer_key": f"3MVG9{hashlib.sha256(name.encode()).hexdigest()}",
        "app": {"name": "Rotator_App"},
        "users": [f"integration@{name}.example"],
        "deploy": {"publisher": "manual"},
    }
