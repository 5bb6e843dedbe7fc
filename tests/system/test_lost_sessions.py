"""A swap that ends all sessions of the app: for a while nobody has a working token, and it is told since when."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.world.consumer import READ_EVERY_SECONDS
from tests.world.site import HASTY, site

pytestmark = pytest.mark.timeout(180)

RETRY_CEILING_SECONDS = 10 * HASTY.retry_seconds
CALLS_SECONDS = 2 * HASTY.read_timeout_seconds
NOTICED_SECONDS = HASTY.verify_seconds + CALLS_SECONDS
# A dead session is noticed by the next verification; then every key that the org may take is tried until the
# certificate has spread, and consumers read again.
RESTORED_SECONDS = (
    NOTICED_SECONDS + HASTY.propagation_seconds + RETRY_CEILING_SECONDS + CALLS_SECONDS + READ_EVERY_SECONDS
)
# Where no key is taken the change is given up first, and the deployer brings the old certificate back.
BROUGHT_BACK_SECONDS = (
    RESTORED_SECONDS
    + HASTY.proof_deadline_seconds
    + 2 * (HASTY.deploy_seconds + HASTY.poll_seconds + CALLS_SECONDS)
)


@pytest.mark.parametrize(
    ("knobs", "bound_seconds", "current"),
    [
        ({"swap_kills_sessions": True}, RESTORED_SECONDS, 2),
        ({"swap_kills_sessions": True, "break_certificate": 1}, BROUGHT_BACK_SECONDS, 1),
    ],
    ids=["new-certificate-works", "no-certificate-works"],
)
def test_service_is_restored_within_the_stated_time_and_the_record_says_since_when_it_was_gone(
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
        outages = [outage.seconds for consumer in gone for outage in consumer.outages]
        assert max(outages) < bound_seconds
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
        failed = sum(consumer.failed for consumer in gone)
        figures(
            outages_seconds=[round(seconds, 2) for seconds in outages],
            bound_seconds=bound_seconds,
            **here.audit(failed_calls=failed),
        )
