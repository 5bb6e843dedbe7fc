"""What stands in for HTTP, and how a daemon is put together on top of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rotator.app import Application, vault_settings
from rotator.config import Configuration, CredentialConfig
from rotator.errors import Transient
from rotator.performer import Driver, Station
from rotator.performer.toolbox import Toolbox
from rotator.publishers.metadata import MetadataPublisher
from rotator.salesforce.appxml import certificate_der
from rotator.salesforce.budget import LoginBudget
from rotator.salesforce.http import Reply, WireSettings
from rotator.salesforce.rest import Org as Session
from rotator.salesforce.rest import query_accounts
from rotator.secret import Secret
from rotator.vault.documents import Documents
from rotator.vault.login import Lease
from rotator.vault.settings import VaultSettings
from tests.simulate.keys import load_key
from tests.simulate.loop import EPOCH, Lock
from tests.simulate.vault import Kv

if TYPE_CHECKING:
    from tests.simulate.process import Process
    from tests.simulate.world import World

BASE = "salesforce"
_TOKEN_FILE = Path(__file__).with_name("token.txt")  # is read at a reload, and never sent
_LEASE = Lease(Secret("token"), EPOCH, None, None, renewable=False)


class Client:
    """Stands in for :class:`rotator.vault.client.VaultClient`, as far as the daemon speaks to it itself."""

    def __init__(self, settings: VaultSettings) -> None:
        self.settings = settings
        self.inherited = _LEASE
        self.has_unwrapped = False
        self.skew: timedelta | None = None

    def lease(self) -> Lease:
        return _LEASE

    def keep_alive(self, _now: datetime) -> None:
        """A root token needs no care."""

    def clock_skew(self) -> timedelta | None:
        return self.skew

    def close(self) -> None:
        """There is nothing to close."""


class Wire:
    """Stands in for :class:`rotator.salesforce.http.Wire`."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def __call__(self) -> Wire:
        return self

    def renew(self, _settings: WireSettings) -> None:
        """There is nothing to make anew."""

    def close(self) -> None:
        """There is nothing to close."""

    def send(self, method: str, url: str, **asked: Any) -> Reply:
        process, world = self._process, self._process.world
        process.border()
        org = world.orgs[str(urlsplit(url).hostname)]
        cut = org.weather.cuts and process.machine.rng.random() < org.weather.cuts
        lost = Transient(
            f"{org.host} did not answer in time",
            code="salesforce.unreachable",
            maybe_done=method not in ("GET", "HEAD"),
            hint="Mend it.",
        )
        if cut and process.machine.rng.random() < 0.5:
            raise lost
        reply = org.answer(method, url, asked)
        process.border()
        if cut:
            raise lost
        return reply


class Files:
    """Stands in for the metadata files of an app."""

    api_version = "66.0"

    def __init__(self, app: str, pem: str) -> None:
        self._app, self._pem = app, pem

    def certificate_der(self) -> bytes | None:
        return certificate_der(self._pem) if self._pem else None

    def with_certificate(self, certificate_pem: str) -> Files:
        return Files(self._app, certificate_pem)

    def package(self) -> bytes:
        return f"{self._app}\n{self._pem}".encode()


class Simulated(Application):
    """The application, whose stations wait for each other in the loop and read the app's files from the world."""

    process: Process

    def station_of(self, credential: CredentialConfig) -> Station:
        station, world = super().station_of(credential), self.process.world
        station.lock = Lock(self.process.loop)  # type: ignore[assignment]
        if isinstance(station.publisher, MetadataPublisher):
            retrieve: Any = _retriever(world, self.tools.wires, credential.name)
            station.publisher._retrieve = retrieve
        return station


def application(process: Process) -> Application:
    """Put the parts together, as :func:`rotator.app.application` does."""
    machine, world = process.machine, process.world
    configuration: Configuration = world.in_force
    client: Any = Client(vault_settings(configuration.vault, _TOKEN_FILE))
    kv: Any = Kv(world.vault, process.vault_called, process.vault_answered)
    documents = Documents(client, kv)
    wires: Any = Wire(process)
    budget = LoginBudget(clock=machine.steady)
    tools = Toolbox(documents, wires, budget, machine.clock, make_pair=world.make_pair, load_key=load_key)
    app = Simulated(
        configuration, client, documents, tools, Driver.of(tools, configuration.fleet), _TOKEN_FILE
    )
    app.process = process
    for credential in configuration.credentials.values():
        app.take_up(credential)
    return app


def _retriever(world: World, wires: Any, name: str) -> Callable[..., Files]:
    def retrieve(session: Session, _until: datetime, _version: str = "") -> Files:
        query_accounts(wires(), session)  # the session is needed for it
        app = world.app(name)
        return Files(app.name, app.pem)

    return retrieve
