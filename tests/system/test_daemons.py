"""Two daemons on one Vault; a daemon that is asked to stop."""

from __future__ import annotations

import time

import pytest

from tests.world.daemon import SENT, Daemon
from tests.world.site import site

pytestmark = pytest.mark.timeout(180)

AFTERMATH_SECONDS = 4.0  # a deploy and its spreading
STOP_SECONDS = 15.0  # what the daemon grants the steps under way


def test_two_daemons_on_one_vault_do_no_harm_over_several_rotations(figures):
    with site() as here, here.consuming(), Daemon(here.stage.config, here.journal) as other:
        other.start()
        for _round in range(3):
            names = ("acme", "globex")
            before = {name: here.ledger.record(name)["current"] for name in names}
            for name in names:
                here.ask(name)
            for name, serial in before.items():
                here.until(
                    "rotated", lambda name=name, serial=serial: here.ledger.record(name)["current"] > serial
                )
            here.await_steady()
        other.kill()
        assert here.rotate("acme") == 5
        here.daemon.stop()
        promoted = len(here.journal.find("key.promoted", reason="rotation"))
        figures(rotations=7, deploys=_deploys(here), promotions_told=promoted, **here.audit())


@pytest.mark.parametrize("event", ["change.begun", "validation.passed", SENT])
def test_a_daemon_that_wakes_up_in_another_ones_rotation_does_no_harm(event, figures):
    with site() as here, here.consuming(), Daemon(here.stage.config, here.journal) as other:
        here.rotate_until(event)
        here.daemon.freeze()
        other.start()
        here.until("the other one has rotated", lambda: here.ledger.record("acme")["current"] == 2)
        here.await_steady()
        here.rotate_until("change.begun")
        here.daemon.wake()
        here.until("rotated again", lambda: here.ledger.record("acme")["current"] == 3)
        here.await_steady()
        assert here.rotate("acme") == 4
        here.daemon.stop()
        other.stop()
        figures(frozen_after=event, **here.audit())


def test_a_daemon_that_stood_still_while_it_sent_a_deploy_sends_nothing_after_its_lease(figures):
    with site() as here, here.consuming(), Daemon(here.stage.config, here.journal) as other:
        here.rotate_until("key.created")
        here.control.knobs(
            slow_seconds=0.7
        )  # so that the deployer still logs in when the record tells of the deploy
        here.until("a deploy is about to be sent", lambda: here.ledger.record("acme")["busy_until"])
        here.daemon.freeze()
        here.control.knobs(slow_seconds=0.0)
        sent = _deploys(here)
        other.start()
        here.until("the other one has rotated", lambda: here.ledger.record("acme")["current"] == 2)
        here.await_steady()
        assert here.rotate("acme") == 3
        here.daemon.wake()
        time.sleep(AFTERMATH_SECONDS)
        here.await_steady()
        assert here.ledger.record("acme")["current"] == 3
        assert _deploys(here) <= sent + 2
        assert here.journal.find("certificate.reverted") == []
        here.daemon.stop()
        other.stop()
        figures(deploys_before=sent, deploys=_deploys(here), **here.audit())


def _deploys(here):
    return sum(not one["check_only"] for one in here.control.state()["deploys"])


def test_asked_to_stop_in_the_middle_of_rotations_the_daemon_ends_cleanly_and_the_next_one_goes_on(figures):
    took = {}
    with site() as here, here.consuming():
        for event in ("key.created", SENT, "deploy.finished", "proof.passed"):
            since = here.rotate_until(event)
            code, seconds = here.daemon.stop()
            assert code == 0
            assert seconds < STOP_SECONDS + 5
            assert here.journal.find("daemon.stopping", since, signal="SIGTERM")
            assert here.journal.find("daemon.stopped", since)
            assert here.ledger.violations() == []
            took[event] = round(seconds, 2)
            here.daemon.start()
            here.journal.wait_for("key.promoted", since, credential="acme")
            here.await_steady()
        here.daemon.stop()
        figures(stop_seconds=took, **here.audit())
