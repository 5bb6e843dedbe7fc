"""The units, in a booted systemd: what is promised of a service holds where systemd enforces it."""

from __future__ import annotations

import json
import os
import re
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.machines.installed import PROGRAM
from tests.machines.machine import Machine
from tests.machines.service import CONFIG, SERVICES, configure, serving
from tests.world.daemon import SENT
from tests.world.program import program
from tests.world.site import FAST

pytestmark = pytest.mark.timeout(1200)  # the first test of all makes the tree

MOST_EXPOSED = 1.5  # of 10
PRIORITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}


@pytest.fixture(scope="module")
def machine():
    """A machine on which rotator is installed as its own command does it, and as that says to go on."""
    with tempfile.TemporaryDirectory(prefix="rotator-machine-") as folder, Machine(Path(folder)) as machine:
        install(machine)
        yield machine


def install(machine, *arguments):
    """Install the units, and do what is said to come next, but for the start."""
    said = machine.run(PROGRAM, "install", "systemd", *arguments)
    for line in said.partition("Next:\n")[2].splitlines():
        command = line.partition("#")[0].split()
        if command[0] != "journalctl" and "enable" not in command:
            machine.run(*command)


@contextmanager
def drop_in(machine, unit, text):
    """Change a unit as `systemctl edit` does, for a while."""
    file = f"/etc/systemd/system/{unit}.d/override.conf"
    machine.put(file, text)
    machine.run("systemctl", "daemon-reload")
    try:
        yield
    finally:
        machine.run("rm", file)
        machine.run("systemctl", "daemon-reload")


def test_the_units_hold_and_expose_little(machine, figures):
    assert machine.run("systemd-analyze", "verify", "--man=no", *SERVICES, "rotator-once.timer") == ""
    exposure = {}
    for unit in SERVICES:
        said = machine.run(
            "systemd-analyze", "security", "--offline=true", "--no-pager", f"/etc/systemd/system/{unit}"
        )
        exposure[unit] = float(re.search(r"Overall exposure level for \S+: (\S+)", said)[1])
    figures(
        systemd=machine.run("systemctl", "--version").split()[1],
        **{f"exposure of {unit}": value for unit, value in exposure.items()},
    )
    assert max(exposure.values()) <= MOST_EXPOSED


def test_it_is_ready_and_says_how_the_credentials_are(machine):
    with serving(machine) as (here, service):
        assert service.show("ActiveState") == "active"
        here.until(
            "the status says that all is well",
            lambda: service.show("StatusText") == "3 credentials: 3 steady",
        )
        assert machine.run(PROGRAM, "alive", "-c", CONFIG).startswith("alive: ")


def test_it_is_ready_while_vault_is_sealed_and_takes_up_its_work_when_it_is_not(machine):
    with serving(machine, adopt=False) as (here, service):
        here.stage.vault.seal()
        service.start()
        assert service.show("ActiveState") == "active"
        here.journal.wait_for("vault.sealed")
        here.until("the status tells it", lambda: "sealed" in service.show("StatusText"))
        here.stage.vault.unseal()
        here.await_adoption()
        assert service.show("NRestarts") == "0"


def test_it_is_ready_where_there_is_no_vault(machine):
    def elsewhere(settings):
        settings["vault"]["address"] = "http://127.0.0.1:9"

    with serving(machine, elsewhere, adopt=False) as (here, service):
        service.start()
        here.journal.wait_for("vault.unavailable")
        assert (service.show("ActiveState"), service.show("NRestarts")) == ("active", "0")


def test_a_reload_takes_the_changed_configuration_without_a_restart(machine):
    with serving(machine) as (here, service):
        pid = service.show("MainPID")
        configure(machine, here, lambda settings: settings["credentials"].pop("globex"))
        service.reload()
        here.journal.wait_for("configuration.reloaded", removed=["globex"])
        here.until("the status knows", lambda: service.show("StatusText") == "2 credentials: 2 steady")
        since = here.journal.mark()
        machine.put(CONFIG, "vault: {}\n")
        service.reload()
        assert here.journal.wait_for("configuration.refused", since)["alert"]
        assert "the configuration was refused" in service.show("StatusText")
        assert service.show("MainPID") == pid


def test_it_rotates_while_it_may_do_nothing_else(machine, figures):
    """By the Metadata API, and by a program of the operator."""
    machine.put("/usr/local/bin/install-certificate", program("/usr/bin/python3"), 0o755)
    runs = "/run/rotator/runs"

    def by_program(settings):
        command = ["/usr/local/bin/install-certificate", here_url, "Rotator_Globex", runs]
        settings["credentials"]["globex"]["deploy"] = {
            "publisher": "command",
            "command": command,
            "timeout": "5s",
        }

    with serving(machine, adopt=False) as (here, service), here.consuming():
        here_url = here.stage.org.control_url
        configure(machine, here, by_program)
        here.adopt()
        assert (here.rotate("acme"), here.rotate("globex")) == (2, 2)
        deploys = [one for one in here.control.state()["deploys"] if not one["check_only"]]
        assert len(deploys) == 1
        assert machine.run("cat", runs) == f"globex {here.ledger.keys('globex')[2].fingerprint}"
        status = machine.run("cat", f"/proc/{service.show('MainPID')}/status")
        may = dict(re.findall(r"^(\w+):\t(.*)$", status, re.MULTILINE))
        assert (may["CapBnd"], may["CapEff"], may["NoNewPrivs"], may["Seccomp"]) == (
            "0" * 16,
            "0" * 16,
            "1",
            "2",
        )
        assert "0" not in may["Uid"].split()
        assert service.stop()[0] == 0
        figures(**here.audit())


@contextmanager
def user_that_lasts(machine, name):
    install(machine, "--user", name, "--overwrite")
    try:
        yield int(machine.run("id", "-u", name))
    finally:
        install(machine, "--overwrite")


def test_the_watchdog_kills_a_daemon_whose_rounds_hang_and_it_comes_back(machine, figures):
    """A file that it reads becomes a pipe that nobody writes to. All its other threads go on, and would feed a dog.

    The file is the service's own, for no pipe can stand among what systemd loads: so it is run by a user that lasts.
    """

    def own(settings):
        settings["vault"]["timeout"] = "300ms"  # a round that takes longer than all its calls hangs: 24 s
        settings["vault"]["login"]["secret_id"] = {"file": "own/secret_id"}

    quick = "[Service]\nWatchdogSec=10\n"
    with (
        user_that_lasts(machine, "salesforce") as uid,
        drop_in(machine, "rotator.service", quick),
        serving(machine, own, adopt=False) as (here, service),
    ):
        secret = machine.root / "etc/rotator/own/secret_id"

        def put_secret():
            secret.unlink(missing_ok=True)
            machine.put("/etc/rotator/own/secret_id", here.stage.approle.secret_id_file.read_text(), 0o600)
            os.chown(secret, uid, uid)

        put_secret()
        here.adopt()
        secret.unlink()
        os.mkfifo(secret, 0o600)
        os.chown(secret, uid, uid)
        since = here.journal.mark()
        here.stage.vault.request("PUT", "sys/leases/revoke-prefix/auth/approle/login")
        late = here.journal.wait_for("heartbeat.late", since, part="round", within_seconds=120)
        here.until("the daemon was killed", lambda: service.show("NRestarts") != "0", within_seconds=120)
        put_secret()
        assert any("Watchdog timeout" in line for line in here.journal.text)
        here.journal.wait_for("daemon.started", since, within_seconds=120)
        assert here.rotate("acme") == 2
        figures(late_after_seconds=late["seconds"], restarts=service.show("NRestarts"))


def test_a_daemon_that_is_killed_comes_back_and_goes_on(machine):
    with serving(machine) as (here, service):
        since = here.rotate_until(SENT)
        service.kill()
        here.journal.wait_for("daemon.started", since)
        here.journal.wait_for("key.promoted", since, credential="acme", serial=2)
        assert service.show("NRestarts") == "1"


def test_it_stops_in_time_in_mid_rotation_and_the_next_start_goes_on(machine, figures):
    with serving(machine, lives=replace(FAST, deploy_seconds=4)) as (here, service), here.consuming():
        since = here.rotate_until(SENT)
        code, seconds = service.stop()
        assert (code, service.show("Result"), service.show("ActiveState")) == (0, "success", "inactive")
        assert here.phase("acme") == "deploying"
        service.start()
        here.journal.wait_for("key.promoted", since, credential="acme", serial=2)
        here.await_steady()
        service.stop()
        figures(stop_seconds=round(seconds, 1), **here.audit())


def test_the_timer_does_all_that_is_due_without_a_daemon(machine):
    soon = "[Timer]\nOnBootSec=\nOnActiveSec=1s\nOnUnitInactiveSec=2s\nAccuracySec=100ms\n"  # all times anew
    with (
        drop_in(machine, "rotator-once.timer", soon),
        serving(machine, adopt=False) as (here, service),
    ):
        machine.run("systemctl", "start", "rotator-once.timer")
        here.await_adoption()
        assert here.rotate("acme") == 2
        assert service.show("ActiveState") == "inactive"
        assert not here.journal.find("daemon.started")
        machine.run("systemctl", "stop", "rotator-once.timer", "rotator-once.service")
        assert machine.show("rotator-once.service", "Result") == "success"


def test_the_journal_picks_by_level(machine, figures):
    with serving(machine) as (here, service):
        here.stage.vault.seal()
        here.journal.wait_for("vault.sealed")
        here.stage.vault.unseal()
        here.journal.wait_for("vault.recovered")
        said = {asked: entries(machine, service, *asked) for asked in ((), ("--priority=warning",))}
    everything, loud = said.values()
    assert {one["event"] for one in loud} >= {"vault.sealed"}
    assert "vault.recovered" in {one["event"] for one in everything} - {one["event"] for one in loud}
    assert loud == [one for one in everything if PRIORITIES[one["level"]] <= PRIORITIES["warning"]]
    figures(lines=len(everything), warnings=len(loud))


def entries(machine, service, *asked):
    """Return what rotator itself said, as the journal gives it to those who ask."""
    said = machine.run("journalctl", "--output=json", service.since, "--unit=rotator", *asked)
    lines = [json.loads(line) for line in said.splitlines()]
    return [json.loads(line["MESSAGE"]) for line in lines if line["SYSLOG_IDENTIFIER"] == "rotator"]


def test_a_start_that_fails_shows_among_the_errors(machine):
    with serving(machine, adopt=False) as (_here, service):
        machine.put(CONFIG, "vault: {}\n")
        machine.run("systemctl", "start", "rotator", check=False)
        said = machine.run(
            "journalctl",
            "--output=cat",
            service.since,
            "--unit=rotator",
            "--priority=err",
        )
    assert "error: the configuration has " in said
