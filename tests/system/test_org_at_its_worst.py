"""The org does not get on: a deploy never ends, maintenance outlasts every wait, a certificate spreads too late.

Each time the operator is told once, with what to do; when the org is itself again, rotator ends steady unaided.
"""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from tests.world.daemon import SENT
from tests.world.rude import CALM
from tests.world.site import FAST, restored_seconds, site

pytestmark = pytest.mark.timeout(300)

STUCK = replace(FAST, deploy_deadline_seconds=10, quarantine_seconds=60)


@pytest.mark.parametrize(
    ("deploy_seconds", "state", "told", "current"),
    [
        (0.1, "FinalizingDeploy", ["change.stuck"], 2),
        (2.5 * STUCK.deploy_deadline_seconds, "Canceling", ["change.stuck", "change.failed"], 1),
    ],
    ids=["finalizing", "cancelled"],
)
def test_a_deploy_that_never_ends_is_told_and_nothing_else_is_sent_before_it_does(
    deploy_seconds, state, told, current, figures
):
    with site(STUCK, weather=CALM) as here, here.consuming():
        since = here.journal.mark()
        here.control.knobs(deploy_seconds=deploy_seconds, stall_deploys=True)
        here.ask("acme")
        stuck = here.journal.wait_for("change.stuck", since, credential="acme")
        assert stuck["message"].endswith(f"of key pair 2 does not end: the deploy is {state}")
        assert "Deployment Status" in stuck["hint"]
        assert [one["status"] for one in here.control.state()["deploys"] if not one["check_only"]] == [state]
        here.control.knobs(deploy_seconds=0.1, stall_deploys=False)
        seconds = here.await_steady()
        assert here.ledger.record("acme")["current"] == current
        assert here.rotate("acme") == 3
        here.daemon.stop()
        alerts = here.journal.alerts(since)
        assert [line["event"] for line in alerts] == told
        assert all(line["hint"] for line in alerts)
        figures(state=state, steady_after_seconds=round(seconds, 1), **here.audit())


MAINTAINED = replace(FAST, session_timeout_seconds=120, deploy_deadline_seconds=8)
# Longer than the deadlines of a deploy and of its proofs together, and than any pause between two tries.
MAINTENANCE_SECONDS = 2 * MAINTAINED.deploy_deadline_seconds + 20 * MAINTAINED.retry_seconds + 14


@pytest.mark.parametrize(
    ("lives", "unproven"),
    [(MAINTAINED, False), (replace(MAINTAINED, session_timeout_seconds=28), True)],
    ids=["sessions-outlive-it", "sessions-run-out"],
)
def test_a_maintenance_that_outlasts_every_wait_while_a_deploy_is_under_way_delays_it_and_no_more(
    lives, unproven, figures
):
    with site(lives, weather=CALM) as here, here.consuming():
        since = here.journal.mark()
        here.control.knobs(stall_deploys=True)
        here.ask("acme")
        here.journal.wait_for(SENT, since, credential="acme")
        here.control.knobs(maintenance=True, stall_deploys=False)
        time.sleep(MAINTENANCE_SECONDS)
        over = here.journal.mark()
        here.control.knobs(maintenance=False)
        here.journal.wait_for("key.promoted", since, credential="acme", serial=2)
        here.until("no token is in trouble", lambda: not here.ledger.troubles())
        seconds = here.await_steady()
        assert here.rotate("acme") == 3
        here.daemon.stop()
        alerts = here.journal.alerts(since)
        assert [line["event"] for line in alerts if "user" not in line] == ["change.stuck"]
        told = {line["user"]: line["event"] for line in alerts if "user" in line}
        assert len(told) == len(alerts) - 1
        assert set(told.values()) <= {"token.unproven"}
        assert (set(told) == {one.user for one in here.consumers}) is unproven
        assert all("status 503" in line["message"] and line["hint"] for line in alerts)
        assert here.journal.alerts(over) == []
        assert here.journal.find("change.sessions_died") == []
        # Sessions that have run out are replaced when the org answers again, and consumers read that.
        refused = {one.user: restored_seconds(lives) for one in here.consumers} if unproven else {}
        outages = [outage.seconds for one in here.consumers for outage in one.outages]
        figures(
            maintenance_seconds=MAINTENANCE_SECONDS,
            lines_meanwhile=over - since,
            refused_afterwards_seconds=[round(one, 2) for one in outages],
            steady_after_seconds=round(seconds, 1),
            **here.audit(refused_seconds=refused, unanswered_seconds=MAINTENANCE_SECONDS),
        )


LATE_SECONDS = 20.0
LATE = replace(FAST, session_timeout_seconds=120, proof_deadline_seconds=10, slow_servers_seconds=60)


@pytest.mark.parametrize("late_restore", [False, True], ids=["restore-is-quick", "restore-is-late-as-well"])
def test_a_certificate_that_spreads_after_its_deadline_gives_way_to_the_old_one_and_no_consumer_notices(
    late_restore, figures
):
    late = {"propagation_least_seconds": LATE_SECONDS, "propagation_seconds": LATE_SECONDS + 4}
    quick = {"propagation_least_seconds": 0.0, "propagation_seconds": 1.0}
    with site(LATE) as here, here.consuming():
        since = here.journal.mark()
        here.control.knobs(**late)
        here.ask("acme")
        here.journal.wait_for("deploy.finished", since, credential="acme", target=2)
        if not late_restore:
            here.control.knobs(**quick)
        here.journal.wait_for("change.restoring", since, credential="acme", target=1)
        here.journal.wait_for("deploy.finished", since, credential="acme", target=1)
        here.control.knobs(**quick)
        if late_restore:
            old, new = (here.ledger.keys("acme")[serial].fingerprint for serial in (1, 2))
            here.until("the new certificate came late", lambda: here.ledger.spread("acme") == {new})
            here.until("the old one followed it", lambda: here.ledger.spread("acme") == {old})
        here.journal.wait_for("change.restored", since, credential="acme")
        seconds = here.await_steady()
        assert here.ledger.record("acme")["current"] == 1
        alerts = here.journal.alerts(since)
        assert [line["event"] for line in alerts] == ["change.failed"]
        assert "proof.deadline" in alerts[0]["hint"]
        assert here.rotate("acme") == 3
        here.daemon.stop()
        figures(steady_after_seconds=round(seconds, 1), **here.audit())
