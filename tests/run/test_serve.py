"""The daemon as a process: signals, and its configuration read again."""

from __future__ import annotations

import os
import signal

import pytest
import yaml

from tests.world.daemon import Daemon, Journal


@pytest.fixture
def process(lab):
    """A daemon that runs on the configuration of the lab, and its journal."""
    lab.steady()
    configuration = lab.configuration()
    journal = Journal()
    with Daemon(configuration.file, journal) as daemon:
        daemon.start()
        for _ in range(3):
            journal.wait_for("token.published")
        yield daemon, journal, configuration.file


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
