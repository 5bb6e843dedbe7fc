"""One OpenBao server and one simulated org for a whole run; each test has its own folder in Vault and a reset org."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.app import Application, application
from rotator.config import Configuration, load
from rotator.core.effects import Action, Answer, Do, Wait
from rotator.core.model import Ask, KeyFacts, Record, Request
from rotator.keypairs import KeyPair
from rotator.performer import Station
from rotator.sandbox.control import Control
from rotator.sandbox.lifetimes import Lifetimes
from rotator.sandbox.org.seed import USERS, seed_org
from rotator.sandbox.org.server import OrgServer
from rotator.sandbox.settings import APPS, settings
from rotator.sandbox.vault import BaoServer
from rotator.show import logs
from rotator.vault.codec import KEY, RECORD, REQUEST, KeyDocument, RequestDocument
from tests.world.site import FAST
from tests.world.steady import key_pair, log_in_as_root, steady_record, write_configuration

NAMES = tuple(APPS)
ACME = USERS[APPS["acme"]]
GLOBEX = USERS[APPS["globex"]]
DEPLOYER = USERS[APPS["deployer"]]

Edit = Callable[[dict[str, Any]], None]


class Clock:
    """The time, and as much later as a test wants."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def advance(self, **units: float) -> None:
        self.ahead += timedelta(**units)


@dataclass
class Servers:
    """What lasts for the whole run.

    Attributes:
        pairs: what the apps' slots hold after a reset.
        aged: seconds that sessions have aged beside those that passed.
    """

    vault: BaoServer
    org: OrgServer
    control: Control
    pairs: dict[str, KeyPair]
    numbers: Iterator[int] = field(default_factory=itertools.count)
    aged: float = 0.0

    def age(self, seconds: float) -> None:
        """Let sessions of the org grow older at once. What it believes the date to be stays right."""
        self.aged += seconds
        self.control.clock(advance_seconds=seconds, offset_seconds=-self.aged)


@dataclass
class Lab:
    """What one test works with."""

    servers: Servers
    folder: Path
    base: str
    lines: list[dict[str, Any]]
    lives: Lifetimes = FAST

    @property
    def control(self) -> Control:
        return self.servers.control

    @property
    def vault(self) -> BaoServer:
        return self.servers.vault

    # -- arranging

    def configuration(self, *edits: Edit) -> Configuration:
        """Return the sandbox's configuration for this test's folder in Vault, edited."""
        said = settings(self.servers.org.org, self.vault.address, "role", "secret", self.lives)
        log_in_as_root(said, self.vault, self.folder)
        said["vault"]["base_path"] = self.base
        said = copy.deepcopy(said)
        for edit in edits:
            edit(said)
        return load(write_configuration(said, self.folder))

    def steady(self, *names: str) -> None:
        """Leave credentials in Vault as they are some time after `adopt`: key pair 1 signs, no token is published."""
        for name in names or NAMES:
            self.write_key(name, 1, self.servers.pairs[name])
            self.edit_record(name, steady_record(self.servers.pairs[name]))

    def facts(self, name: str) -> KeyFacts:
        """Return what the record knows of key pair 1."""
        return self.servers.pairs[name].facts(1)

    def write_key(self, name: str, serial: int, pair: KeyPair) -> None:
        self.put(f"{name}/keys/{serial}", KEY.encode(KeyDocument(pair.private_key_pem, pair.certificate_pem)))

    def edit_record(self, name: str, record: Record) -> None:
        """Write a record as another daemon would."""
        self.put(f"{name}/record", RECORD.encode(record))

    def record(self, name: str) -> Record:
        return RECORD.decode(self.data(f"{name}/record"), name)

    def ask(self, name: str, what: Ask, serial: int = 1) -> None:
        """Leave a request as an operator would."""
        request = Request(f"{what}-{next(self.servers.numbers)}", what, serial, datetime.now(UTC), "tester")
        self.put(f"-/requests/{name}", REQUEST.encode(RequestDocument(request, {})))

    @contextmanager
    def application(self, *edits: Edit) -> Iterator[Application]:
        with application(self.configuration(*edits)) as app:
            yield app

    # -- looking

    def data(self, path: str) -> dict[str, Any]:
        """Return a document as a consumer reads it."""
        return self.vault.request("GET", f"secret/data/{self.base}/{path}")["data"]["data"]

    def put(self, path: str, data: dict[str, Any]) -> None:
        self.vault.request("POST", f"secret/data/{self.base}/{path}", {"data": data})

    def told(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """Return the lines of the log with this event and these fields."""
        return [
            line
            for line in list(self.lines)
            if line["event"] == event and all(line.get(key) == value for key, value in fields.items())
        ]


class Hand:
    """Steps one credential of an application by hand."""

    def __init__(self, app: Application, name: str) -> None:
        self.app, self.name = app, name
        self.clock = Clock()
        app.tools.clock = self.clock

    @property
    def station(self) -> Station:
        return self.app.driver.stations[self.name]

    @property
    def record(self) -> Record:
        return self.station.record

    def step(self) -> Do | Wait:
        return self.app.driver.step(self.name)

    def until_wait(self, most: int = 40) -> Wait:
        """Step until nothing is to be done now."""
        for _ in range(most):
            decision = self.step()
            if isinstance(decision, Wait) and (decision.until is None or decision.until > self.clock()):
                return decision
        raise AssertionError(f"{self.name} does not come to rest: {decision}")

    def perform(self, action: Action, busy_until: datetime | None = None) -> Answer:
        """Do one effect, whatever would be decided."""
        self.app.driver.refresh(self.station)
        return self.app.driver._perform(self.station, action, busy_until)


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    pairs = {name: key_pair(name, FAST.certificate_seconds) for name in NAMES}
    org = seed_org({APPS[name]: pair.certificate_pem for name, pair in pairs.items()})
    with ExitStack() as running:
        vault = running.enter_context(BaoServer("root"))
        server = running.enter_context(OrgServer(org))
        yield Servers(vault, server, Control(server.control_url), pairs)


@pytest.fixture
def lab(servers: Servers, tmp_path: Path) -> Iterator[Lab]:
    servers.control.reset()
    servers.age(0)
    servers.control.knobs(session_timeout_seconds=FAST.session_timeout_seconds)
    with logs.capture() as lines:
        yield Lab(servers, tmp_path, f"t{next(servers.numbers)}", lines)
    if servers.vault.request("GET", "sys/seal-status")["sealed"]:
        servers.vault.unseal()


def credential(name: str, **sections: Any) -> Edit:
    """Return an edit that sets keys, or keys of sections, of a credential."""

    def edit(said: dict[str, Any]) -> None:
        for key, value in sections.items():
            target = said["credentials"][name]
            if isinstance(value, dict):
                target[key] = {**target.get(key, {}), **value}
            else:
                target[key] = value

    return edit
