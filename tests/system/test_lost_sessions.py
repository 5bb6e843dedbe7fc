"""A swap that ends all sessions of the app: for a while nobody has a working token, and it is told since when."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.world.site import HASTY, restored_seconds, site

pytestmark = pytest.mark.timeout(180)

RESTORED_SECONDS = restored_seconds(HASTY)
# Where no key is taken the change is given up first, and the deployer brings the old certificate back.
BROUGHT_BACK_SECONDS = (
    RESTORED_SECONDS
    + HASTY.proof_deadline_seconds
    + 2 * (HASTY.deploy_seconds + HASTY.poll_seconds + 2 * HASTY.read_timeout_seconds)
)


@pytest.mark.parametrize(
    ("knobs", "bound_seconds", "current"),
    [
        ({"swap_kills_sessions": True}, RESTORED_SECONDS, 2),
        ({"swap_kills_sessions": True, "break_certificate": 1}, BROUGHT_BACK_SECONDS, 1),
    ],
    ids=["new-certificate-works", "no-certificate-works"],
)
def test_service_is_restored_before_more_calls_failed_than_are_made_in_that_time_and_the_record_says_since_when(
    knobs, bound_seconds, current, figures
):
    with site(HASTY) as here, here.consuming():
        since = here.journal.mark()
        here.control.knobs(**knobs)
        here.ask("acme")
        begun = here.journal.wait_for("change.begun", since, credential="acme")
        here.journal.wait_for("deploy.finished", since, credential="acme")
        gone = [consumer for consumer in here.consumers if consumer.credential == "acme"]
        here.until("the consumers lost their sessions", lambda: all(one.outages for one in gone))
        here.until("they work again", lambda: all(one.outages[-1].ended for one in gone))
        here.await_steady()
        assert here.ledger.record("acme")["current"] == current
        here.daemon.stop()
        troubles = [
            trouble
            for record in here.ledger.versions("acme")
            for trouble in record["trouble"]
            if trouble["code"] == "session.dead"
        ]
        for consumer in gone:
            told = [one for one in troubles if one["subject"] == f"token:{consumer.user}"]
            assert told
            assert all(
                datetime.fromisoformat(one["since"]) > datetime.fromisoformat(begun["timestamp"])
                for one in told
            )
            assert here.journal.find("token.dead", since, user=consumer.user)
            assert here.journal.find("token.restored", since, user=consumer.user)
        figures(
            outages_seconds=[round(outage.seconds, 2) for consumer in gone for outage in consumer.outages],
            bound_seconds=bound_seconds,
            **here.audit(refused_seconds={consumer.user: bound_seconds for consumer in gone}),
        )
