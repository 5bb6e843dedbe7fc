"""Fifty consumers, of two habits. They keep their connections, and read again when their token says so."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import requests

from tests.world.consumer import TIMEOUT_SECONDS, Consumer, Outage
from tests.world.ledger import PUBLISHED
from tests.world.site import Site

BUSY, BATCH = 40, 10
BUSY_EVERY_SECONDS = 2.0
RETRY_SECONDS = 1.0
BATCH_USER = "reports@acme.example"


class Patient(Consumer):
    """Calls over one kept connection, and reads its token again at ``refresh_after``."""

    def __init__(self, *about: str, call_every_seconds: float) -> None:
        super().__init__(*about, call_every_seconds=call_every_seconds)
        self._session = requests.Session()
        self._session.trust_env = False

    def run(self) -> None:
        with self._session:
            super().run()

    def _pause_seconds(self) -> float:
        return self._call_every_seconds if self._outage is None else RETRY_SECONDS

    def _is_due(self) -> bool:
        if self._read_at == -float("inf"):
            return True
        return datetime.now(UTC) >= datetime.fromisoformat(self._document["refresh_after"])

    def _get(self, url: str, headers: dict[str, str], **parameters: str) -> requests.Response | None:
        try:
            return self._session.get(url, headers=headers, params=parameters, timeout=TIMEOUT_SECONDS)
        except requests.RequestException:
            return None


def consumers(site: Site, chance: random.Random) -> list[Patient]:
    """Return forty that call every two seconds, and ten that call together, and more seldom than a session lives.

    Nothing but the daemon keeps the sessions of the ten alive.
    """
    seldom_seconds = 1.1 * site.stage.lifetimes.session_timeout_seconds
    busy = [(name, user) for name, users in PUBLISHED.items() for user in users if user != BATCH_USER]
    wanted = [(*busy[number % len(busy)], BUSY_EVERY_SECONDS) for number in range(BUSY)]
    wanted += [("acme", BATCH_USER, seldom_seconds)] * BATCH
    made = []
    for name, user, every_seconds in wanted:
        token = site.stage.consumer_token_file(name).read_text()
        pause = every_seconds * chance.uniform(0.98, 1.02)
        made.append(Patient(site.stage.vault.address, token, name, user, call_every_seconds=pause))
    return made


@dataclass(frozen=True)
class Kill:
    """An admin ended a user's session (monotonic time)."""

    user: str
    at: float


def is_of_kill(outage: Outage, user: str, kills: Sequence[Kill], bound_seconds: float) -> bool:
    """Tell whether a killed session accounts for an outage of a user.

    It does where the token at hand was read before another one had to be there, and another one was within the bound:
    of the kill, or, where the consumer was asleep and meets the dead token later, of its awakening.
    """
    began, ended = outage.began, outage.began + outage.seconds
    return any(
        kill.user == user
        and kill.at <= began
        and outage.read <= kill.at + bound_seconds
        and ended <= began + bound_seconds
        for kill in kills
    )
