"""One fake and one real server behind the same handful of arrangements."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.sandbox.vault import BaoServer
from rotator.sandbox.vault_api import BaoApi
from rotator.secret import Secret
from rotator.vault.client import VaultClient
from rotator.vault.documents import Documents
from rotator.vault.settings import Token, VaultSettings
from tests.world.fake_vault import FakeVault


class RealVault:
    """What tests arrange on the real server, under the names that the fake uses."""

    def __init__(self, bao: BaoApi, folder: Path) -> None:
        self.bao = bao
        self.address = bao.address
        self.root_token = bao.root_token
        self._folder = folder

    def install_approle(self, name: str, **role: Any) -> tuple[str, str]:
        files = self.bao.install_approle(name, [], self._folder, **role)
        return files.role_id, files.secret_id_file.read_text()

    def wrapped_secret_id(self, name: str) -> str:
        return self.bao.wrapped_secret_id(name)

    def wrap(self, data: dict[str, Any]) -> str:
        return self.bao.request("POST", "sys/wrapping/wrap", data, wrap_ttl="1m")["wrap_info"]["token"]

    def make_token(self, ttl: int, *, period: int = 0, renewable: bool = True) -> str:
        more = {"period": f"{period}s"} if period else {}
        return self.bao.make_token([], ttl=f"{ttl}s", renewable=renewable, **more)

    def revoke(self, token: str) -> None:
        self.bao.request("POST", "auth/token/revoke", {"token": token})

    def set_delete_version_after(self, duration: str) -> None:
        self.bao.request("POST", "secret/config", {"delete_version_after": duration})

    def configure_path(self, path: str, **settings: Any) -> None:
        self.bao.request("POST", f"secret/metadata/{path}", settings)

    def undelete(self, path: str, version: int) -> None:
        self.bao.request("POST", f"secret/undelete/{path}", {"versions": [version]})

    def soft_delete(self, path: str) -> None:
        self.bao.request("DELETE", f"secret/data/{path}")

    def edit(self, path: str, data: dict[str, Any]) -> None:
        self.bao.request("POST", f"secret/data/{path}", {"data": data})

    def metadata(self, path: str) -> dict[str, Any]:
        return self.bao.request("GET", f"secret/metadata/{path}")["data"]


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.time

    def advance(self, **units: float) -> datetime:
        self.time += timedelta(**units)
        return self.time


@pytest.fixture(scope="session")
def bao() -> Iterator[BaoServer]:
    with BaoServer() as server:
        yield server


@pytest.fixture
def fake() -> Iterator[FakeVault]:
    server = FakeVault()
    yield server
    server.stop()


@pytest.fixture
def real(bao: BaoServer, tmp_path: Path) -> RealVault:
    return RealVault(bao, tmp_path)


@pytest.fixture(params=["fake", "real"])
def vault(request: pytest.FixtureRequest) -> FakeVault | RealVault:
    return request.getfixturevalue(request.param)


@pytest.fixture
def base() -> str:
    """A place of its own for each test: they share one server."""
    return f"team/{uuid.uuid4().hex}"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reach() -> dict[str, Any]:
    """Settings without which the server cannot be reached."""
    return {}


@pytest.fixture
def connect(base: str, clock: Clock, reach: dict[str, Any]) -> Iterator[Any]:
    """Make clients that are closed when the test is over."""
    clients = []

    def make(server: Any, login: Any = None, **settings: Any) -> VaultClient:
        login = login or Token(Secret(server.root_token))
        settings = {"base_path": base, **reach, **settings}
        client = VaultClient(VaultSettings(server.address, login, **settings), clock=clock)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def documents(connect: Any, vault: Any) -> Documents:
    return Documents(connect(vault))
