"""Tokens: what is published, and how far it is proved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rotator.core.effects import Kind, Mint, Revoke, Touch
from rotator.core.model import Ask, Phase
from rotator.errors import KeyRefused, Misconfigured
from rotator.performer import tokens
from rotator.vault.codec import TokenDocument
from tests.world.lab import ACME, DEPLOYER, FAST, GLOBEX, Hand, credential

USER = GLOBEX[0]
TOKEN = f"globex/tokens/{USER}"
HALF = timedelta(seconds=FAST.session_timeout_seconds / 2)
SOON = timedelta(seconds=3)


@pytest.fixture
def globex(lab):
    lab.steady("globex", "deployer")
    with lab.application() as app:
        yield Hand(app, "globex")


def time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_what_consumers_read_has_these_fields_and_no_other(lab, globex):
    globex.until_wait()
    said = lab.data(TOKEN)
    assert set(said) == set(TokenDocument.__dataclass_fields__)
    assert (
        said
        | {
            "token_type": "Bearer",
            "username": USER,
            "key_serial": 1,
            "key_fingerprint": lab.facts("globex").fingerprint,
            "sequence": 1,
            "instance_url": lab.servers.org.url,
            "org_id": lab.control.state()["org_id"],
            "prolongable": True,
            "schema": 1,
        }
        == said
    )
    now = datetime.now(UTC)
    assert now - SOON < time(said["issued_at"]) <= time(said["verified_at"]) <= now
    assert time(said["expires_at"]) - time(said["verified_at"]) == HALF
    assert all(said[key].endswith("Z") for key in ("issued_at", "verified_at", "expires_at", "refresh_after"))


def test_a_token_that_comes_again_is_not_stretched_beyond_what_is_proved(lab, globex):
    globex.until_wait()
    before = lab.data(TOKEN)
    globex.clock.advance(seconds=2)
    assert globex.perform(Mint(USER, (1,))).kind is Kind.OK
    after = lab.data(TOKEN)
    kept = ("access_token", "issued_at", "verified_at", "expires_at")
    assert {key: after[key] for key in kept} == {key: before[key] for key in kept}
    assert after["sequence"] == before["sequence"] + 1
    assert time(after["refresh_after"]) > time(before["refresh_after"])
    assert [line["unchanged"] for line in lab.told("token.published")] == [False, True]


def test_a_token_is_called_before_it_is_published_for_others_may_have_opened_its_session_long_ago(
    lab, globex
):
    other = globex.app.tools.mint(globex.station, USER, 1)  # what another program with this app would do
    lab.servers.age(FAST.session_timeout_seconds * 0.75)
    globex.until_wait()
    said = lab.data(TOKEN)
    assert said["access_token"] == other.access_token.reveal()
    # the call in the second half of the session's life has extended it, so that it is proved for T/2
    lab.servers.age(FAST.session_timeout_seconds * 0.4)
    assert globex.perform(Touch(USER)).kind is Kind.OK


def test_a_call_proves_a_token_for_half_a_session_from_then_on(lab, globex):
    globex.until_wait()
    before = lab.data(TOKEN)
    globex.clock.advance(seconds=FAST.verify_seconds)
    globex.until_wait()
    after = lab.data(TOKEN)
    assert time(after["verified_at"]) > time(before["verified_at"])
    assert time(after["expires_at"]) - time(after["verified_at"]) == HALF
    assert after["access_token"] == before["access_token"]


def test_a_session_that_an_administrator_ends_is_replaced_at_the_next_call(lab, globex):
    globex.until_wait()
    before = lab.data(TOKEN)
    lab.control.kill_sessions(USER)
    globex.clock.advance(seconds=FAST.verify_seconds)
    globex.until_wait()
    after = lab.data(TOKEN)
    assert after["access_token"] != before["access_token"]
    assert after["issued_at"] > before["issued_at"]
    assert [line["event"] for line in lab.lines if line["event"] in ("token.dead", "token.restored")] == [
        "token.dead",
        "token.restored",
    ]
    assert globex.record.trouble == ()


def test_a_dead_token_that_comes_again_is_not_published(lab, globex, monkeypatch):
    globex.until_wait()
    before = lab.data(TOKEN)
    grant = globex.app.tools.mint(globex.station, USER, 1)
    lab.control.kill_sessions(USER)
    monkeypatch.setattr(globex.app.tools, "mint", lambda *_args, **_more: grant)
    globex.clock.advance(seconds=FAST.verify_seconds)
    globex.until_wait()
    assert lab.data(TOKEN) == before
    assert globex.record.trouble_of(f"token:{USER}").code == "session.dead"
    assert globex.station.held[f"mint:{USER}"].code == "salesforce.dead_token_again"


def test_a_token_in_jwt_format_ends_when_it_says_and_no_call_prolongs_it(lab, globex):
    lab.control.knobs(jwt_tokens=True, jwt_timeout_seconds=40)
    globex.until_wait()
    before = lab.data(TOKEN)
    assert before["prolongable"] is False
    left = time(before["expires_at"]) - time(before["issued_at"])
    assert timedelta(seconds=20) < left <= timedelta(seconds=41)
    assert globex.perform(Touch(USER)).kind is Kind.OK
    assert lab.data(TOKEN)["expires_at"] == before["expires_at"]


@pytest.mark.parametrize("hours", [-5, 5])
def test_where_our_clock_is_wrong_an_assertion_is_signed_by_that_of_the_org(lab, globex, hours):
    lab.control.knobs(exp_ceiling_seconds=300)
    spent: list[str] = []
    globex.app.tools.budget.spend = spent.append
    globex.clock.advance(hours=hours)
    assert globex.perform(Mint(USER, (1,))).kind is Kind.OK
    assert spent == [USER, USER]
    assert globex.perform(Mint(USER, (1,))).kind is Kind.OK
    assert spent == [USER, USER, USER]
    globex.clock.advance(hours=-hours)  # and is set right
    assert globex.perform(Mint(USER, (1,))).kind is Kind.OK
    assert globex.station.skew_seconds == pytest.approx(0, abs=10)


@pytest.mark.parametrize("minutes", [-10, 10])
def test_what_a_date_tells_counts_only_once_the_org_refused_what_our_clock_signed(lab, globex, minutes):
    lab.control.knobs(skew_tolerance_seconds=3600)
    lab.control.clock(offset_seconds=60 * minutes - lab.servers.aged)
    for _ in range(2):
        assert globex.perform(Mint(USER, (1,))).kind is Kind.OK
    lab.control.clock(offset_seconds=-lab.servers.aged)
    assert globex.station.skew_seconds == pytest.approx(60 * minutes, abs=10)
    assert globex.station.signs_ahead == timedelta(0)


def test_where_the_key_is_refused_by_either_clock_its_refusal_counts(lab, globex):
    lab.write_key("globex", 2, lab.servers.pairs["acme"])
    globex.clock.advance(hours=-5)
    with pytest.raises(KeyRefused):
        globex.app.tools.mint(globex.station, USER, 2)
    assert globex.station.signs_ahead == timedelta(0)


@pytest.mark.parametrize("hours", [-5, 5])
def test_what_the_org_says_of_a_tokens_end_is_told_by_our_clock(lab, globex, hours):
    lab.control.knobs(jwt_tokens=True, jwt_timeout_seconds=40)
    globex.clock.advance(hours=hours)
    globex.until_wait()
    left = time(lab.data(TOKEN)["expires_at"]) - globex.clock()
    assert timedelta(seconds=20) < left <= timedelta(seconds=41)


def test_where_the_org_takes_no_call_with_a_token_in_jwt_format_no_other_is_told_to_work(
    lab, globex, monkeypatch
):
    lab.control.knobs(jwt_tokens=True)
    globex.until_wait()

    def refused(*_arguments, **_more):
        raise Misconfigured("the user may not read Account", code="salesforce.forbidden", hint="Mend it.")

    monkeypatch.setattr(tokens, "query_accounts", refused)
    for _round in range(4):
        globex.clock.advance(seconds=FAST.verify_seconds)
        globex.until_wait()
    assert len(lab.told("token.unproven", user=USER)) == 1
    assert not lab.told("token.restored")
    monkeypatch.undo()
    globex.clock.advance(minutes=10)
    globex.until_wait()
    assert len(lab.told("token.restored", user=USER)) == 1


def test_introspection_tells_the_end_where_a_client_secret_is_given(lab):
    lab.steady("globex", "deployer")
    secret = lab.servers.org.org.app("Rotator_Globex").consumer_secret
    (lab.folder / "client").write_text(secret)
    (lab.folder / "client").chmod(0o600)
    with lab.application(credential("globex", session={"client_secret": {"file": "client"}})) as app:
        Hand(app, "globex").until_wait()
    said = lab.data(TOKEN)
    life = time(said["expires_at"]) - time(said["issued_at"])
    assert abs(life.total_seconds() - FAST.session_timeout_seconds) < 2


@pytest.fixture
def introspecting(lab):
    """Globex, with a client secret to introspect with; ``secret(text)`` puts another one into the file."""
    lab.steady("globex", "deployer")
    file = lab.folder / "client"

    def secret(text):
        file.write_text(text)
        file.chmod(0o600)

    secret(lab.servers.org.org.app("Rotator_Globex").consumer_secret)
    with lab.application(credential("globex", session={"client_secret": {"file": "client"}})) as app:
        yield Hand(app, "globex"), secret


def test_where_sessions_are_shorter_than_configured_no_call_stretches_what_introspection_says(
    lab, introspecting
):
    globex, _secret = introspecting
    lab.control.knobs(session_timeout_seconds=10)
    globex.until_wait()
    minted = lab.data(TOKEN)
    assert globex.perform(Touch(USER)).kind is Kind.OK
    for said in (minted, lab.data(TOKEN)):
        assert time(said["expires_at"]) <= time(said["verified_at"]) + timedelta(seconds=10)
        assert time(said["refresh_after"]) < time(said["expires_at"])
    assert [line["expected_seconds"] for line in lab.told("session.short", user=USER)] == [24.0]


def test_a_session_that_is_too_short_to_outlast_a_change_carries_nobody_over_it(lab, introspecting):
    globex, _secret = introspecting
    lab.control.knobs(session_timeout_seconds=10)
    globex.until_wait()
    globex.app.driver.acquaint(globex.app.driver.stations["deployer"])
    lab.ask("globex", Ask.ROTATE)
    globex.app.driver.look_for_request(globex.station)
    for _step in range(30):
        globex.step()
        globex.clock.advance(seconds=0.2)
    assert (globex.record.phase, globex.record.change.validated) == (Phase.STAGED, True)
    assert not lab.told("deploy.sent")


def test_introspection_that_fails_takes_no_token_from_the_consumers_and_is_told_once(lab, introspecting):
    globex, secret = introspecting
    globex.until_wait()
    before = lab.data(TOKEN)
    secret("another one")
    lab.control.kill_sessions(USER)
    globex.clock.advance(seconds=FAST.verify_seconds)
    globex.until_wait()
    after = lab.data(TOKEN)
    assert after["access_token"] != before["access_token"]
    assert time(after["expires_at"]) - time(after["verified_at"]) == HALF
    assert globex.perform(Touch(USER)).kind is Kind.OK
    assert [line["code"] for line in lab.told("introspection.failed")] == ["salesforce.client_secret"]


def test_a_dead_token_that_is_not_replaced_for_long_is_told_with_the_reason(lab, globex):
    globex.until_wait()
    lab.control.kill_sessions(USER)
    lab.control.put_user(USER, active=False)
    for _round in range(4):
        globex.clock.advance(seconds=FAST.verify_seconds)
        globex.until_wait()
    told = lab.told("token.not_replaced", user=USER)
    assert [line["code"] for line in told] == ["salesforce.inactive_user"]
    assert told[0]["alert"]
    lab.control.put_user(USER, active=True)
    globex.clock.advance(seconds=60)
    globex.until_wait()
    assert globex.record.trouble == ()


def test_the_token_of_a_deployer_stays_in_memory(lab):
    lab.steady("deployer")
    with lab.application() as app:
        deployer = Hand(app, "deployer")
        deployer.until_wait()
        assert [facts.user for facts in deployer.station.facts()] == list(DEPLOYER)
        assert app.documents.read_token("deployer", DEPLOYER[0]) == (None, 0)
    assert lab.told("token.published") == []


def test_each_user_has_a_token_of_its_own(lab):
    lab.steady("acme", "deployer")
    with lab.application() as app:
        Hand(app, "acme").until_wait()
    assert {lab.data(f"acme/tokens/{user}")["username"] for user in ACME} == set(ACME)


def test_two_drivers_agree_on_a_token_by_check_and_set(lab, globex):
    globex.until_wait()
    with lab.application() as app:
        other = Hand(app, "globex")
        other.until_wait()
        assert other.perform(Mint(USER, (1,))).kind is Kind.OK  # the other one writes first
    globex.clock.advance(seconds=FAST.refresh_seconds)
    globex.until_wait()
    assert lab.told("vault.conflict", credential="globex")
    said, facts = lab.data(TOKEN), globex.station.facts()[0]
    assert facts.sequence == said["sequence"] >= 3


def test_the_session_of_a_leaked_key_is_revoked_and_another_published(lab, globex):
    globex.until_wait()
    before = lab.data(TOKEN)
    assert globex.perform(Revoke(USER, (1,))).kind is Kind.OK
    assert lab.told("token.revoked", user=USER, key_serial=1)
    assert globex.perform(Touch(USER)).kind is Kind.REFUSED
    assert (
        globex.perform(Revoke(USER, (1,))).kind is Kind.OK
    )  # killed before it was recorded, it is done again
    assert globex.perform(Mint(USER, (1,))).kind is Kind.OK
    assert lab.data(TOKEN)["access_token"] != before["access_token"]


def test_a_session_whose_token_is_not_known_any_more_is_revoked_all_the_same(lab):
    lab.steady("deployer")
    with lab.application() as app:
        deployer = Hand(app, "deployer")
        old = app.tools.mint(deployer.station, DEPLOYER[0], 1)
        assert deployer.perform(Revoke(DEPLOYER[0], (1,))).kind is Kind.OK
        assert deployer.perform(Mint(DEPLOYER[0], (1,))).kind is Kind.OK
        document, _version = deployer.station.tokens[DEPLOYER[0]]
        assert document.access_token != old.access_token


def test_the_numbers_of_publications_never_go_back(lab, globex):
    globex.until_wait()
    globex.perform(Touch(USER))
    globex.perform(Touch(USER))
    highest = lab.data(TOKEN)["sequence"]
    older = lab.data(TOKEN) | {"sequence": 1}
    lab.put(TOKEN, older)  # a backup is restored
    globex.clock.advance(seconds=FAST.verify_seconds)
    globex.until_wait()
    assert lab.data(TOKEN)["sequence"] > highest
    assert lab.told("vault.went_back", document=f"tokens/{USER}")


@pytest.mark.parametrize("of", ["an older token", "no token"])
def test_in_place_of_a_dead_token_from_a_backup_the_newer_one_is_published_again_once_it_has_answered(
    lab, globex, of
):
    globex.until_wait()
    backup = lab.data(TOKEN)
    lab.control.kill_sessions(USER)
    globex.clock.advance(seconds=FAST.verify_seconds)
    globex.until_wait()
    living = lab.data(TOKEN)
    assert living["access_token"] != backup["access_token"]
    lab.vault.request("DELETE", f"secret/metadata/{lab.base}/{TOKEN}")
    if of == "an older token":
        lab.put(TOKEN, backup)
    lab.control.clear_certificate("Rotator_Globex")  # no key could mint another one
    globex.station.doubt()
    globex.until_wait()
    assert lab.data(TOKEN)["access_token"] == living["access_token"]
    assert lab.data(TOKEN)["sequence"] > living["sequence"]
    assert len(lab.told("vault.went_back")) == 1
    assert lab.told("vault.reconciled") == []


def test_a_mint_that_brings_the_newer_token_again_calls_it_before_that_is_published(lab, globex):
    globex.until_wait()
    backup = lab.data(TOKEN)
    lab.control.kill_sessions(USER)
    globex.clock.advance(seconds=FAST.verify_seconds)
    globex.until_wait()
    living = lab.data(TOKEN)
    restored_at = globex.clock()
    lab.put(TOKEN, backup)
    globex.station.doubt()
    assert globex.perform(Mint(USER, (1,))).kind is Kind.OK
    said = lab.data(TOKEN)
    assert said["access_token"] == living["access_token"]
    assert time(said["verified_at"]) >= restored_at


def test_a_key_that_the_org_refuses_is_a_refusal_and_leaves_the_published_token(lab, globex):
    globex.until_wait()
    before = lab.data(TOKEN)
    lab.control.clear_certificate("Rotator_Globex")
    answer = globex.perform(Mint(USER, (1,)))
    assert (answer.kind, lab.data(TOKEN)) == (Kind.REFUSED, before)


def test_a_refresh_costs_a_mint_and_a_write(lab, globex):
    globex.until_wait()
    asked: list[str] = []
    call = globex.app.client.call

    def counting(send):
        asked.append("vault")
        return call(send)

    globex.app.client.call = counting
    wire = globex.app.tools.wires()
    send = wire.send

    def sending(method, url, **more):
        asked.append(url.rsplit("/", 1)[-1])
        return send(method, url, **more)

    wire.send = sending
    assert globex.perform(Mint(USER, (1,))).kind is Kind.OK
    assert asked == ["token", "vault"]


def test_logins_that_are_used_up_are_told_once(lab, globex):
    globex.until_wait()
    globex.app.tools.budget._buckets[USER] = (0.0, globex.app.tools.budget._clock())
    globex.app.tools.budget._per_second = 1e-6
    lab.control.kill_sessions(USER)
    globex.clock.advance(seconds=FAST.verify_seconds)
    globex.until_wait()
    globex.clock.advance(days=30)
    globex.step()
    assert len(lab.told("login_budget.spent", user=USER)) == 1


def test_a_key_is_kept_in_memory_until_it_is_forgotten_alone_or_with_all_of_its_credential(globex):
    tools = globex.app.tools
    first = tools.signing_key("globex", 1)
    assert tools.signing_key("globex", 1) is first
    tools.forget_key("globex", 2)
    assert tools.signing_key("globex", 1) is first
    tools.forget_key("globex")
    assert tools.signing_key("globex", 1) is not first


def test_a_user_who_is_not_configured_any_more_is_refused_in_words(globex):
    answer = globex.perform(Mint("gone@globex.example", (1,)))
    assert (answer.kind, answer.code, answer.lasting) == (Kind.FAILED, "config.user", True)


def test_a_request_answered_lets_everything_be_tried_at_once(lab, globex):
    globex.until_wait()
    globex.station.held[f"prove:{USER}"] = globex.station.held[f"mint:{USER}"]
    lab.ask("globex", Ask.PAUSE)
    globex.app.driver.look_for_request(globex.station)
    globex.step()
    assert globex.station.held == {}
