"""The survey answers questions about an org, and changes nothing there."""

from __future__ import annotations

import pytest

from rotator.sandbox.org.seed import ACME, USERS
from rotator.sandbox.settings import BASE_PATH, MOUNT
from rotator.survey import MOST_LOGINS, QUESTIONS


def survey(rotator, *arguments, **more):
    ran = rotator("doctor", "--survey", *(arguments or ("acme",)), "--json", **more)
    assert ran.code == 0, ran.err
    return {one["topic"]: one["answer"] for one in ran.json["observations"]}


def logins(stage):
    """How many requests the token endpoint has answered, and which refusals among them."""
    counts = stage.control.state()["counts"]
    refused = {name: number for name, number in counts.items() if name.startswith("refused: invalid_")}
    return counts["tokens granted"] + sum(refused.values()), refused


def changed(rotator, folder, **acme):
    """A configuration in which acme is set otherwise."""
    credentials = rotator.settings()["credentials"]
    credentials["acme"] = credentials["acme"] | acme
    return rotator.variant(folder, credentials=credentials)


def test_every_question_is_answered_once_and_in_order(rotator):
    ran = rotator("doctor", "--survey", "acme", "--json")
    assert (ran.code, ran.json["credential"]) == (0, "acme")
    assert [(one["topic"], one["question"]) for one in ran.json["observations"]] == list(QUESTIONS.items())
    assert all(one["answer"] and one["how"] for one in ran.json["observations"])


def test_people_read_question_answer_and_what_was_sent(rotator):
    ran = rotator("doctor", "--survey", "acme")
    lines = ran.out.splitlines()
    assert ran.code == 0
    assert lines[::3] == list(QUESTIONS.values())
    assert all(line.startswith("    ") for line in lines[1::3])
    assert all(line.startswith("    (") and line.endswith(")") for line in lines[2::3])


def test_what_salesforce_is_thought_to_do_is_seen(rotator):
    seen = survey(rotator)
    url = rotator.stage.org.url
    assert seen["exp"] == "180 s: taken; 300 s: taken; 600 s: taken; in milliseconds: taken"
    assert seen["repeat"] == "yes: 5 logins gave 1 token"
    assert seen["answer"].startswith(
        "access_token, id, instance_url, scope, token_type; no api_instance_url, "
    )
    assert seen["audience"].startswith(
        f"{url}: taken; https://login.salesforce.com: taken; https://test.salesforce.com: refused ("
    )
    assert '"invalid_grant: audience is invalid")' in seen["audience"]
    assert seen["versions"] == "31.0 to 68.0"
    assert seen["soap"] == "it is opaque; SOAP 68.0 takes it"
    assert seen["session"].startswith("7200 s; the newest was made ")
    assert seen["settings"].startswith("sessionTimeout TwoHours, lockSessionsToIp false")
    serial = rotator.status("acme")["current"]["serial"]  # other tests rotate, too
    assert seen["certificate"] == f"yes: that of key pair {serial}, which signs"
    assert seen["introspection"].startswith("not asked")


@pytest.mark.parametrize(
    ("turned", "topic", "answer"),
    [
        ({"exp_ceiling_seconds": 300}, "exp", "180 s: taken; 300 s: taken; 600 s: refused ("),
        ({"jwt_tokens": True}, "repeat", "no: 5 logins gave 5 tokens"),
        ({"jwt_tokens": True}, "soap", "it is in JWT format; SOAP 67.0 refuses it; SOAP 68.0 takes it"),
        ({"lock_sessions_to_ip": True}, "settings", "sessionTimeout TwoHours, lockSessionsToIp true"),
        ({"hide_certificate": True}, "certificate", "no: the app is shown without one"),
        ({"deny_metadata": True}, "settings", "not known: the Metadata API answered INSUFFICIENT_ACCESS"),
        ({"daily_api_requests": 77_777}, "limits", ""),
        ({"clock_offset_seconds": 40.0}, "clock", "+"),
    ],
)
def test_an_org_that_behaves_otherwise_is_seen_to(rotator, knobs, turned, topic, answer):
    usual = survey(rotator)[topic]
    knobs(**turned)
    seen = survey(rotator)[topic]
    assert seen.startswith(answer)
    assert seen != usual


def test_a_certificate_that_somebody_else_put_there_is_told_apart(rotator, stage):
    own = stage.org.org.app(ACME).certificate_text
    other = stage.org.org.app("Rotator_Globex").certificate_text
    stage.control.put_certificate(ACME, other)
    ran = rotator("doctor", "--survey", "acme")
    stage.control.put_certificate(ACME, own)
    assert ran.code == 1  # the key that signs is refused, and nothing else is asked
    assert "invalid assertion" in ran.err
    assert ran.out == ""


def test_its_logins_are_few_counted_and_none_is_signed_with_a_wrong_key(rotator, stage, tmp_path):
    """Endpoint, instance and audience all differ here, so that there is most to ask."""
    own = stage.org.url.replace("127.0.0.1", "localhost")
    config = changed(rotator, tmp_path, login_url=own, audience="https://login.salesforce.com")
    before, refused_before = logins(stage)
    seen = survey(rotator, config=config)
    after, refused = logins(stage)
    assert seen["logins"] == "8 as integration@acme.example, 1 of them refused"
    assert after - before == 8 + 1  # and one of the deployer
    assert MOST_LOGINS >= 8
    assert {name for name in refused if refused[name] != refused_before.get(name, 0)} == {
        "refused: invalid_grant: audience is invalid"
    }


def test_nothing_in_the_org_or_in_vault_is_changed(rotator, stage):
    def standing():
        state, kept = stage.control.state(), ("record", f"tokens/{USERS[ACME][0]}", "keys/1")
        paths = [f"{MOUNT}/metadata/{BASE_PATH}/acme/{name}" for name in kept]
        versions = [stage.vault.request("GET", path)["data"]["current_version"] for path in paths]
        return state["apps"], state["deploys"], versions

    before = standing()
    survey(rotator)
    assert standing() == before


def test_a_login_that_is_not_taken_ends_it_with_the_mend(rotator, stage, tmp_path):
    before, _ = logins(stage)
    ran = rotator(
        "doctor", "--survey", "acme", config=changed(rotator, tmp_path, audience="https://a.example")
    )
    assert (ran.code, ran.out) == (1, "")
    assert "hint: Set `audience`" in ran.err
    assert logins(stage)[0] == before + 1


def test_without_a_deployer_the_user_asks_itself(rotator, tmp_path):
    seen = survey(rotator, config=changed(rotator, tmp_path, deploy={"publisher": "manual"}))
    assert seen["certificate"].startswith("not asked")
    assert seen["settings"].startswith("not known: the Metadata API answered INSUFFICIENT_ACCESS")
    assert seen["session"].startswith("not known: ")


def test_with_a_client_secret_the_token_is_introspected(rotator, stage, tmp_path):
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text(stage.org.org.app(ACME).consumer_secret)
    session = rotator.settings()["credentials"]["acme"].get("session", {})
    config = changed(rotator, tmp_path, session=session | {"client_secret": {"file": str(secret)}})
    assert survey(rotator, config=config)["introspection"].startswith("yes: at 20")


@pytest.mark.parametrize("names", [(), ("acme", "globex")])
def test_it_wants_one_name(rotator, names):
    ran = rotator("doctor", "--survey", *names)
    assert ran.code == 2
    assert "--survey needs one NAME" in ran.err


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_no_token_and_no_assertion_is_shown(rotator, form):
    ran = rotator("doctor", "--survey", "acme", *form)
    assert "!AQ" not in ran.out
    assert "eyJ" not in ran.out


def test_the_help_tells_how_many_logins_it_sends(rotator):
    text = " ".join(rotator("doctor", "--help").out.split())
    assert f"at most {MOST_LOGINS} logins" in text
