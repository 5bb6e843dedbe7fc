"""The sandbox's server: stopped and started, sealed and unsealed, and gone without a trace."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from rotator.core.model import Record
from rotator.errors import Transient
from rotator.sandbox.vault import BaoServer
from rotator.sandbox.vault_api import BaoError
from rotator.vault.documents import Documents
from rotator.vault.verify import verify
from tests.vault.values import record

OWNER = """
from rotator.sandbox.vault import BaoServer

with BaoServer() as server:
    print(server.address, flush=True)
    input()
"""


def answers(address: str) -> bool:
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def test_a_server_with_storage_keeps_its_documents_while_it_is_stopped(tmp_path: Path, connect: Any):
    server = BaoServer(storage=tmp_path / "raft")
    server.start()
    try:
        documents = Documents(connect(server))
        documents.write_record("acme", record(), 0)
        server.stop()
        with pytest.raises(Transient) as caught:
            documents.read_record("acme")
        assert caught.value.code == "vault.unreachable"
        server.start()
        assert documents.read_record("acme") == (record(), 1)
    finally:
        server.stop()


def test_a_sealed_server_is_told_as_such_and_serves_on_when_it_is_unsealed(connect: Any):
    with BaoServer() as server:
        client = connect(server)
        documents = Documents(client)
        assert documents.read_record("acme") == (Record(), 0)
        server.seal()
        with pytest.raises(Transient) as caught:
            documents.read_record("acme")
        assert caught.value.code == "vault.sealed"
        assert [finding.subject for finding in verify(client, {})] == ["vault.sealed"]
        server.unseal()
        assert documents.read_record("acme") == (Record(), 0)


def test_a_server_that_was_stopped_leaves_neither_process_nor_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with BaoServer() as server:
        pid = server.pid
        assert pid is not None
        assert list(tmp_path.iterdir()) != []
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_server_ends_when_the_process_that_started_it_is_killed(tmp_path: Path):
    with subprocess.Popen(
        [sys.executable, "-c", OWNER],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as owner:
        assert owner.stdout
        address = owner.stdout.readline().strip()
        owner.kill()
    give_up = time.monotonic() + 20
    while answers(address):
        assert time.monotonic() < give_up, f"{address} still answers"
        time.sleep(0.05)


def test_the_root_token_is_not_on_the_command_line():
    with BaoServer("a-root-token") as server:
        shown = subprocess.run(
            ["ps", "-ww", "-o", "args=", "-p", str(server.pid)], capture_output=True, text=True, check=True
        ).stdout
        assert "server -dev" in shown
        assert "a-root-token" not in shown
        assert server.request("GET", "auth/token/lookup-self")["data"]["policies"] == ["root"]


def test_a_port_that_is_taken_is_an_error(bao: BaoServer):
    taken = int(bao.address.rpartition(":")[2])
    server = BaoServer(port=taken)
    with pytest.raises(BaoError):
        server.start()
    assert server.pid is None


def test_a_secret_id_is_readable_by_its_owner_alone(bao: BaoServer, tmp_path: Path):
    (tmp_path / "secret_id").write_text("an older one")
    (tmp_path / "secret_id").chmod(0o644)
    files = bao.install_approle("owner", [], tmp_path)
    assert stat.S_IMODE(files.secret_id_file.stat().st_mode) == 0o600
    assert files.secret_id_file.read_text() != "an older one"
