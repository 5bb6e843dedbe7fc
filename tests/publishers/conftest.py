from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from rotator.publishers.metadata import MetadataPublisher
from rotator.salesforce.appfiles import App, AppKind
from rotator.salesforce.http import Wire, WireSettings
from rotator.salesforce.rest import Org
from rotator.sandbox.org.model import Org as Simulated
from rotator.sandbox.org.seed import ACME, DEPLOYER, GLOBEX, USERS, seed_org
from rotator.sandbox.org.server import OrgServer
from rotator.sandbox.org.sessions import Session
from rotator.secret import Secret


def _certificate(name: str) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=365))
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture(scope="session")
def old_pem() -> str:
    return _certificate("the one in the slot")


@pytest.fixture(scope="session")
def new_pem() -> str:
    return _certificate("the one that replaces it")


@dataclass
class Clock:
    """Time that passes when somebody sleeps, and only then."""

    offset: timedelta = timedelta()
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.offset += timedelta(seconds=seconds)


@dataclass
class Lab:
    """A simulated org that is served on loopback, and publishers to its apps in the name of its deployer."""

    org: Simulated
    url: str
    wire: Wire
    clock: Clock
    minted: int = 0
    minting_takes: timedelta = timedelta()
    jwt: bool = False

    def session(self) -> Org:
        self.minted += 1
        self.clock.offset += self.minting_takes
        token = f"eyJ{self.minted}.e30.c2ln" if self.jwt else f"{self.org.org_id}!session{self.minted}"
        now = self.org.elapsed()
        user, key = USERS[DEPLOYER][0], self.org.app(DEPLOYER).consumer_key
        self.org.sessions.add(Session(token, user, key, "api", "127.0.0.1", now, now, 7200, is_jwt=self.jwt))
        return Org(self.url, Secret(token))

    def knob(self, name: str, value: object) -> None:
        with self.org.lock:
            self.org.set_knobs(**{name: value})

    def end_sessions(self) -> None:
        self.org.sessions.end(username=USERS[DEPLOYER][0])

    def publisher(
        self, name: str, *, session: Callable[[], Org] | None = None, **settings: object
    ) -> MetadataPublisher:
        kind = AppKind.CONNECTED_APP if name == GLOBEX else AppKind.EXTERNAL_CLIENT_APP
        return MetadataPublisher(
            lambda: self.wire,
            session or self.session,
            App(kind, name, self.org.app(name).consumer_key),
            clock=self.clock,
            sleep=self.clock.sleep,
            **settings,
        )

    def certificate(self, name: str) -> str:
        return self.org.app(name).certificate_text

    def soon(self) -> datetime:
        return self.clock() + timedelta(minutes=3)


@pytest.fixture(scope="module")
def served(old_pem: str) -> Iterator[tuple[Simulated, str]]:
    org = seed_org({ACME: old_pem, GLOBEX: old_pem, DEPLOYER: old_pem})
    with OrgServer(org) as server:
        yield org, server.url


@pytest.fixture
def lab(served: tuple[Simulated, str]) -> Iterator[Lab]:
    org, url = served
    with org.lock:
        org.reset()
    with Wire(WireSettings()) as wire:
        yield Lab(org, url, wire, Clock())


@pytest.fixture
def kept(lab, tmp_path):
    """The app's metadata in a folder, as the Salesforce CLI would retrieve it."""

    def write(name: str):
        publisher = lab.publisher(name)
        for path, content in publisher._files(lab.soon()).files.items():
            file = tmp_path / f"{path}-meta.xml"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return tmp_path

    return write
