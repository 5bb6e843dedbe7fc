"""People change the org by hand, under way: certificate, app, users, session policy.

Each time the operator is told once, with what to do, and consumers lose no more than what was taken from them.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from rotator.core.model import Ask
from rotator.sandbox.org.seed import ACME, DEPLOYER, USERS, add_external_client_app
from rotator.sandbox.pairs import make_pair
from tests.world.daemon import SENT
from tests.world.rude import CALM
from tests.world.site import FAST, HASTY, change, restored_seconds, site

pytestmark = pytest.mark.timeout(300)

INTEGRATION, REPORTS = USERS[ACME]
MENDED_BY_RUNBOOK = ("certificate.reverted", "session.short")


def told(here, since):
    """Return how often each alert came, with the user that it names; each names a mend."""
    alerts = here.journal.alerts(since)
    assert all(line.get("hint") or line["event"] in MENDED_BY_RUNBOOK for line in alerts)
    return Counter((line["event"], line.get("user", "")) for line in alerts)


def test_a_certificate_of_a_stranger_locks_out_for_a_while_and_no_consumer_notices(figures):
    with site() as here, here.consuming():
        since = here.journal.mark()
        here.control.put_certificate(ACME, make_pair("by hand", 3600).certificate)
        out = here.journal.wait_for("credential.locked_out", since, credential="acme")
        assert "invalid assertion" in out["message"]
        assert out["certificate"] in out["steps"]
        here.journal.wait_for("change.restored", since, credential="acme", serial=1)
        seconds = here.await_steady()
        assert told(here, since) == {("credential.locked_out", ""): 1}
        assert here.rotate("acme") == 2
        here.daemon.stop()
        figures(steady_after_seconds=round(seconds, 1), **here.audit())


def test_an_older_certificate_that_somebody_brings_back_is_told_as_that_and_its_key_signs(figures):
    with site() as here, here.consuming():
        assert here.rotate("acme") == 2
        older = here.ledger.read("secret/data/salesforce/acme/keys/1")["data"]["certificate_pem"]
        since = here.journal.mark()
        here.control.put_certificate(ACME, older)
        here.journal.wait_for("certificate.reverted", since, credential="acme", serial=2, found=1)
        here.await_steady()
        assert here.ledger.record("acme")["current"] == 1
        assert told(here, since) == {("certificate.reverted", ""): 1}
        assert here.rotate("acme") == 3
        here.daemon.stop()
        figures(**here.audit())


def test_a_user_who_is_frozen_in_mid_rotation_holds_up_nobody_and_comes_back_unaided(figures):
    with site() as here, here.consuming():
        since = here.rotate_until(SENT)
        froze_at = time.monotonic()
        here.control.put_user(REPORTS, active=False)
        here.journal.wait_for("key.promoted", since, credential="acme", serial=2)
        refused = here.journal.wait_for("token.refused", since, user=REPORTS)
        here.journal.wait_for("token.not_replaced", since, user=REPORTS)
        assert "frozen" in refused["hint"]
        thawed = here.journal.mark()
        here.control.put_user(REPORTS, active=True)
        robbed_seconds = time.monotonic() - froze_at
        here.journal.wait_for("token.restored", thawed, user=REPORTS)
        assert told(here, since) == {("token.refused", REPORTS): 1, ("token.not_replaced", REPORTS): 1}
        frozen = next(one for one in here.consumers if one.user == REPORTS)
        here.until("its consumer works again", lambda: frozen.outages[-1].ended)
        assert here.rotate("acme") == 3
        here.daemon.stop()
        figures(
            refused_seconds=round(frozen.outages[-1].seconds, 1),
            **here.audit(refused_seconds={REPORTS: robbed_seconds + restored_seconds(FAST)}),
        )


def test_a_deployer_who_is_frozen_in_mid_rotation_delays_it_and_no_consumer_notices(figures):
    (deployer,) = USERS[DEPLOYER]
    with site() as here, here.consuming():
        since = here.journal.mark()
        here.control.knobs(stall_deploys=True)
        here.ask("acme")
        here.journal.wait_for(SENT, since, credential="acme")
        here.control.put_user(deployer, active=False)
        stuck = here.journal.wait_for("change.stuck", since, credential="acme")
        here.journal.wait_for("token.refused", since, user=deployer)
        assert "frozen" in stuck["hint"]
        here.control.put_user(deployer, active=True)
        here.control.knobs(stall_deploys=False)
        here.journal.wait_for("key.promoted", since, credential="acme", serial=2)
        here.await_steady()
        here.until("no trouble is left", lambda: not here.ledger.troubles())
        assert told(here, since) == {("change.stuck", ""): 1, ("token.refused", deployer): 1}
        here.daemon.stop()
        figures(**here.audit())


NEVER_SECONDS = 3600.0
LOST = ("token.refused", "token.not_replaced")


@pytest.mark.parametrize(
    ("after", "ends"),
    [(None, []), ("deploy.finished", ["change.failed", "change.stuck", "credential.locked_out"])],
    ids=["steady", "mid-rotation"],
)
def test_an_app_that_is_deleted_is_told_and_made_anew_it_serves_again(after, ends, figures):
    with site(HASTY, weather=CALM) as here, here.consuming():
        since = here.journal.mark()
        if after is not None:
            here.control.knobs(propagation_least_seconds=NEVER_SECONDS, propagation_seconds=NEVER_SECONDS)
            here.ask("acme")
            here.journal.wait_for(after, since, credential="acme")
            here.control.knobs(propagation_least_seconds=0.0, propagation_seconds=1.0)
        deleted_at = time.monotonic()
        here.control.delete_app(ACME)
        lost = [
            here.journal.wait_for(event, since, user=user)
            for event in LOST
            for user in (INTEGRATION, REPORTS)
        ]
        lost += [here.journal.wait_for(event, since, credential="acme") for event in ends[2:]]
        assert all("deleted the app" in line["hint"] for line in lost)
        expected = {(event, user) for event in LOST for user in (INTEGRATION, REPORTS)}
        assert told(here, since) == Counter([*expected, *((event, "") for event in ends)])
        make_anew(here)
        bound_seconds = time.monotonic() - deleted_at + restored_seconds(HASTY)
        here.until("both users are served", lambda: not here.ledger.troubles())
        here.await_steady()
        assert here.ledger.record("acme")["current"] == 1
        here.rotate("acme")
        robbed = [one for one in here.consumers if one.credential == "acme"]
        here.until("consumers work again", lambda: all(one.outages[-1].ended for one in robbed))
        here.daemon.stop()
        figures(
            refused_calls={one.user: one.failed for one in robbed},
            **here.audit(refused_seconds={one.user: bound_seconds for one in robbed}),
        )


def make_anew(here):
    """Make the app again with the certificate that signs, as the runbook says, and let rotator take it for the old one."""
    certificate = here.ledger.read("secret/data/salesforce/acme/keys/1")["data"]["certificate_pem"]
    org = here.stage.org.org
    with org.lock:
        consumer_key = add_external_client_app(org, ACME, certificate).consumer_key
    since = here.journal.mark()
    change(here.stage.config, lambda said: said["credentials"]["acme"].update(consumer_key=consumer_key))
    here.daemon.reload()
    here.journal.wait_for("identity.mismatch", since, credential="acme")
    here.ask("acme", Ask.RESUME)
    here.journal.wait_for("credential.resumed", since, credential="acme")


SHORT_SECONDS = 12
PROMISED = replace(FAST, session_timeout_seconds=96)


def test_sessions_that_a_policy_cuts_short_under_way_are_kept_alive_all_the_same(figures):
    with site(PROMISED) as here, here.consuming(INTEGRATION):
        since = here.journal.mark()
        here.control.knobs(timeout_reaches_sessions=True, session_timeout_seconds=SHORT_SECONDS)
        seconds = here.until("two of them have passed", passing(2 * SHORT_SECONDS))
        assert here.rotate("acme") == 2
        assert here.journal.find("token.dead") == here.journal.alerts(since) == []
        here.daemon.stop()
        figures(watched_seconds=round(seconds, 1), **here.audit())


def test_where_the_org_tells_of_sessions_a_policy_that_cuts_them_short_holds_a_rotation_until_it_is_mended(
    tmp_path, figures
):
    secret = tmp_path / "client_secret"
    secret.touch(mode=0o600)

    def introspecting(said):
        said["credentials"]["acme"]["session"] = {"client_secret": {"file": str(secret)}}

    with site(PROMISED, edit=introspecting, adopt=False, weather=CALM) as here, here.consuming(INTEGRATION):
        secret.write_text(here.stage.org.org.app(ACME).consumer_secret)
        here.adopt()
        since = here.journal.mark()
        here.control.knobs(timeout_reaches_sessions=True, session_timeout_seconds=SHORT_SECONDS)
        for user in (INTEGRATION, REPORTS):
            here.journal.wait_for("session.short", since, user=user)
        here.until("two of them have passed", passing(2 * SHORT_SECONDS))
        document = here.ledger.token("acme", REPORTS)
        life = datetime.fromisoformat(document["expires_at"]) - datetime.fromisoformat(
            document["verified_at"]
        )
        assert life <= timedelta(seconds=SHORT_SECONDS)
        here.ask("acme")
        lacking = here.journal.wait_for("bridge.lacking", since, credential="acme")
        assert "session.timeout" in lacking["hint"]
        assert not here.journal.find("deploy.sent", since)
        here.control.knobs(session_timeout_seconds=PROMISED.session_timeout_seconds)
        here.journal.wait_for("key.promoted", since, credential="acme", serial=2)
        here.await_steady()
        alerts = told(here, since)
        assert set(alerts.values()) == {1}
        assert {event for event, _user in alerts} == {"session.short", "bridge.lacking"}
        here.daemon.stop()
        figures(life_seconds=life.total_seconds(), **here.audit())


def passing(seconds):
    """Return what tells whether so many seconds have passed."""
    end = datetime.now().astimezone() + timedelta(seconds=seconds)
    return lambda: datetime.now().astimezone() >= end
