"""Many credentials in a few orgs, as they are after days: every token is published, and their refreshes are spread."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rotator.app import application
from rotator.config import load
from rotator.core.effects import Do
from rotator.keypairs import KeyPair
from rotator.sandbox.lifetimes import Lifetimes
from rotator.sandbox.org.apps import API_ENABLED, READ_ACCOUNTS
from rotator.sandbox.org.model import Org
from rotator.sandbox.org.seed import PERMISSION_SET, add_accounts, add_connected_app, seed_org
from rotator.sandbox.org.server import OrgServer, start_servers
from rotator.sandbox.settings import settings
from rotator.sandbox.vault import BaoServer
from rotator.vault.codec import TokenDocument
from tests.world.steady import key_pair, log_in_as_root, steady_record, write_configuration

THREADS = 8


@dataclass
class Crowd:
    """Built by :func:`crowd`.

    Attributes:
        members: for each org the names of its credentials; a credential has one user, :func:`user_of`.
        published: the token of each when the crowd was built.
    """

    vault: BaoServer
    servers: list[OrgServer]
    members: list[list[str]]
    config: Path
    published: dict[str, TokenDocument] = field(default_factory=dict)

    def token(self, name: str) -> dict[str, Any]:
        """Return what consumers read."""
        path = f"secret/data/salesforce/{name}/tokens/{user_of(name)}"
        return self.vault.request("GET", path)["data"]["data"]

    def logins(self, number: int, name: str) -> list[datetime]:
        """Return when an org was asked for a token in the name of a credential's user."""
        org = self.servers[number].org
        with org.lock:
            return [org.clock.wall_at(moment) for moment in org.logins[user_of(name)]]


def user_of(name: str) -> str:
    return f"user@{name}.example"


@contextmanager
def crowd(sizes: list[int], lifetimes: Lifetimes, *, ending: Mapping[int, float]) -> Iterator[Crowd]:
    """Serve an org for each size, with so many credentials, and leave nothing behind.

    Args:
        ending: org -> in how many seconds the tokens of its credentials are proved no more.
    """
    pair = key_pair("crowd", lifetimes.certificate_seconds)
    members = [[f"c{org}-{number}" for number in range(size)] for org, size in enumerate(sizes)]
    orgs = [_org(f"org {number}", names, pair) for number, names in enumerate(members)]
    for org in orgs:
        org.set_knobs(session_timeout_seconds=lifetimes.session_timeout_seconds)
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        vault = running.enter_context(BaoServer("root"))
        servers = start_servers(orgs)
        for server in servers:
            running.callback(server.stop)
        built = Crowd(vault, servers, members, _configured(folder, vault, orgs, members, lifetimes))
        _settle(built, pair, lifetimes, ending)
        yield built


def _org(title: str, names: list[str], pair: KeyPair) -> Org:
    def populate(org: Org) -> None:
        for name in names:
            org.add_user(
                user_of(name), permission_sets={PERMISSION_SET}, permissions={API_ENABLED, READ_ACCOUNTS}
            )
            add_connected_app(org, _app_of(name), pair.certificate_pem, PERMISSION_SET)
        add_accounts(org, 1)

    return Org(populate, name=title)


def _app_of(name: str) -> str:
    return f"App_{name.replace('-', '_')}"


def _configured(
    folder: Path, vault: BaoServer, orgs: list[Org], members: list[list[str]], lifetimes: Lifetimes
) -> Path:
    said = settings(seed_org(), vault.address, "role", "secret", lifetimes)
    log_in_as_root(said, vault, folder)
    said["credentials"] = {
        name: {
            "login_url": org.instance_url,
            "consumer_key": org.app(_app_of(name)).consumer_key,
            "app": {"type": "connected_app", "name": _app_of(name)},
            "users": [user_of(name)],
            "deploy": {"publisher": "manual"},
        }
        for org, names in zip(orgs, members, strict=True)
        for name in names
    }
    return write_configuration(said, folder)


def _settle(built: Crowd, pair: KeyPair, lifetimes: Lifetimes, ending: Mapping[int, float]) -> None:
    """Publish every token by the daemon's own steps, and spread over a period when it is to be refreshed."""
    names = [name for org in built.members for name in org]
    soon = {name: seconds for org, seconds in ending.items() for name in built.members[org]}
    with application(load(built.config)) as app, ThreadPoolExecutor(THREADS) as pool:

        def publish(name: str) -> None:
            app.documents.write_key(name, 1, pair)
            app.documents.write_record(name, steady_record(pair), 0)
            while isinstance(app.driver.step(name), Do):
                pass

        list(pool.map(publish, names))
        now = datetime.now(UTC)

        def spread(each: tuple[int, str]) -> None:
            number, name = each
            share = number / len(names)
            document, version = app.driver.stations[name].tokens[user_of(name)]
            assert document is not None
            built.published[name] = replace(
                document,
                verified_at=now - timedelta(seconds=lifetimes.verify_seconds) * share,
                refresh_after=now + timedelta(seconds=lifetimes.refresh_seconds) * (1 + share),
                expires_at=now + timedelta(seconds=soon[name]) if name in soon else document.expires_at,
            )
            app.documents.write_token(name, user_of(name), built.published[name], version)

        list(pool.map(spread, enumerate(names)))
