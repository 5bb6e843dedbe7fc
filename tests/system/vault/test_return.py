"""Vault comes back, and 2,000 tokens are to be refreshed: the most urgent first, and no login too many.

The outage takes a minute and does what one of an hour does: whatever there is to refresh comes due in it, was tried in
vain, and waits.
"""

from __future__ import annotations

import random
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.system.vault.outages import outages
from tests.world.fleet import Age, fleet
from tests.world.site import FAST

pytestmark = pytest.mark.timeout(900)

CREDENTIALS, USERS_EACH = 500, 4
TOKENS = (
    CREDENTIALS * USERS_EACH
)  # beside one of each credential that is refreshed before, as in a daemon that has worked
# Those of a fleet in production. Nothing but what the outage holds up comes due while this runs.
LIVES = replace(
    FAST,
    certificate_seconds=90 * 86400,
    renew_before_seconds=30 * 86400,
    session_timeout_seconds=4 * 3600,
    refresh_seconds=1800,
    verify_seconds=900,
    consumer_lag_seconds=300,
    retry_seconds=5,
    reconcile_seconds=1,
)
AWAY_SECONDS = 20
CONSUMERS = 4
LONGEST_SECONDS = 480
MOST_OVERTAKERS = TOKENS // 20  # those that workers have while the others are put into the queue
MOST_LOGINS = 10  # for a refresh; the others were tried, and could not be published
SEED = 20261126


NAMES = [f"c{number:03}" for number in range(CREDENTIALS)]
PLACES = dict(zip(random.Random(SEED).sample(NAMES, CREDENTIALS), range(CREDENTIALS), strict=True))  # noqa: S311 - a seeded order
"""The order in which tokens end, which no name follows."""


def age(name, number, ready_at):
    """All is due when it is ready, and one token of each credential at once.

    They end one after another, the first after half an hour.
    """
    verified_at = ready_at - timedelta(minutes=2)
    ends = ready_at + timedelta(minutes=30, seconds=10 * PLACES[name])
    return Age(verified_at, ready_at if number else verified_at, ends)


def test_when_vault_comes_back_2000_tokens_are_refreshed_the_most_urgent_first(tmp_path, figures):
    with fleet(tmp_path, LIVES, NAMES, 1 + USERS_EACH, age) as here, ExitStack() as working:
        consumers = [working.enter_context(here.consumer(name)) for name in NAMES[:CONSUMERS]]
        here.daemon.start()
        published(here, CREDENTIALS)
        here.vault.stop()
        here.journal.wait_for("vault.unavailable")
        time.sleep(max(0.0, (here.ready_at - datetime.now(UTC)).total_seconds()) + AWAY_SECONDS)
        before, tried = len(here.journal.find("token.published")), sum(here.logins().values())
        here.vault.start()
        back, since = time.monotonic(), here.journal.mark()
        here.journal.wait_for("vault.recovered")
        published(here, CREDENTIALS + TOKENS)
        took = time.monotonic() - back
        order = [PLACES[line["credential"]] for line in here.journal.find("token.published", since)]
        here.daemon.stop()
        assert all(document["sequence"] >= 2 for document in here.tokens())
        (said,) = outages(here.journal)
        # A server that has just been started is sealed for a moment.
        assert set(said.events) <= {"vault.unavailable", "vault.sealed"}
        logins = here.logins()
        assert max(logins.values()) <= MOST_LOGINS
        overtaken = overtakers(order)
        assert overtaken <= MOST_OVERTAKERS
        assert all(consumer.calls and not consumer.failed for consumer in consumers)
        figures(
            outage_seconds=said.seconds,
            refreshed=len(order),
            seconds=round(took, 1),
            a_second=round(len(order) / took, 1),
            less_urgent_before_the_last_of_the_most_urgent_tenth=overtaken,
            logins=sum(logins.values()),
            logins_in_the_outage=tried - before,
            most_logins_of_a_user=max(logins.values()),
            consumer_calls=sum(consumer.calls for consumer in consumers),
            failed_calls=sum(consumer.failed for consumer in consumers),
        )


def published(here, count):
    """Wait until so many tokens were published."""
    give_up = time.monotonic() + LONGEST_SECONDS
    while len(here.journal.find("token.published")) < count:
        assert time.monotonic() < give_up, here.journal.text[-3:]
        time.sleep(0.1)


def overtakers(order):
    """Return how many of the less urgent half came before the last of the most urgent tenth."""
    last = max(number for number, place in enumerate(order) if place < CREDENTIALS // 10)
    return sum(place >= CREDENTIALS // 2 for place in order[:last])
