"""Certificates that come into the org by the operator's program, or by a person."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.world.commands import Rotator
from tests.world.program import install_program
from tests.world.site import site

pytestmark = pytest.mark.timeout(120)


def test_a_program_of_the_operator_brings_the_certificate_in(tmp_path, figures):
    with site(adopt=False) as here, here.consuming():
        command, log = install_program(tmp_path, here.stage.org.control_url, "Rotator_Acme")
        here.edit(lambda settings: _deploy(settings, publisher="command", command=command, timeout="5s"))
        here.adopt()
        assert [here.rotate("acme"), here.rotate("acme")] == [2, 3]
        here.daemon.stop()
        keys = here.ledger.keys("acme")
        assert log.read_text().splitlines()[-1] == f"acme {keys[3].fingerprint}"
        deploys = [one for one in here.control.state()["deploys"] if not one["check_only"]]
        assert deploys == []
        figures(programs_run=len(log.read_text().splitlines()), **here.audit())


def test_a_person_brings_the_certificate_in_by_the_steps_of_the_alert_and_says_so(figures):
    with site(adopt=False) as here, here.consuming():
        here.edit(lambda settings: _deploy(settings, publisher="manual"))
        here.adopt()
        since = here.journal.mark()
        here.ask("acme")
        alert = here.journal.wait_for("change.waiting", since, credential="acme")
        assert alert["alert"]
        assert alert["certificate"] in alert["steps"]
        assert "Setup" in alert["steps"]
        here.daemon.freeze()  # so that it has not found out by itself when it is told
        here.control.put_certificate("Rotator_Acme", alert["certificate"])
        command = ("deployed", "acme", "--wait", "--vault-token-file", here.stage.operator_token_file)
        with ThreadPoolExecutor(1) as beside:
            telling = beside.submit(Rotator(here.stage).process, *command)
            here.until("it is told", lambda: here.ledger.exists("-/requests/acme"))
            here.daemon.wake()
            said = telling.result()
        assert said.code == 0, said.err
        here.journal.wait_for("key.promoted", since, credential="acme", serial=2)
        here.await_steady()
        here.daemon.stop()
        figures(command_said=said.out.strip().splitlines()[-1:], **here.audit())


def _deploy(settings, **deploy):
    settings["credentials"]["acme"]["deploy"] = deploy
