"""Vault is sealed, or away: the daemon keeps sessions alive, says so once, and recovers unaided."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from tests.system.vault.outages import outages
from tests.world.consumer import query_until_useful
from tests.world.daemon import SENT
from tests.world.site import FAST, site

pytestmark = pytest.mark.timeout(180)

SEALED_SECONDS = 8
SHORT_SESSIONS = replace(FAST, session_timeout_seconds=28)
AWAY_SECONDS = 1.5 * SHORT_SESSIONS.session_timeout_seconds
FEW_LINES = 25


def test_sealed_in_the_middle_of_a_rotation_and_unsealed_the_rotation_goes_on(figures):
    with site() as here, here.consuming():
        here.rotate_until(SENT)
        sealed = here.journal.mark()
        here.stage.vault.seal()
        here.journal.wait_for("vault.sealed", sealed)
        time.sleep(SEALED_SECONDS)
        lines = here.journal.mark() - sealed
        here.stage.vault.unseal()
        recovered = here.journal.wait_for("vault.recovered", sealed)
        seconds = here.await_steady()
        assert here.ledger.record("acme")["current"] == 2
        (said,) = outages(here.journal, sealed)
        assert said.events == ["vault.sealed"]
        assert lines <= FEW_LINES
        here.daemon.stop()
        figures(
            sealed_seconds=recovered["seconds"],
            lines_meanwhile=lines,
            steady_after_seconds=round(seconds, 1),
            **here.audit(),
        )


def test_away_for_longer_than_a_session_lives_the_published_tokens_work_all_the_while(figures):
    idle = (
        "acme",
        "reports@acme.example",
    )  # nobody calls with this token: the daemon alone keeps its session
    with site(SHORT_SESSIONS, durable=True) as here, here.consuming("integration@acme.example"):
        here.until("the consumer has its token", lambda: here.consumers[0].calls)
        document = here.ledger.token(*idle)
        away = here.journal.mark()
        here.stage.vault.stop()
        here.journal.wait_for("vault.unavailable", away)
        time.sleep(AWAY_SECONDS)
        lines = here.journal.mark() - away
        answer = query_until_useful(document)
        assert answer.status_code == 200
        here.stage.vault.start()
        here.journal.wait_for("vault.recovered", away)
        assert here.ledger.violations() == []
        here.until(
            "the token is proved anew", lambda: here.ledger.token(*idle)["sequence"] > document["sequence"]
        )
        assert here.ledger.token(*idle)["access_token"] == document["access_token"]
        (said,) = outages(here.journal, away)
        # A server that has just been started is sealed for a moment.
        assert said.events in (["vault.unavailable"], ["vault.unavailable", "vault.sealed"])
        assert lines <= FEW_LINES
        assert here.rotate("acme") == 2
        here.daemon.stop()
        figures(away_seconds=AWAY_SECONDS, lines_meanwhile=lines, **here.audit())


def test_started_while_vault_is_sealed_the_daemon_waits_for_it(figures):
    with site(adopt=False) as here:
        here.stage.vault.seal()
        here.daemon.start()
        here.journal.wait_for("vault.sealed")
        time.sleep(SEALED_SECONDS / 2)
        lines = here.journal.mark()
        here.stage.vault.unseal()
        here.journal.wait_for("vault.recovered")
        here.await_adoption()
        seconds = here.await_steady()
        assert lines <= FEW_LINES
        here.daemon.stop()
        figures(lines_before_unsealing=lines, steady_after_seconds=round(seconds, 1), **here.audit())
