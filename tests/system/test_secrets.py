"""Which key is worth what after a rotation, who reads what in Vault, and what the log must not hold."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from tests.world.consumer import query_until_useful
from tests.world.ledger import PUBLISHED
from tests.world.site import HASTY, site

pytestmark = pytest.mark.timeout(120)

DENIED = (
    ("GET", "secret/data/salesforce/acme/record"),
    ("GET", "secret/data/salesforce/acme/keys/1"),
    ("GET", "secret/data/salesforce/acme/keys/2"),
    ("LIST", "secret/metadata/salesforce/acme/keys"),
    ("LIST", "secret/metadata/salesforce/acme"),
    ("LIST", "secret/metadata/salesforce"),
    ("LIST", "secret/metadata"),
    ("GET", "secret/data/salesforce/globex/tokens/integration@globex.example"),
    ("GET", "secret/data/salesforce/globex/keys/1"),
    ("GET", "secret/data/salesforce/globex/record"),
    ("GET", "secret/data/salesforce/deployer/keys/1"),
    ("GET", "secret/data/salesforce/deployer/record"),
    ("GET", "secret/data/salesforce/-/requests/acme"),
    ("POST", "secret/data/salesforce/-/requests/acme"),
    ("POST", "secret/data/salesforce/acme/tokens/integration@acme.example"),
    ("DELETE", "secret/data/salesforce/acme/tokens/integration@acme.example"),
    ("POST", "secret/destroy/salesforce/acme/tokens/integration@acme.example"),
    ("DELETE", "secret/metadata/salesforce/acme/tokens/integration@acme.example"),
    ("GET", "secret/config"),
    ("GET", "sys/mounts"),
    ("LIST", "sys/policies/acl"),
    ("GET", "auth/approle/role/rotator/role-id"),
    ("POST", "auth/approle/role/rotator/secret-id"),
    ("LIST", "auth/token/accessors"),
)


@pytest.fixture(scope="module")
def rotated():
    """A site whose log tells everything, after two rotations, a restore and a kill."""
    with site(HASTY, edit=lambda said: said.update(log={"format": "json", "level": "debug"})) as here:
        with here.consuming():
            here.rotate("acme")
            here.rotate("globex")
            here.ledger.keys("acme")
            here.control.knobs(break_certificate=1)
            since = here.journal.mark()
            here.ask("globex")
            here.journal.wait_for("change.restored", since, credential="globex")
            here.control.knobs(cut_rate=0.1, wrong_json_rate=0.05, unknown_error_rate=0.1)
            here.ask("acme")
            here.journal.wait_for("deploy.sent", since, credential="acme")
            here.daemon.kill()
            here.daemon.start()
            here.await_steady()
            here.control.knobs(cut_rate=0.0, wrong_json_rate=0.0, unknown_error_rate=0.0)
            here.await_steady()
        yield here


def test_after_a_rotation_the_org_refuses_the_old_key_and_takes_the_one_in_vault(rotated, figures):
    record, keys = rotated.ledger.record("acme"), rotated.ledger.keys("acme")
    refused = taken = 0
    for user in PUBLISHED["acme"]:
        for _server in range(6):
            old = rotated.log_in("acme", user, keys[record["previous"]].private_key)
            assert (old.status_code, old.json()["error"]) == (400, "invalid_grant")
            refused += 1
        new = rotated.log_in("acme", user, keys[record["current"]].private_key)
        assert new.status_code == 200, new.text
        grant = {**new.json(), "api_version": "60.0"}
        assert query_until_useful(grant).status_code == 200
        taken += 1
    figures(refused=refused, taken=taken, current=record["current"], previous=record["previous"])


def test_a_consumers_token_reads_the_tokens_of_its_credential_and_nothing_else(rotated, figures):
    headers = {"X-Vault-Token": rotated.stage.consumer_token_file("acme").read_text()}
    address = f"{rotated.stage.vault.address}/v1"
    for user in PUBLISHED["acme"]:
        answer = requests.get(
            f"{address}/secret/data/salesforce/acme/tokens/{user}", headers=headers, timeout=10
        )
        accounts = query_until_useful(answer.json()["data"]["data"])
        assert accounts.status_code == 200
        assert accounts.json()["totalSize"] == 1
    statuses = {
        (method, path): requests.request(
            method, f"{address}/{path}", headers=headers, json={}, timeout=10
        ).status_code
        for method, path in DENIED
    }
    assert {call: status for call, status in statuses.items() if status != 403} == {}
    figures(denied=len(statuses))


def test_the_log_at_its_most_talkative_holds_no_secret_and_the_process_shows_none(rotated, figures):
    rotated.audit()
    secrets = rotated.secrets()
    kinds = {what.rpartition(" ")[2] if what.startswith("token of") else what for what in secrets.values()}
    assert {"the secret_id", "the root token", "an access token", "private key 1 of acme"} <= kinds
    assert rotated.leaks() == []
    process = Path(f"/proc/{rotated.daemon.pid}")
    shown = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    assert [what for secret, what in secrets.items() if secret.encode() in shown] == []
    lines = len(rotated.journal.text)
    debug = len([line for line in rotated.journal.lines if line["level"] == "debug"])
    assert debug
    assert [secret for secret in secrets if not rotated.leaks(f'{{"message": "{secret}"}}')] == []
    figures(secrets_searched_for=len(secrets), log_lines=lines, debug_lines=debug)
