"""The doctor tries every part, in an order that stays, and tells what mends it."""

from __future__ import annotations

import os
import re
import subprocess
from copy import deepcopy
from itertools import groupby
from xml.etree import ElementTree as ET  # only to add an element

import pytest

from rotator.doctor import sessions
from rotator.errors import Misconfigured
from rotator.run import lifesign
from rotator.salesforce.rest import Org
from rotator.sandbox.org.apps import MANAGE_USERS, MODIFY_METADATA, VIEW_SETUP
from rotator.sandbox.org.components import CONNECTED_APP, OAUTH_POLICIES
from rotator.secret import Secret
from tests.world.terminal import Terminal

USER = "integration@globex.example"
ADDRESSES = ("globex: lockSessionsToIp", "globex: enforceIpRangesEveryRequest")


def subjects(ran):
    return [one["subject"] for one in ran.json["findings"]]


def finding(ran, subject):
    (found,) = (one for one in ran.json["findings"] if one["subject"] == subject)
    return found


def failures(ran):
    return {one["subject"]: one["hint"] for one in ran.json["findings"] if not one["ok"]}


def test_a_healthy_fleet_has_no_failure_and_the_same_order_each_time(rotator):
    ran = rotator("doctor", "--json")
    assert (ran.code, failures(ran)) == (0, {})
    assert ran.json["well"] is True
    assert subjects(ran) == subjects(rotator("doctor", "--json"))
    seen = [subject.split(":")[0] for subject in subjects(ran)]
    assert [key for key, _group in groupby(seen)][:4] == [
        "machine",
        "configuration",
        "vault.server",
        "vault.login",
    ]
    for part in (
        "record",
        "certificate",
        "key",
        "clock",
        "API version",
        "API requests",
        "login of",
        "calls of",
        "published token",
    ):
        assert any(subject.startswith(f"acme: {part}") for subject in subjects(ran)), part
    assert any("deploy" in subject for subject in subjects(ran))


def test_a_token_of_the_port_that_others_can_read_is_found(rotator, tmp_path):
    token = tmp_path / "web-token"
    token.write_text("0123456789abcdef")
    config = rotator.variant(tmp_path, web={"token": {"file": str(token)}})
    for mode, well in ((0o600, True), (0o644, False)):
        token.chmod(mode)
        found = finding(rotator("doctor", "globex", "--json", config=config), "web")
        assert (found["ok"], "chmod 600" in found["hint"]) == (well, not well)


def test_for_people_each_finding_is_a_line_and_a_count_ends_it(rotator):
    ran = rotator("doctor", "globex")
    assert ran.code == 0
    *lines, last = [line for line in ran.out.splitlines() if "by hand: " not in line]
    unseen = [line for line in lines if line.startswith("unseen  ")]
    assert all(line.startswith("ok  ") for line in lines if line not in unseen)
    assert unseen[0].startswith("unseen  machine: daemon: none is seen to run here: ")
    assert last == f"all {len(lines) - 1} findings are well; 1 could not be looked at"


def test_what_fails_is_told_with_its_mend_and_ends_with_1(rotator, knobs):
    knobs(lock_sessions_to_ip=True, deny_metadata=True)
    ran = rotator("doctor", "acme", "--json")
    assert ran.code == 1
    assert failures(ran)
    assert all(failures(ran).values()), "each has a mend"
    shown = rotator("doctor", "acme")
    assert "FAILED  " in shown.out
    assert "mend: " in shown.out
    assert "findings wants mending: Rotator_Acme" in shown.out


def test_on_a_terminal_findings_stand_under_what_they_are_about(rotator):
    terminal = Terminal.rotator("doctor", "globex", config=rotator.stage.config, rows=70)
    assert terminal.end() == 0
    headings = [line for line in terminal.lines if re.match("[A-Za-z]", line)]
    address, org = rotator.stage.vault.address, rotator.stage.org.url
    assert headings[:-1] == [
        "This machine",
        "Configuration",
        f"Vault at {address}",
        f"globex, in the org at {org}",
    ]
    assert headings[-1].startswith("all ")
    assert "  ✔ record: steady, without trouble." in terminal.lines
    assert any(line.startswith("    by hand: ") for line in terminal.lines)


def machine(rotator, folder, **sections):
    ran = rotator("doctor", "globex", "--json", config=rotator.variant(folder, **sections))
    return {one["subject"]: one for one in ran.json["findings"] if one["subject"].startswith("machine: ")}


def test_files_that_others_can_change_or_read_are_found(rotator, tmp_path):
    key, certificate = tmp_path / "client.key", tmp_path / "client.crt"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-days", "3"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    key.chmod(0o644)
    tls = {"certificate_file": str(certificate), "key_file": str(key)}
    sections = {"vault": rotator.settings()["vault"] | {"client_certificate": tls}}
    found = machine(rotator, tmp_path, **sections)
    assert not found["machine: key for Vault"]["ok"]
    assert found["machine: key for Vault"]["hint"].startswith(f"chmod 600 {key}")
    assert not found["machine: certificate for Vault"]["ok"], "it ends in three days"
    key.chmod(0o600)
    assert machine(rotator, tmp_path, **sections)["machine: key for Vault"]["ok"]
    config = tmp_path / "rotator.yaml"
    config.chmod(0o666)
    found = machine(rotator, tmp_path)
    assert found["machine: configuration file"]["hint"] == f"chmod o-w {config}."


def test_the_daemon_is_seen_to_be_alive_or_not(rotator, tmp_path):
    config = rotator.variant(tmp_path)
    sign = lifesign.place(config)
    lifesign.give(sign)
    try:
        assert machine(rotator, tmp_path)["machine: daemon"]["message"].startswith("it is alive")
        os.utime(sign, (1e9, 1e9))
        assert not machine(rotator, tmp_path)["machine: daemon"]["ok"]
    finally:
        lifesign.withdraw(sign)


def test_clocks_that_differ_are_found(rotator, stage):
    stage.control.clock(offset_seconds=90)
    try:
        ran = rotator("doctor", "globex", "--json")
    finally:
        stage.control.clock(offset_seconds=0)
    assert ran.code == 1
    assert any("clock" in subject or "login" in subject for subject in failures(ran))


@pytest.fixture
def globex_user(stage):
    """The simulated user of globex, whose permissions a test may change."""
    user = stage.org.org.users[USER]
    before = set(user.permissions), set(user.permission_sets)
    yield user
    user.permissions, user.permission_sets = before


def test_an_org_that_has_few_calls_left_is_found(rotator, stage, knobs):
    with stage.org.org.lock:
        used = len(stage.org.org.api_calls)
        stage.org.org.api_calls.extend([stage.org.org.elapsed()] * 2_000)
    knobs(daily_api_requests=used + 2_100)
    ran = rotator("doctor", "globex", "--json")
    with stage.org.org.lock:
        while len(stage.org.org.api_calls) > used:
            stage.org.org.api_calls.pop()
    assert ran.code == 1
    assert list(failures(ran)) == ["globex: API requests"]
    assert "API usage" in failures(ran)["globex: API requests"]


def test_calls_that_are_left_and_not_shown_to_the_user_are_no_failure(rotator, globex_user):
    globex_user.permissions = globex_user.permissions - {VIEW_SETUP}
    ran = rotator("doctor", "globex", "--json")
    assert (ran.code, failures(ran)) == (0, {})
    assert "not shown" in finding(ran, "globex: API requests")["message"]


def test_a_credential_without_a_key_pair_is_found(rotator, tmp_path):
    credentials = rotator.settings()["credentials"]
    credentials["newer"] = {
        "login_url": rotator.stage.org.url,
        "users": ["integration@newer.example"],
        "deploy": {"publisher": "manual"},
    }
    ran = rotator("doctor", "newer", "--json", config=rotator.variant(tmp_path, credentials=credentials))
    assert ran.code == 1
    assert "rotator init newer" in failures(ran)["newer: key"]


def test_without_the_daemons_rights_the_missing_ones_are_named(rotator):
    ran = rotator.operator("doctor", "acme", "--json")
    assert ran.code == 1
    assert any('capabilities = ["' in hint for hint in failures(ran).values())


# --- how long sessions live


@pytest.fixture
def policies(stage):
    """Sets elements of an app's policies, and puts the policies back."""
    documents = {
        "acme": stage.org.org.app("Rotator_Acme").documents[OAUTH_POLICIES],
        "globex": stage.org.org.app("Rotator_Globex").documents[CONNECTED_APP],
    }
    before = {name: deepcopy(document.root) for name, document in documents.items()}

    def put(name, path, text):
        with stage.org.org.lock:
            element = documents[name].root
            for tag in path.split("/"):
                below = element.find(tag)
                element = ET.SubElement(element, tag) if below is None else below
            element.text = text

    yield put
    for name, document in documents.items():
        document.root = before[name]


def variant(rotator, folder, keep=("globex", "deployer"), **globex):
    """Return a configuration of some credentials, in which globex has other sections."""
    credentials = rotator.settings()["credentials"]
    credentials["globex"] |= globex
    return rotator.variant(folder, credentials={name: credentials[name] for name in keep})


def test_a_session_timeout_that_the_org_does_not_keep_is_found(rotator, knobs):
    knobs(session_timeout_seconds=1800)
    ran = rotator("doctor", "globex", "--json")
    assert ran.code == 1
    assert list(failures(ran)) == ["globex: session timeout"]
    assert "timeout: 30m" in failures(ran)["globex: session timeout"]
    assert "counts on 2h" in finding(ran, "globex: session timeout")["message"]


def test_a_longer_session_timeout_of_the_org_is_well_and_told(rotator, knobs):
    knobs(session_timeout_seconds=4 * 3600)
    said = finding(rotator("doctor", "globex", "--json"), "globex: session timeout")
    assert (said["ok"], "ends 4h after" in said["message"], "counts on 2h" in said["message"]) == (
        True,
        True,
        True,
    )


@pytest.mark.parametrize(
    ("name", "path"), [("acme", "sessionTimeoutInMinutes"), ("globex", "sessionPolicy/sessionTimeout")]
)
def test_the_timeout_of_the_apps_policies_goes_before_that_of_the_org(rotator, policies, name, path):
    policies(name, path, "15")
    ran = rotator("doctor", name, "--json")
    assert list(failures(ran)) == [f"{name}: session timeout"]
    assert "ends 15m" in finding(ran, f"{name}: session timeout")["message"]
    assert "by the app's policies" in finding(ran, f"{name}: session timeout")["message"]


def test_what_a_session_says_of_itself_goes_before_all_settings(rotator, knobs, globex_user, tmp_path):
    knobs(session_timeout_seconds=1800)  # of sessions to come
    globex_user.permissions = globex_user.permissions | {MANAGE_USERS}
    ran = rotator("doctor", "globex", "--json")
    assert (ran.code, failures(ran)) == (0, {})
    assert "ends 2h after" in finding(ran, f"globex: session of {USER}")["message"]
    longer = variant(rotator, tmp_path, session={"timeout": "4h"})
    ran = rotator("doctor", "globex", "--json", config=longer)
    assert list(failures(ran)) == [f"globex: session of {USER}"]
    assert "timeout: 2h" in failures(ran)[f"globex: session of {USER}"]


def test_a_format_of_tokens_that_is_not_the_configured_one_is_found(rotator, knobs):
    knobs(jwt_tokens=True)
    ran = rotator("doctor", "globex", "--json")
    assert "format: jwt" in failures(ran)[f"globex: session of {USER}"]


@pytest.mark.parametrize(("timeout", "well"), [("30m", True), ("40m", False)])
def test_the_life_of_a_token_in_jwt_format_is_compared(rotator, knobs, tmp_path, timeout, well):
    knobs(jwt_tokens=True, jwt_timeout_seconds=1800)
    session = {"format": "jwt", "timeout": timeout, "refresh_every": "5m", "verify_every": "5m"}
    config = variant(rotator, tmp_path, session=session, deploy={"publisher": "manual", "accept_gap": True})
    said = finding(rotator("doctor", "globex", "--json", config=config), f"globex: session of {USER}")
    assert said["ok"] is well
    assert "ends 30m after its mint" in said["message"]


# --- from where sessions may be used


@pytest.mark.parametrize(
    "deploy", [{"publisher": "manual"}, {"publisher": "command", "command": ["/bin/true"], "timeout": "1s"}]
)
def test_whatever_brings_certificates_in_a_deployer_of_the_org_looks_at_its_settings(
    rotator, knobs, tmp_path, deploy
):
    """The deployer of another credential, or one that is named and does not deploy."""
    knobs(lock_sessions_to_ip=True, session_timeout_seconds=900)
    others = variant(rotator, tmp_path, ("acme", "globex", "deployer"), deploy=deploy)
    ran = rotator("doctor", "globex", "--json", config=others)
    assert set(failures(ran)) == {"globex: lockSessionsToIp", "globex: session timeout"}
    named = variant(rotator, tmp_path, deploy={**deploy, "with": "deployer"})
    ran = rotator("doctor", "globex", "--json", config=named)
    assert set(failures(ran)) == {"globex: lockSessionsToIp", "globex: session timeout"}


def test_what_nobody_may_read_is_no_failure_and_a_person_is_told_how_to_look(rotator, tmp_path):
    config = variant(rotator, tmp_path, ("globex",), deploy={"publisher": "manual"})
    ran = rotator("doctor", "globex", "--json", config=config)
    assert (ran.code, failures(ran)) == (0, {})
    for subject in (*ADDRESSES, "globex: session timeout"):
        said = finding(ran, subject)
        assert (said["looked"], "INSUFFICIENT_ACCESS" in said["message"]) == (False, True)
        assert "Session Settings" in said["hint"]
    assert "2h or longer" in finding(ran, "globex: session timeout")["hint"]
    shown = rotator("doctor", "globex", config=config).out
    assert shown.count("unseen  ") == shown.count("        by hand: ") == 4
    assert shown.splitlines()[-1].endswith("findings are well; 4 could not be looked at")


def test_a_deployer_that_logs_in_to_another_org_by_the_same_address_is_not_asked(
    rotator, tmp_path, monkeypatch
):
    """As behind login.salesforce.com, where all orgs log in."""
    elsewhere = Org("https://other.my.salesforce.example", Secret("00D!x"), "66.0")
    monkeypatch.setattr(sessions, "deployer_session", lambda *_args, **_more: lambda: elsewhere)
    config = variant(rotator, tmp_path, ("acme", "globex", "deployer"), deploy={"publisher": "manual"})
    ran = rotator("doctor", "globex", "--json", config=config)
    said = finding(ran, "globex: lockSessionsToIp")
    assert (said["looked"], "another org" in said["message"]) == (False, True)


def test_a_user_who_may_read_the_settings_looks_for_itself(rotator, tmp_path, knobs, globex_user):
    knobs(lock_sessions_to_ip=True)
    globex_user.permissions = globex_user.permissions | {MODIFY_METADATA}
    config = variant(rotator, tmp_path, ("globex",), deploy={"publisher": "manual"})
    ran = rotator("doctor", "globex", "--json", config=config)
    assert list(failures(ran)) == ["globex: lockSessionsToIp"]
    assert finding(ran, "globex: session timeout")["looked"] is True


# --- who may have one


def test_a_user_for_whom_the_app_is_not_approved_is_told_with_what_to_assign(rotator, globex_user):
    globex_user.permission_sets = set()
    hint = failures(rotator("doctor", "globex", "--json"))[f"globex: pre-authorisation of {USER}"]
    assert f"Assign the permission set Rotator_Integration to {USER}." in hint


def test_of_an_external_client_app_too(rotator, stage):
    user = stage.org.org.users["reports@acme.example"]
    before, user.permission_sets = user.permission_sets, set()
    ran = rotator("doctor", "acme", "--json")
    user.permission_sets = before
    subjects = [subject for subject in failures(ran) if "pre-auth" in subject]
    assert subjects == ["acme: pre-authorisation of reports@acme.example"]
    assert "Assign the permission set Rotator_Integration" in failures(ran)[subjects[0]]


def test_an_app_that_everybody_has_to_approve_for_himself_is_found(rotator, policies):
    policies("globex", "oauthConfig/isAdminApproved", "false")
    hint = failures(rotator("doctor", "globex", "--json"))[f"globex: pre-authorisation of {USER}"]
    assert "App Manager, Rotator_Globex, policies: let Permitted Users be" in hint


def test_where_the_policies_cannot_be_read_the_way_is_told_all_the_same(rotator, globex_user, tmp_path):
    globex_user.permission_sets = set()
    config = variant(rotator, tmp_path, ("globex",), deploy={"publisher": "manual"})
    ran = rotator("doctor", "globex", "--json", config=config)
    hint = failures(ran)[f"globex: pre-authorisation of {USER}"]
    assert f"select a permission set, and assign it to {USER}" in hint
    assert finding(ran, "globex: session timeout")["looked"] is False


def test_what_opens_a_session_is_tried_once_also_when_it_is_refused():
    tried = []

    def refused():
        tried.append(1)
        raise Misconfigured("no", code="deployer.refused", hint="Mend it.")

    opened = sessions._once(refused)
    for _ in range(3):
        with pytest.raises(Misconfigured):
            opened()
    assert len(tried) == 1
