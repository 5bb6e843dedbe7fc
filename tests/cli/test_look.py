"""Commands that look: status, plan, history, token."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_pem_x509_certificate, load_pem_x509_csr
from rich.console import Console, Group

from rotator.cli.history import laid_out
from rotator.core.model import Entry, Reason
from rotator.core.outcome import Outcome
from tests.core.given import HOUR, MINUTE, NOW

ACME = ("integration@acme.example", "reports@acme.example")


def versions(stage, *paths):
    """The newest version of documents in Vault."""
    found = [stage.vault.request("GET", f"secret/metadata/salesforce/{path}")["data"] for path in paths]
    return [one["current_version"] for one in found]


def test_status_shows_who_signs_until_when_and_how_far_tokens_are_proved(rotator):
    ran = rotator("status", "--json")
    assert ran.code == 0
    acme, globex, deployer = ran.json["credentials"]
    assert (acme["credential"], acme["phase"], acme["troubles"]) == ("acme", "steady", [])
    assert re.fullmatch("[0-9a-f]{64}", acme["current"]["fingerprint"])
    assert [token["user"] for token in acme["tokens"]] == list(ACME)
    assert acme["current"]["not_after"] > acme["next_rotation"]["urgent_at"] > acme["next_rotation"]["due_at"]
    assert acme["next_rotation"]["begins_at"] == acme["next_rotation"]["due_at"]
    assert (globex["publishes"], deployer["publishes"], deployer["tokens"]) == (True, False, [])


def test_status_for_people_has_a_line_for_each_credential_and_cuts_nothing_off(rotator):
    fingerprint = rotator.status("acme")["current"]["fingerprint"]
    lines = rotator("status").out.splitlines()
    assert lines[0].split()[:3] == ["CREDENTIAL", "PHASE", "KEY"]
    acme = next(line for line in lines if line.startswith("acme "))
    assert fingerprint[:8] in acme
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\dZ \(in 1 h\)", acme)
    assert "(first of 2)" in acme
    detail = rotator("status", "acme").out
    assert fingerprint in detail
    assert all(user in detail for user in ACME)


def test_status_needs_the_operators_policy_alone_and_then_knows_nothing_of_tokens(rotator):
    ran = rotator.operator("status", "--json")
    assert ran.code == 0
    assert ran.json["credentials"][0]["tokens"] is None
    assert "not readable" in rotator.operator("status").out


def test_status_can_show_troubles_alone(rotator):
    assert rotator("status", "--problems").out.startswith("3 credentials, all well")
    assert rotator("status", "--problems", "--json").json["credentials"] == []


def test_status_sees_that_nobody_refreshes_the_tokens_and_that_a_certificate_has_ended(
    rotator, stage, tmp_path
):
    """A credential whose record and token are from long ago, and for which no daemon runs."""
    credentials = rotator.settings()["credentials"]
    credentials["stale"] = {**credentials["globex"], "consumer_key": "3MVG9stale"}
    for name in ("record", "tokens/integration@globex.example"):
        data = stage.vault.request("GET", f"secret/data/salesforce/globex/{name}")["data"]["data"]
        if name == "record":
            data["keys"] = [{**key, "not_after": "2026-01-01T00:00:00Z"} for key in data["keys"]]
        else:
            data["expires_at"] = "2026-01-01T00:00:00Z"
        stage.vault.request("POST", f"secret/data/salesforce/stale/{name}", {"data": data})
    ran = rotator("status", "stale", "--json", config=rotator.variant(tmp_path, credentials=credentials))
    assert ran.code == 1
    assert {one["code"] for one in ran.json["credentials"][0]["troubles"]} == {
        "token.stale",
        "certificate.expired",
        "rotation.overdue",
    }
    shown = rotator("status", "stale", config=tmp_path / "rotator.yaml")
    assert "the certificate of key pair" in shown.out
    assert "mend: Does the daemon run?" in shown.out


def test_status_and_doctor_see_that_nobody_does_what_is_due_while_the_tokens_still_work(
    rotator, stage, tmp_path
):
    """The time for a refresh and for a rotation is long past, and no daemon runs."""
    credentials = rotator.settings()["credentials"]
    credentials["idle"] = {**credentials["globex"], "consumer_key": credentials["globex"]["consumer_key"]}
    del credentials["globex"]
    credentials["idle"]["rotation"] = {"renew_before": "750d", "urgent_before": "1ms"}
    credentials["idle"]["key"] = {"lifetime": "800d"}
    credentials["idle"]["rollout"] = {"rehearse_first": False}
    for name in ("record", "tokens/integration@globex.example"):
        data = stage.vault.request("GET", f"secret/data/salesforce/globex/{name}")["data"]["data"]
        if name == "record":
            data["keys"] = [{**key, "not_before": "2026-01-01T00:00:00Z"} for key in data["keys"]]
        else:
            data["refresh_after"] = "2026-01-01T00:00:00Z"
        stage.vault.request("POST", f"secret/data/salesforce/idle/{name}", {"data": data})
    serial = rotator.status("globex")["current"]["serial"]
    key = stage.vault.request("GET", f"secret/data/salesforce/globex/keys/{serial}")["data"]["data"]
    stage.vault.request("POST", f"secret/data/salesforce/idle/keys/{serial}", {"data": key})
    config = rotator.variant(tmp_path, credentials=credentials)
    ran = rotator("status", "idle", "--json", config=config)
    assert ran.code == 1
    codes = {one["code"] for one in ran.json["credentials"][0]["troubles"]}
    assert codes == {"token.overdue", "rotation.overdue"}
    assert rotator("status", "idle", "--problems", config=config).code == 1
    looked = rotator("doctor", "idle", config=config)
    assert looked.code == 1
    assert "it works, but was to be refreshed at 2026-01-01 00:00:00Z, and nobody has." in looked.out


def test_plan_tells_what_comes_when_and_touches_nothing(rotator, stage):
    assert rotator("once").code == 0  # so that nothing is due, however old the sandbox is
    paths = ("acme/record", f"acme/tokens/{ACME[0]}", "deployer/record")
    before = versions(stage, *paths)
    ran = rotator("plan", "--json")
    assert ran.code == 0
    acme = ran.json["credentials"][0]
    assert {"touch", "mint", "record"} <= {step["action"] for step in acme["later"]}
    assert [step["at"] for step in acme["later"]] == sorted(step["at"] for step in acme["later"])
    assert acme["next_rotation"] == rotator.status("acme")["next_rotation"]
    deployer = ran.json["credentials"][2]
    assert (deployer["action"], deployer["reason"]) == (
        "mint",
        "there is no token for deployer@acme.example yet; a deployer's is never published, only the daemon has it",
    )
    assert "rotation due" in rotator("plan", "acme").out
    assert versions(stage, *paths) == before


def test_plan_and_status_tell_the_window_for_which_a_rotation_is_held(rotator, tmp_path):
    """A rotation that is due at once, and a window that opens once a year."""
    credentials = rotator.settings()["credentials"]
    credentials["acme"]["rotation"] = {
        "renew_before": "1h59m",
        "urgent_before": "1ms",
        "window": {"cron": "0 0 1 1 *", "duration": "1h"},
    }
    credentials["acme"]["key"] = {"lifetime": "800d"}
    credentials["acme"]["rotation"]["renew_before"] = "750d"
    credentials["acme"]["rollout"] = {"rehearse_first": False}
    config = rotator.variant(tmp_path, credentials=credentials)
    one = rotator("status", "acme", "--json", config=config)
    rotation = one.json["credentials"][0]["next_rotation"]
    assert rotation["held"] == "due, but outside the maintenance window"
    assert rotation["begins_at"].endswith("-01-01T00:00:00Z")
    assert "due, but outside the maintenance window" in rotator("plan", "acme", config=config).out


def test_history_tells_every_change(rotator):
    first = rotator("history", "deployer", "--json").json["history"][0]
    assert (first["reason"], first["target"], first["outcome"]) == ("adopt", 1, "promoted")
    lines = rotator.operator("history", "deployer").out.splitlines()
    assert lines[0].split() == ["BEGAN", "TOOK", "REASON", "KEY", "OUTCOME", "DEPLOYED", "WHY"]
    assert "adopt" in lines[1]


def test_history_fits_80_columns_and_tells_below_why_a_change_failed():
    why = (
        "the org did not take the certificate before the deadline, and this sentence is longer than one line"
    )
    entries = [
        Entry(8, Reason.ROTATION, Outcome.PROMOTED, NOW - HOUR, NOW - HOUR + MINUTE, deployed=True),
        Entry(9, Reason.COMPROMISED, Outcome.GIVEN_UP, NOW - MINUTE, NOW, deployed=False, message=why),
    ]
    out = StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system=None)
    console.print(Group(*laid_out(entries, console)))
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert all(len(line) <= 80 for line in lines)
    assert lines[1].split() == ["2026-03-01", "11:00Z", "1", "m", "rotation", "to", "8", "promoted"]
    assert lines[2].endswith("compromised to 9     given up, not deployed")
    assert " ".join(" ".join(lines[3:]).split()) == why


def test_certificate_is_the_one_that_signs_and_a_csr_asks_for_the_same_key(rotator):
    signs = rotator.status("acme")["current"]
    pem = rotator("certificate", "acme").out
    certificate = load_pem_x509_certificate(pem.encode())
    assert certificate.fingerprint(SHA256()).hex() == signs["fingerprint"]
    told = rotator("certificate", "acme", "--serial", signs["serial"], "--json").json
    assert (told["certificate"], told["fingerprint"]) == (pem, signs["fingerprint"])
    asked = load_pem_x509_csr(rotator("certificate", "acme", "--csr").out.encode())
    assert asked.is_signature_valid
    assert asked.public_key() == certificate.public_key()
    assert asked.subject == certificate.subject


def test_the_certificate_of_a_leaked_key_is_printed_and_asked_for_only_where_it_is_named(
    rotator, stage, tmp_path
):
    """Somebody took it out of the app, and no daemon runs that would replace it."""
    credentials = rotator.settings()["credentials"]
    credentials["leaked"] = {**credentials["globex"], "consumer_key": "3MVG9leaked"}
    record = stage.vault.request("GET", "secret/data/salesforce/globex/record")["data"]["data"]
    serial = record["current"]
    key = stage.vault.request("GET", f"secret/data/salesforce/globex/keys/{serial}")["data"]["data"]
    record["keys"] = [{**key, "leaked": key["serial"] == serial} for key in record["keys"]]
    change = {"target": serial, "rival": None, "reason": "restore", "users": ["integration@globex.example"]}
    record |= {"phase": "locked_out", "change": {**change, "began": "2026-01-01T00:00:00Z"}}
    stage.vault.request("POST", f"secret/data/salesforce/leaked/keys/{serial}", {"data": key})
    stage.vault.request("POST", "secret/data/salesforce/leaked/record", {"data": record})
    config = rotator.variant(tmp_path, credentials=credentials)
    ran = rotator("certificate", "leaked", config=config)
    assert (ran.code, ran.out) == (2, "")
    assert f"key pair {serial} leaked, so its certificate belongs nowhere" in " ".join(ran.err.split())
    named = rotator("certificate", "leaked", "--serial", serial, config=config)
    assert (named.code, named.out) == (0, key["certificate_pem"])
    shown = " ".join(rotator("status", "leaked", config=config).out.split())
    assert f"key pair {serial} leaked, so its certificate is to stay out of the app" in shown
    assert "into the app" not in shown


def test_certificate_tells_that_a_key_pair_is_not_there_and_that_the_operators_policy_does_not_do(rotator):
    missing = rotator("certificate", "acme", "--serial", 99)
    assert missing.code == 1
    assert "hint: " in missing.err
    forbidden = rotator.operator("certificate", "acme")
    assert forbidden.code == 1
    assert "rotator vault-policy daemon" in " ".join(rotator("certificate", "--help").out.split())


def test_token_shows_what_was_sent_and_answered_and_masks_the_token(rotator, stage):
    ran = rotator("token", "acme", "--json")
    assert ran.code == 0
    told = ran.json
    assert told["endpoint"] == f"{stage.org.url}/services/oauth2/token"
    assert told["claims"]["sub"] == ACME[0]
    assert told["claims"]["aud"] == stage.org.url
    assert told["answer"]["scope"] == "api refresh_token"
    assert told["query"]["rows"] == 1
    assert set(told["answer"]["access_token"]) == {"*"}
    assert "00D" not in rotator("token", "acme").out.replace(told["answer"]["org_id"], "")


def test_token_shows_the_secret_when_asked_and_takes_another_user(rotator, stage):
    told = rotator("token", "acme", "--user", ACME[1], "--show-secrets", "--json").json
    assert told["claims"]["sub"] == ACME[1]
    path = f"secret/data/salesforce/acme/tokens/{ACME[1]}"
    published = stage.vault.request("GET", path)["data"]["data"]["access_token"]
    assert told["answer"]["access_token"] == published, "the org gives the same token while its session lives"


@pytest.mark.parametrize("user", ["somebody@acme.example"])
def test_token_knows_the_users_there_are(rotator, user):
    ran = rotator("token", "acme", "--user", user)
    assert ran.code == 2
    assert ACME[1] in ran.err
