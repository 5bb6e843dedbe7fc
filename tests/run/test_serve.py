"""The daemon as a process: signals, and its configuration read again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from rotator.cli import main
from rotator.core.model import Ask
from rotator.run import lifesign
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


def edit(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    said = yaml.safe_load(file.read_text())
    change(said)
    file.write_text(yaml.safe_dump(said))


def send(daemon: Daemon, number: int) -> None:
    os.kill(daemon.pid, number)


def test_sighup_reads_the_configuration_again_and_sigterm_ends_it(process):
    daemon, journal, file = process
    edit(file, lambda said: said["credentials"].pop("globex"))
    mark = journal.mark()
    send(daemon, signal.SIGHUP)
    line = journal.wait_for("configuration.reloaded")
    assert (line["removed"], line["added"], line["changed"]) == (["globex"], [], [])
    assert journal.wait_for("credential.let_go", since=mark)["credential"] == "globex"
    code, _seconds = daemon.stop()
    assert code == 0
    assert journal.find("daemon.stopped", since=mark)


def test_it_gives_a_sign_of_life_until_it_is_told_to_stop(process):
    daemon, _journal, file = process
    sign = lifesign.place(file, {"RUNTIME_DIRECTORY": str(file.parent)})
    _until_given_again(sign)
    send(daemon, signal.SIGHUP)
    _until_given_again(sign)
    daemon.stop()
    assert not sign.exists()


def test_a_daemon_that_was_killed_gives_no_sign_any_more(process):
    daemon, _journal, file = process
    sign = lifesign.place(file, {"RUNTIME_DIRECTORY": str(file.parent)})
    _until_given_again(sign)
    daemon.kill()
    given = sign.stat().st_mtime
    daemon.start()
    _until_given_again(sign)
    assert sign.stat().st_mtime > given


def _until_given_again(sign: Path) -> None:
    seen, end = None, time.monotonic() + 30
    while time.monotonic() < end:
        given = sign.stat().st_mtime if sign.exists() else None
        if None not in (seen, given) and given != seen:
            return
        seen = given
        time.sleep(0.05)
    raise AssertionError("no sign of life")


def test_a_configuration_that_does_not_hold_changes_nothing(process):
    daemon, journal, file = process
    file.write_text("vault: nonsense\n")
    mark = journal.mark()
    send(daemon, signal.SIGHUP)
    assert "vault" in journal.wait_for("configuration.refused", since=mark)["mistakes"]
    send(daemon, signal.SIGINT)
    assert daemon._process.wait(20) == 0
    assert not journal.find("daemon.started", since=mark)


def test_a_slip_in_one_credential_takes_it_not_out_of_service_and_alerts(process):
    daemon, journal, file = process
    edit(file, lambda said: said["credentials"]["globex"].update(session={"verify_every": "5 min"}))
    mark = journal.mark()
    send(daemon, signal.SIGHUP)
    line = journal.wait_for("configuration.reloaded", since=mark)
    assert (line["kept"], line["removed"], line["changed"]) == (["globex"], [], [])
    line = journal.wait_for("credential.kept", since=mark, credential="globex")
    assert "5 min" in line["message"]
    assert (line["alert"], line["runbook"], bool(line["hint"])) == (True, "configuration", True)
    journal.wait_for("token.published", since=mark, credential="globex")
    assert not journal.find("credential.set_aside")


def test_a_slip_in_the_deployer_keeps_no_request_from_the_daemon_that_serves_on(process):
    daemon, journal, file = process
    edit(file, lambda said: said["credentials"]["deployer"].update(users=["nobody"]))
    mark = journal.mark()
    send(daemon, signal.SIGHUP)
    assert (
        "credentials.deployer.users[0]" in journal.wait_for("configuration.refused", since=mark)["mistakes"]
    )
    ran = CliRunner().invoke(main, ["rotate", "acme", "--wait", "--within", "60s", "-c", str(file)])
    assert (ran.exit_code, "promoted after" in ran.stdout) == (0, True)
    assert "deployer, which deploys for it, is set aside" in ran.stderr
    assert journal.find("key.promoted", since=mark)


def test_the_log_is_written_as_the_configuration_wants_it_now(process):
    daemon, journal, file = process
    assert not [line for line in journal.lines if line["level"] == "debug"]
    edit(file, lambda said: said.update(log={"level": "debug", "format": "json"}))
    mark = journal.mark()
    send(daemon, signal.SIGHUP)
    journal.wait_for("token.verified", since=mark)
    edit(file, lambda said: said.update(log={"level": "error", "format": "json"}))
    edit(file, lambda said: said["credentials"]["globex"].update(session={"verify_every": "5 min"}))
    mark = journal.mark()
    send(daemon, signal.SIGHUP)
    journal.wait_for("credential.kept", since=mark)
    code, _seconds = daemon.stop()
    assert code == 0
    for event in ("daemon.started", "configuration.reloaded", "daemon.stopping"):
        assert not journal.find(event, since=mark)


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
            edit(file, lambda said, timeout=timeout: said["vault"].update(timeout=timeout))
            mark = journal.mark()
            send(daemon, signal.SIGHUP)
            journal.wait_for("configuration.reloaded", since=mark)
            lab.ask("globex", ask)
            journal.wait_for("request.accepted", since=mark)
        assert len(journal.find("vault.login")) == 1
        assert not [line for line in journal.lines if line.get("alert")]
