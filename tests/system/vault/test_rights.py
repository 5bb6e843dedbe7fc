"""What the daemon may do in Vault is taken away in the middle of rotations, and given back; or it ends by itself."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from rotator.demo.policies import sandbox_policies
from tests.system.vault.outages import outages
from tests.world.daemon import SENT
from tests.world.site import LASTING, site

pytestmark = pytest.mark.timeout(180)

AWAY_SECONDS = 8
SHORT = {"token_ttl": "8s", "token_max_ttl": "20s"}
LOGINS = 2
NOTHING = 'path "secret/nothing" { capabilities = ["read"] }'
DENIED = '\npath "secret/data/salesforce/acme/*" { capabilities = ["deny"] }\n'


def revoke_tokens(here):
    """Revoke every token of the daemon, as an administrator does, and return how many there were."""
    vault, revoked = here.stage.vault, 0
    for accessor in vault.request("LIST", "auth/token/accessors")["data"]["keys"]:
        found = vault.request("POST", "auth/token/lookup-accessor", {"accessor": accessor})["data"]
        if "rotator" in found["policies"]:
            vault.request("POST", "auth/token/revoke-accessor", {"accessor": accessor})
            revoked += 1
    return revoked


def test_a_revoked_token_is_replaced_by_a_login_and_nobody_notices(figures):
    with site(LASTING) as here, here.consuming():
        revoked = 0
        for event in ("key.created", SENT, "proof.passed"):
            since = here.rotate_until(event)
            revoked += revoke_tokens(here)
            here.journal.wait_for("vault.login", since)
            here.journal.wait_for("key.promoted", since, credential="acme")
            here.await_steady()
        assert outages(here.journal) == []
        assert not [line for line in here.journal.lines if line.get("alert")]
        here.daemon.stop()
        figures(revoked=revoked, logins=len(here.journal.find("vault.login")), **here.audit())


def test_with_its_secret_id_taken_as_well_it_alerts_and_a_new_one_in_the_file_is_enough(figures):
    with site(LASTING) as here, here.consuming():
        since = here.rotate_until(SENT)
        role = "auth/approle/role/rotator"
        for accessor in here.stage.vault.request("LIST", f"{role}/secret-id")["data"]["keys"]:
            here.stage.vault.request(
                "POST", f"{role}/secret-id-accessor/destroy", {"secret_id_accessor": accessor}
            )
        revoke_tokens(here)
        here.journal.wait_for("vault.login_failed", since)
        time.sleep(AWAY_SECONDS)
        made = here.stage.vault.request("POST", f"{role}/secret-id")["data"]["secret_id"]
        here.stage.approle.secret_id_file.write_text(made)
        here.journal.wait_for("vault.recovered", since)
        here.await_steady()
        (said,) = outages(here.journal, since)
        assert said.began == [("vault.login_failed", "vault.login.refused")]
        assert here.ledger.record("acme")["current"] == 2
        here.daemon.stop()
        figures(outage_seconds=said.seconds, **here.audit())


def test_without_its_policy_it_alerts_on_the_edges_and_goes_on_when_it_has_it_back(figures):
    with site(LASTING) as here, here.consuming():
        since = here.rotate_until(SENT)
        here.stage.vault.install_policy("rotator", NOTHING)
        here.journal.wait_for("vault.permission_denied", since, credential=None)
        time.sleep(AWAY_SECONDS)
        here.stage.vault.install_policy("rotator", sandbox_policies().daemon)
        here.journal.wait_for("vault.recovered", since)
        here.await_steady()
        assert here.ledger.record("acme")["current"] == 2
        (said,) = outages(here.journal, since)
        here.until(
            "whoever was told to lack it has it", lambda: denials(here, since)[0] == denials(here, since)[1]
        )
        begun, _over = denials(here, since)
        assert all(count == 1 for count in begun.values())
        here.daemon.stop()
        figures(outage_seconds=said.seconds, denials=sum(begun.values()), **here.audit())


def test_without_the_rights_to_one_credential_it_alerts_once_and_the_others_are_served(figures):
    with site(LASTING) as here, here.consuming():
        since = here.journal.mark()
        whole = sandbox_policies().daemon
        here.stage.vault.install_policy("rotator", whole + DENIED)
        here.journal.wait_for("vault.permission_denied", since, credential="acme")
        assert here.rotate("globex") == 2
        here.stage.vault.install_policy("rotator", whole)
        here.journal.wait_for("vault.document_usable", since, credential="acme")
        assert here.rotate("acme") == 2
        assert denials(here, since) == ({"acme": 1}, {"acme": 1})
        here.daemon.stop()
        figures(denials=1, **here.audit())


def denials(here, since):
    """Return how often each credential was told to lack a right, and how often that this is over."""
    begun = Counter(line.get("credential") for line in here.journal.find("vault.permission_denied", since))
    over = Counter(line["credential"] for line in here.journal.find("vault.document_usable", since))
    del begun[None]  # Vault as a whole
    return begun, over


def test_where_no_token_can_be_renewed_beyond_its_maximum_it_logs_in_again_in_time(figures):
    with site(LASTING, adopt=False, edit=lambda settings: settings.update(log={"level": "debug"})) as here:
        here.stage.vault.request("POST", "auth/approle/role/rotator", SHORT)
        here.adopt()
        with here.consuming():
            here.rotate_until(SENT)
            here.await_steady()
            here.until("logged in again and again", lambda: len(here.journal.find("vault.login")) > LOGINS)
            renewals = len(here.journal.find("vault.renewed"))
            assert renewals
            assert outages(here.journal) == []
            assert not [line for line in here.journal.lines if line.get("alert")]
            here.daemon.stop()
            figures(logins=len(here.journal.find("vault.login")), renewals=renewals, **here.audit())
