"""Vault is restored from an older backup, under the daemon's feet or while it is away.

The daemon notices, tells it on both edges, and believes nothing: which key the org takes is found out by trying.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from tests.world import backup
from tests.world.daemon import SENT
from tests.world.ledger import APPS
from tests.world.site import LASTING, restored_seconds, site

pytestmark = pytest.mark.timeout(240)

USER = "integration@acme.example"
LIVES = replace(LASTING, backoff_seconds=1)
MOMENTS = (None, SENT, "proof.passed")


@pytest.fixture
def here():
    with site(LIVES, durable=True) as here:
        yield here


def taken(here, moment):
    """Take a backup at a moment of a rotation, or just before one, and let the rotation end. Return the backup."""
    since = here.journal.mark()
    if moment is None:
        found = backup.take(here.stage.vault)
        here.ask("acme")
    else:
        here.rotate_until(moment)
        found = backup.take(here.stage.vault)
    here.journal.wait_for("key.promoted", since, credential="acme")
    here.await_steady()
    return found


def reconciled(here, since):
    """Wait until all is well again, and return the seconds from the alert to its end."""
    begun = here.journal.wait_for("vault.went_back", since, credential="acme")
    over = here.journal.wait_for("vault.reconciled", since, credential="acme")
    here.await_steady()
    for event in ("vault.went_back", "vault.reconciled"):
        assert len(here.journal.find(event, since, credential="acme")) == 1
    began, ended = (datetime.fromisoformat(line["timestamp"]) for line in (begun, over))
    return round((ended - began).total_seconds(), 1)


def test_restored_under_its_feet_it_notices_by_the_documents(here, figures):
    took = []
    with here.consuming():
        for moment in MOMENTS:
            found = taken(here, moment)
            since = here.journal.mark()
            backup.restore(here.stage.vault, found)
            took.append(reconciled(here, since))
            assert here.ledger.orphans("acme") == set()
        here.rotate("acme")
        here.daemon.stop()
        figures(reconciled_seconds=took, **here.audit())


def away(here, found):
    """Restore a backup while no daemon runs, start one, and return the mark of the journal before it."""
    here.daemon.stop()
    backup.restore(here.stage.vault, found)
    since = here.journal.mark()
    here.daemon.start()
    return since


def test_restored_while_it_is_away_it_notices_by_the_certificate_in_the_org(here, figures):
    with here.consuming():
        found = taken(here, None)
        lost = here.ledger.record("acme")["current"]
        seconds = reconciled(here, away(here, found))
        assert here.ledger.orphans("acme") == set()
        assert here.rotate("acme") > lost  # whose serial is not given again
        here.daemon.stop()
        figures(reconciled_seconds=seconds, **here.audit())


@pytest.mark.parametrize("moment", MOMENTS[1:])
def test_restored_to_the_middle_of_a_change_whose_key_is_kept_it_ends_that_change_by_proofs(
    here, moment, figures
):
    with here.consuming():
        found = taken(here, moment)
        since = away(here, found)
        here.journal.wait_for("key.promoted", since, credential="acme", serial=2)
        here.await_steady()
        assert here.ledger.orphans("acme") == set()
        assert not here.journal.find("vault.went_back", since)
        here.daemon.stop()
        figures(**here.audit())


def test_where_the_key_of_the_deployer_is_lost_a_person_brings_its_certificate_in_and_the_rest_follows(
    here, figures
):
    with here.consuming():
        found = backup.take(here.stage.vault)
        assert [here.rotate("deployer"), here.rotate("acme")] == [2, 2]
        since = away(here, found)
        for name in ("acme", "deployer"):
            here.journal.wait_for("credential.locked_out", since, credential=name)
        alert = here.journal.wait_for("credential.locked_out", since, credential="deployer")
        here.control.put_certificate(APPS["deployer"], alert["certificate"])
        here.await_steady()
        here.daemon.stop()
        figures(**here.audit())


def test_a_token_that_works_is_published_again_in_place_of_a_dead_one_from_the_backup(here, figures):
    with here.consuming():
        found = backup.take(here.stage.vault)
        dead = here.ledger.token("acme", USER)["access_token"]
        here.control.kill_sessions(USER)
        here.until("it is replaced", lambda: here.ledger.token("acme", USER)["access_token"] != dead)
        living = here.ledger.token("acme", USER)["access_token"]
        here.until(
            "the consumers work", lambda: all(one.ended for each in here.consumers for one in each.outages)
        )
        assert here.rotate("acme") == 2
        before = sum(consumer.failed for consumer in here.consumers)
        since = here.journal.mark()
        backup.restore(here.stage.vault, found)
        here.until("it is published again", lambda: here.ledger.token("acme", USER)["access_token"] == living)
        reconciled(here, since)
        here.daemon.stop()
        failed = sum(consumer.failed for consumer in here.consumers)
        longest = max(one.seconds for each in here.consumers for one in each.outages)
        figures(
            refused_after_the_restore=failed - before,
            longest_outage_seconds=round(longest, 1),
            **here.audit(
                refused_seconds={USER: 2 * restored_seconds(LIVES)}
            ),  # after the kill, and the restore
        )
