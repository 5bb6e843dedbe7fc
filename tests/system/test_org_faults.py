"""The org is slow, rude or wrong in the middle of rotations: it always ends steady, and consumers see no failure."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from rotator.core.model import Ask
from tests.world.daemon import SENT
from tests.world.site import FAST, site

pytestmark = pytest.mark.timeout(180)

# A new certificate that does not hold is given up soon, but the next one has time on a slow machine, too.
GIVING_UP = replace(FAST, proof_deadline_seconds=12)
MAINTENANCE_SECONDS = 5


@pytest.mark.parametrize(
    ("knob", "lives", "told", "promoted"),
    [
        ({"fail_deploys": 1}, FAST, ("deploy.refused", "change.failed"), False),
        ({"break_certificate": 1}, GIVING_UP, ("change.restoring", "change.restored"), False),
        ({"stall_certificate": 1}, GIVING_UP, ("change.restoring", "change.restored"), False),
        ({"lose_deploy_answer": 1}, FAST, ("deploy.unknown", "key.promoted"), True),
    ],
    ids=["fail_deploys", "break_certificate", "stall_certificate", "lose_deploy_answer"],
)
def test_after_a_spoilt_deploy_the_key_that_the_org_takes_is_current_and_the_next_rotation_holds(
    knob, lives, told, promoted, figures
):
    with site(lives) as here, here.consuming():
        since = here.journal.mark()
        here.control.knobs(**knob)
        here.ask("acme")
        for event in told:
            here.journal.wait_for(event, since, credential="acme")
        seconds = here.await_steady()
        assert here.ledger.record("acme")["current"] == (2 if promoted else 1)
        assert not any(here.control.knobs()[name] for name in knob)
        assert here.rotate("acme") == 3
        here.until("retired keys are destroyed", lambda: not here.ledger.record("acme")["retired"])
        here.daemon.stop()
        figures(knob=knob, steady_after_seconds=round(seconds, 1), **here.audit())


def test_a_maintenance_in_the_middle_of_a_deploy_delays_it_and_no_more(figures):
    with site() as here, here.consuming():
        here.rotate_until(SENT)
        here.control.knobs(maintenance=True)
        time.sleep(MAINTENANCE_SECONDS)
        here.control.knobs(maintenance=False)
        seconds = here.await_steady()
        assert here.rotate("acme") >= 2
        here.daemon.stop()
        figures(
            maintenance_seconds=MAINTENANCE_SECONDS,
            steady_after_seconds=round(seconds, 1),
            **here.audit(unanswered_seconds=MAINTENANCE_SECONDS),
        )


def test_with_a_few_percent_of_faults_everywhere_rotations_end_steady(figures):
    with site() as here, here.consuming():
        here.control.knobs(seed=7, unknown_error_rate=0.04, cut_rate=0.03, wrong_json_rate=0.02)
        took = []
        for number in range(4):
            name = ("acme", "globex")[number % 2]
            here.rotate_until("change.begun", name)
            took.append(round(here.await_steady(name), 1))
        faults = {name: count for name, count in here.control.state()["counts"].items() if count}
        here.control.knobs(unknown_error_rate=0.0, cut_rate=0.0, wrong_json_rate=0.0)
        here.await_steady()
        here.daemon.stop()
        outcomes = [
            entry["outcome"] for name in ("acme", "globex") for entry in here.ledger.record(name)["history"]
        ]
        figures(rotation_seconds=took, outcomes=outcomes, counts=faults, **here.audit())


def test_an_abort_in_the_middle_brings_the_old_certificate_back(figures):
    with site() as here, here.consuming():
        since = here.rotate_until("deploy.finished")
        here.ask("acme", Ask.ABORT)
        here.journal.wait_for("change.restored", since, credential="acme")
        here.await_steady()
        assert here.ledger.record("acme")["current"] == 1
        here.daemon.stop()
        figures(**here.audit())
