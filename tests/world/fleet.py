"""A large fleet in one org: credentials with an app of their own each, all steady, whose tokens an earlier daemon published.

Everything is there from the beginning, written as rotator would have written it: so a test says how old the tokens are,
and begins at once. Few key pairs serve many apps, because making one takes longer than all the rest.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rotator.keypairs import KeyPair
from rotator.sandbox.lifetimes import Lifetimes
from rotator.sandbox.org.model import Org
from rotator.sandbox.org.seed import PERMISSION_SET, USERS, add_connected_app, seed_org
from rotator.sandbox.org.server import OrgServer
from rotator.sandbox.org.sessions import Session
from rotator.sandbox.settings import APPS, BASE_PATH, MOUNT, settings
from rotator.sandbox.vault import BaoServer
from rotator.secret import Secret
from rotator.vault.codec import KEY, RECORD, TOKEN, KeyDocument, TokenDocument
from rotator.vault.policies import policy
from tests.world.consumer import Consumer
from tests.world.daemon import Daemon, Journal
from tests.world.steady import key_pair, steady_record, write_configuration

PAIRS = 8
CERTIFICATE_SECONDS = timedelta(days=365).total_seconds()
WRITERS = 8
READING = 8  # times as long as records and keys take to be written, a daemon takes at the most to read all
LEAST = timedelta(seconds=20)


@dataclass(frozen=True)
class Age:
    """How old the tokens of a credential are."""

    verified_at: datetime
    refresh_after: datetime
    expires_at: datetime


@dataclass
class Fleet:
    """The servers, and the daemon, which is not started yet.

    Attributes:
        users: credential -> usernames.
        ready_at: by when a daemon has read everything, if it is started at once.
    """

    org: Org
    vault: BaoServer
    daemon: Daemon
    journal: Journal
    users: dict[str, list[str]]
    ready_at: datetime

    def consumer(self, name: str) -> Consumer:
        """Return a consumer that will work as the first user of a credential."""
        self.vault.install_policy(f"consumer-{name}", policy("consumer", MOUNT, BASE_PATH, credential=name))
        token = self.vault.make_token([f"consumer-{name}"])
        return Consumer(self.vault.address, token, name, self.users[name][0])

    def tokens(self) -> list[dict[str, Any]]:
        """Return all published documents."""
        paths = [_path(f"{name}/tokens/{user}") for name, users in self.users.items() for user in users]
        with ThreadPoolExecutor(WRITERS) as pool:
            return [
                found["data"]["data"]
                for found in pool.map(lambda path: self.vault.request("GET", path), paths)
            ]

    def logins(self) -> dict[str, int]:
        """Return how often each user has logged in within the hour."""
        return {user: len(self.org.logins[user]) for users in self.users.values() for user in users}


@contextmanager
def fleet(
    folder: Path,
    lives: Lifetimes,
    names: list[str],
    users_each: int,
    age: Callable[[str, int, datetime], Age],
) -> Iterator[Fleet]:
    """Build a fleet, and leave nothing behind.

    ``age`` is told a credential, the number of its user, and when all will be ready.
    """
    users = {name: [f"{name}-{number}@fleet.example" for number in range(users_each)] for name in names}
    pairs = [key_pair("fleet", CERTIFICATE_SECONDS) for _ in range(PAIRS)]
    org = seed_org()
    org.set_knobs(session_timeout_seconds=lives.session_timeout_seconds)
    with ExitStack() as running:
        vault = running.enter_context(BaoServer(secrets.token_urlsafe(24), storage=folder / "vault"))
        running.enter_context(OrgServer(org))
        vault.install_policy("rotator", policy("daemon", MOUNT, BASE_PATH))
        approle = vault.install_approle("rotator", ["rotator"], folder, token_ttl="1h")
        said = settings(org, vault.address, approle.role_id, approle.secret_id_file.name, lives)
        like = said["credentials"]["globex"] | {"deploy": {"publisher": "manual"}}
        said["credentials"] = {}
        steady: dict[str, dict[str, Any]] = {}
        apps: dict[str, tuple[str, KeyPair]] = {}
        for name, pair in zip(names, itertools.cycle(pairs), strict=False):
            app = add_connected_app(org, f"App_{name}", pair.certificate_pem, PERMISSION_SET)
            apps[name] = app.consumer_key, pair
            known = {"type": "connected_app", "name": app.name}
            said["credentials"][name] = like | {
                "consumer_key": app.consumer_key, "app": known, "users": users[name],
            }  # fmt: skip
            steady |= _steady(name, pair)
        config = write_configuration(said, folder)
        took = _write(vault, steady)
        ready_at = datetime.now(UTC) + LEAST + READING * took
        published = {
            f"{name}/tokens/{user}": TOKEN.encode(
                _published(org, *apps[name], user, age(name, number, ready_at))
            )
            for name in names
            for number, user in enumerate(users[name])
        }
        _write(vault, published)
        journal = Journal()
        daemon = running.enter_context(Daemon(config, journal))
        yield Fleet(org, vault, daemon, journal, users, ready_at)


def _write(vault: BaoServer, documents: dict[str, dict[str, Any]]) -> timedelta:
    """Write documents, and return how long it took."""
    began = datetime.now(UTC)
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(lambda one: vault.request("POST", _path(one[0]), {"data": one[1]}), documents.items()))
    return datetime.now(UTC) - began


def _steady(name: str, pair: KeyPair) -> dict[str, dict[str, Any]]:
    """Return the documents of a credential whose key pair 1 signs."""
    key = KeyDocument(pair.private_key_pem, pair.certificate_pem)
    return {f"{name}/record": RECORD.encode(steady_record(pair)), f"{name}/keys/1": KEY.encode(key)}


def _published(org: Org, consumer_key: str, pair: KeyPair, user: str, age: Age) -> TokenDocument:
    """Let a user log in, and return what is published of its session."""
    like = org.users[USERS[APPS["globex"]][0]]
    org.add_user(user, permission_sets=like.permission_sets, permissions=like.permissions)
    token, now = f"{org.org_id[:15]}!AQ{secrets.token_hex(47)}", org.elapsed()
    lasts = org.knobs.session_timeout_seconds
    org.sessions.add(Session(token, user, consumer_key, "api refresh_token", "127.0.0.1", now, now, lasts))
    return TokenDocument(
        access_token=Secret(token),
        token_type="Bearer",
        instance_url=org.instance_url,
        org_id=org.org_id,
        username=user,
        issued_at=age.verified_at,
        verified_at=age.verified_at,
        expires_at=age.expires_at,
        refresh_after=age.refresh_after,
        api_version="60.0",
        key_serial=1,
        key_fingerprint=pair.facts(1).fingerprint,
        sequence=1,
        prolongable=True,
    )


def _path(document: str) -> str:
    return f"{MOUNT}/data/{BASE_PATH}/{document}"
