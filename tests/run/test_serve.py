"""The daemon as a process: signals, and its configuration read again."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager

import pytest
import yaml

from rotator.core.model import Ask
from tests.world.daemon import Daemon, Journal


@contextmanager
def running(lab, *edits):
    """A daemon that runs on the configuration of the lab, and its journal."""
    lab.steady()
    configuration = lab.configuration(*edits)
    journal = Journal()
    with Daemon(configuration.file, journal) as daemon:
        daemon.start()
        for _ in range(3):
            journal.wait_for("token.published")
        yield daemon, journal, configuration.file


@pytest.fixture
def process(lab):
    with running(lab) as process:
        yield process


def send(daemon: Daemon, number: int) -> None:
    os.kill(daemon.pid, number)


def test_sighup_reads_the_configuration_again_and_sigterm_ends_it(process):
    daemon, journal, file = process
    said = yaml.safe_load(file.read_text())
    del said["credentials"]["globex"]
    file.write_text(yaml.safe_dump(said))
    mark = journal.mark()
    send(daemon, signal.SIGHUP)
    line = journal.wait_for("configuration.reloaded")
    assert (line["removed"], line["added"], line["changed"]) == (["globex"], [], [])
    assert journal.wait_for("daemon.started", since=mark)["credentials"] == 2
    code, _seconds = daemon.stop()
    assert code == 0
    assert journal.find("daemon.stopped", since=mark)


def test_a_configuration_that_does_not_hold_changes_nothing(process):
    daemon, journal, file = process
    file.write_text("vault: nonsense\n")
    mark = journal.mark()
    send(daemon, signal.SIGHUP)
    assert "vault" in journal.wait_for("configuration.refused", since=mark)["mistakes"]
    send(daemon, signal.SIGINT)
    assert daemon._process.wait(20) == 0
    assert not journal.find("daemon.started", since=mark)


def test_a_wrapped_secret_id_outlives_a_reload_also_with_other_settings_of_vault(lab):
    lab.vault.install_policy(
        "all", 'path "*" { capabilities = ["create", "read", "update", "delete", "list"] }'
    )
    role_id = lab.vault.install_approle(lab.base, ["all"], lab.folder).role_id
    wrapping = lab.folder / "wrapping"
    wrapping.write_text(lab.vault.wrapped_secret_id(lab.base))
    wrapping.chmod(0o600)
    login = {"method": "approle", "role_id": role_id, "secret_id": {"file": "wrapping"}, "wrapped": True}
    with running(lab, lambda said: said["vault"].update(login=login)) as (daemon, journal, file):
        journal.wait_for("vault.login")
        for timeout, ask in (("10s", Ask.PAUSE), ("11s", Ask.RESUME)):
            said = yaml.safe_load(file.read_text())
            said["vault"]["timeout"] = timeout
            file.write_text(yaml.safe_dump(said))
            mark = journal.mark()
            send(daemon, signal.SIGHUP)
            journal.wait_for("daemon.started", since=mark)
            lab.ask("globex", ask)
            journal.wait_for("request.accepted", since=mark)
        assert len(journal.find("vault.login")) == 1
        assert not [line for line in journal.lines if line.get("alert")]
