"""Deploys that fail or are cancelled, and are committed all the same, later."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.world.site import FAST, site

pytestmark = pytest.mark.timeout(180)

LATE_SECONDS = 4
HURRIED = replace(FAST, deploy_deadline_seconds=8, quarantine_seconds=120)


@pytest.mark.parametrize(
    "deploy_seconds",
    [0.5, 2 * HURRIED.deploy_deadline_seconds],
    ids=["failed", "cancelled"],
)
def test_whatever_lands_late_the_orgs_certificate_has_its_key_in_vault(deploy_seconds, figures):
    with site(HURRIED) as here, here.consuming():
        orphans, looks = set(), 0

        def landed():
            nonlocal looks
            looks += 1
            orphans.update(here.ledger.orphans("acme"))
            return here.control.state()["counts"].get("deploys landed late")

        since = here.journal.mark()
        here.control.knobs(late_deploy_seconds=LATE_SECONDS, deploy_seconds=deploy_seconds)
        here.ask("acme")
        here.journal.wait_for("change.failed", since, credential="acme")
        here.until("the deploy landed late", landed)
        here.control.knobs(late_deploy_seconds=0, deploy_seconds=0.5)

        def steady():
            landed()
            return not here.ledger.unsteady("acme")

        seconds = here.until("acme is steady with what landed", steady)
        assert not orphans
        assert not here.journal.find("certificate.reverted"), "nobody else deployed anything"
        assert here.ledger.record("acme")["current"] == 2
        assert here.rotate("acme") == 3
        here.daemon.stop()
        reverted = [line["event"] for line in here.journal.lines[since:] if line.get("alert")]
        figures(looks=looks, steady_after_landing_seconds=round(seconds, 1), alerts=reverted, **here.audit())
