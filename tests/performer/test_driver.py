"""The driver: what is read when, conflicts, a Vault that is away or restored, errors that nobody foresaw."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from rotator.core.effects import Answer, Deploy, Do, Kind, Mint, Nothing, Poll, Touch, Wait
from rotator.core.model import Ask, Change, Phase, Reason, Record, Trouble
from rotator.core.moves import give_up
from rotator.core.slot import NONE_TAKEN
from rotator.errors import Conflict, Misconfigured, Transient
from rotator.performer.driver import RECORD_AGE
from rotator.performer.station import Held, Station
from rotator.performer.tell import tell_action, tell_record
from tests.world.lab import FAST, GLOBEX, Hand

USER = GLOBEX[0]
TOKEN = f"globex/tokens/{USER}"


@pytest.fixture
def globex(lab):
    lab.steady("globex", "deployer")
    with lab.application() as app:
        hand = Hand(app, "globex")
        app.driver.refresh(app.driver.stations["deployer"])
        hand.until_wait()
        yield hand


def lose_vault(hand: Hand) -> None:
    """Let Vault answer nothing from now on."""

    def call(_send):
        raise Transient("Vault does not answer", code="vault.unreachable", hint="Mend it.")

    hand.app.client.call = call


def find_vault(hand: Hand) -> None:
    del hand.app.client.call


def test_nothing_is_known_before_vault_has_answered_once(lab):
    lab.steady("globex")
    with lab.application() as app:
        globex = Hand(app, "globex")
        lose_vault(globex)
        with pytest.raises(Transient):
            globex.step()
        find_vault(globex)
        globex.until_wait()
    assert lab.data(TOKEN)["key_serial"] == 1


def test_without_vault_sessions_are_kept_alive_by_what_is_known(lab, globex):
    before = lab.data(TOKEN)
    lose_vault(globex)
    globex.station.doubt()  # what was read may be another by now, and nobody can look
    called = 0
    for _ in range(12):  # two and a half times as long as a session lives without calls
        lab.servers.age(10)
        globex.clock.advance(seconds=10)
        decision = globex.step()
        while isinstance(decision, Do):
            called += decision.action == Touch(USER)
            decision = globex.step()
    assert called == 12
    assert lab.data(TOKEN)["sequence"] == 1
    find_vault(globex)
    globex.clock.advance(seconds=FAST.retry_seconds * 10)
    globex.until_wait()
    after = lab.data(TOKEN)
    assert after["access_token"] == before["access_token"]
    assert datetime.fromisoformat(after["expires_at"]) > globex.clock()
    assert not lab.told("token.unproven")


def test_a_call_whose_write_fails_is_paced_and_made_again(lab, globex):
    lose_vault(globex)
    globex.clock.advance(seconds=FAST.verify_seconds)
    first = globex.step()
    assert isinstance(first, Do)
    assert first.action == Touch(USER)
    held = globex.station.held[f"touch:{USER}"]
    assert (held.failures, held.code) == (1, "vault.unreachable")
    assert isinstance(globex.step(), Wait)
    find_vault(globex)
    globex.clock.advance(seconds=FAST.retry_seconds * 2)
    globex.until_wait()
    assert held.failures == 0
    assert lab.data(TOKEN)["sequence"] == 2


def test_a_write_whose_answer_is_lost_is_found_out_and_not_repeated_blindly(lab, globex):
    call = globex.app.client.call

    def losing(send):
        response = call(send)
        if response.request.method == "POST" and "tokens" in response.request.url:
            raise Transient("cut", code="vault.unreachable", maybe_done=True, hint="Mend it.")
        return response

    globex.app.client.call = losing
    globex.clock.advance(seconds=FAST.verify_seconds)
    globex.step()
    assert lab.data(TOKEN)["sequence"] == 2  # it was written
    globex.app.client.call = call
    globex.clock.advance(seconds=FAST.retry_seconds * 2)
    globex.until_wait()
    assert lab.told("vault.conflict")
    assert globex.station.facts()[0].sequence == lab.data(TOKEN)["sequence"] == 2


def test_a_conflict_ends_the_step_and_the_next_one_decides_on_what_is_there(lab, globex):
    lab.ask("globex", Ask.PAUSE)
    lab.edit_record("globex", replace(globex.record, newest=7))
    globex.app.driver.look_for_request(globex.station)
    decision = globex.step()
    assert isinstance(decision, Wait)
    assert lab.told("vault.conflict", credential="globex")
    globex.until_wait()
    assert (globex.record.newest, globex.record.paused is not None) == (7, True)


def test_a_record_is_not_read_again_at_each_step_and_not_believed_forever(lab, globex):
    lab.edit_record("globex", replace(globex.record, newest=7))
    globex.app.driver.refresh(globex.station)
    assert globex.record.newest == 1
    globex.clock.advance(seconds=RECORD_AGE.total_seconds() + 1)
    globex.app.driver.refresh(globex.station)
    assert globex.record.newest == 7


def test_a_record_that_cannot_be_read_stops_its_credential_also_when_it_was_known(lab, globex):
    lab.put("globex/record", {"phase": "nonsense", "schema": 1})
    globex.station.doubt()
    with pytest.raises(Misconfigured) as told:
        globex.step()
    assert told.value.code == "vault.document.malformed"


def test_a_vault_restored_from_a_backup_is_told_and_believed(lab, globex):
    """The record of before a rotation comes back: the key that the org takes by now is unknown to it."""
    path = f"{lab.base}/globex/record"
    backup = lab.vault.request("GET", f"secret/data/{path}")["data"]["data"]
    for newest in (5, 6):  # the record goes on
        globex.app.driver._save(globex.station, replace(globex.record, newest=newest), globex.station.version)
    lab.vault.request("DELETE", f"secret/metadata/{path}")
    lab.vault.request("POST", f"secret/data/{path}", {"data": backup})
    signing = globex.app.tools.signing_key("globex", 1)
    globex.clock.advance(hours=1)
    globex.until_wait()
    (line,) = lab.told("vault.went_back", document="record")
    assert line["version"] < line["known_version"]
    assert len(lab.told("vault.went_back")) == len(lab.told("vault.reconciled", credential="globex")) == 1
    assert globex.record.newest == 1
    assert globex.app.tools.signing_key("globex", 1) is not signing
    assert lab.data(TOKEN)["expires_at"] > "2"


def test_a_record_that_comes_to_a_known_version_by_another_way_after_a_restore_is_not_written_over(
    lab, globex
):
    """Another daemon went on from the backup, and has written just as often as was forgotten."""
    driver, path = globex.app.driver, f"{lab.base}/globex/record"
    backup = lab.vault.request("GET", f"secret/data/{path}")["data"]["data"]
    for newest in (5, 6):
        driver._save(globex.station, replace(globex.record, newest=newest), globex.station.version)
    known = globex.station.version
    lab.vault.request("DELETE", f"secret/metadata/{path}")
    for _ in range(known):
        lab.vault.request("POST", f"secret/data/{path}", {"data": backup})
    globex.clock.advance(seconds=2)
    with pytest.raises(Conflict):
        driver._save(globex.station, replace(globex.record, newest=7), known)
    globex.station.doubt()
    globex.until_wait()
    assert lab.told("vault.went_back", document="record", version=known, known_version=known)
    assert globex.record.newest == lab.record("globex").newest == 1


def test_where_the_org_takes_another_kept_key_after_a_restore_nobody_mints_again_and_again(lab, globex):
    lab.write_key("globex", 2, lab.servers.pairs["acme"])
    keys = (*globex.record.keys, replace(lab.facts("acme"), serial=2))
    record = replace(globex.record, newest=2, current=2, previous=1, keys=keys, promoted_at=globex.clock())
    lab.edit_record("globex", record)
    globex.station.doubt()
    globex.app.driver.refresh(globex.station)
    globex.station.terms = replace(globex.station.terms, slow_servers=timedelta(hours=1))
    globex.station.went_back("record", 1, 2)
    before = len(lab.told("token.published"))
    for _ in range(3):
        globex.clock.advance(seconds=FAST.retry_seconds * 2)
        globex.until_wait()
    assert [line["key_serial"] for line in lab.told("token.published")[before:]] == [1]
    assert not lab.told("vault.reconciled")
    lab.control.put_certificate("Rotator_Globex", lab.servers.pairs["acme"].certificate_pem)
    globex.clock.advance(seconds=FAST.refresh_seconds)
    globex.until_wait()
    assert [line["serial"] for line in lab.told("vault.reconciled")] == [2]


def test_a_key_pair_that_another_daemon_made_anew_after_a_backup_takes_the_place_of_the_one_in_memory(
    lab, globex
):
    """The record has gone on beyond the version that this daemon knew: nothing else tells it of the backup."""
    tools, other = globex.app.tools, lab.servers.pairs["acme"]
    kept, signing = tools.key_pair("globex", 1), tools.signing_key("globex", 1)
    lab.vault.request("DELETE", f"secret/metadata/{lab.base}/globex/keys/1")
    lab.write_key("globex", 1, other)
    lab.edit_record("globex", replace(globex.record, keys=(replace(lab.facts("acme"), serial=1),)))
    globex.station.doubt()
    globex.app.driver.refresh(globex.station)
    assert tools.key_pair("globex", 1).certificate_pem == other.certificate_pem != kept.certificate_pem
    assert tools.signing_key("globex", 1) is not signing


def test_a_key_that_leaked_since_the_backup_counts_as_leaked_although_the_restored_record_does_not_know_it(
    lab, globex
):
    path = f"{lab.base}/globex/record"
    backup = lab.vault.request("GET", f"secret/data/{path}")["data"]["data"]
    leaked = replace(globex.record, keys=(replace(lab.facts("globex"), leaked=True),))
    globex.app.driver._save(globex.station, leaked, globex.station.version)
    lab.vault.request("DELETE", f"secret/metadata/{path}")
    lab.vault.request("POST", f"secret/data/{path}", {"data": backup})
    globex.station.doubt()
    globex.app.driver.refresh(globex.station)
    assert lab.told("vault.went_back", document="record")
    globex.station.doubt()
    globex.app.driver.refresh(globex.station)  # nothing was written meanwhile
    assert [facts.leaked for facts in globex.record.keys] == [True]
    assert not lab.record("globex").keys[0].leaked
    globex.until_wait()
    assert lab.record("globex").change.reason is Reason.COMPROMISED


def test_nor_does_a_write_over_a_restored_record_take_a_leak_back(lab, globex):
    before = globex.record
    leaked = replace(before, keys=(replace(lab.facts("globex"), leaked=True),))
    globex.app.driver._save(globex.station, leaked, globex.station.version)
    lab.edit_record("globex", before)
    globex.station.doubt()
    globex.app.driver.refresh(globex.station)
    assert [facts.leaked for facts in globex.record.keys] == [True]


def test_after_the_clock_was_set_nothing_is_known_of_how_clocks_differ(globex):
    globex.station.skew_seconds = 90
    globex.app.driver.clock_jumped()
    assert globex.station.skew_seconds == 0


def test_a_clock_that_is_set_in_the_middle_of_a_step_harms_nobody(globex, monkeypatch):
    globex.station.held[f"mint:{USER}"] = Held(7, globex.clock(), "salesforce.unavailable", "away")
    failing = Station.failing

    def and_the_clock_is_set(station, *actions):
        found = failing(station, *actions)
        globex.app.driver.clock_jumped()
        return found

    monkeypatch.setattr(Station, "failing", and_the_clock_is_set)
    again = globex.app.driver._pace(globex.station, Touch(USER), Answer(Kind.REFUSED, globex.clock()))
    assert (again, globex.station.held) == (False, {})


def test_a_deploy_that_dies_of_an_unforeseen_error_counts_as_perhaps_done(lab, globex):
    record = replace(
        globex.record,
        phase=Phase.STAGED,
        newest=2,
        keys=(*globex.record.keys, replace(lab.facts("acme"), serial=2)),
        change=Change(2, 1, Reason.ROTATION, GLOBEX, globex.clock(), validated=True),
    )
    lab.write_key("globex", 2, lab.servers.pairs["acme"])
    lab.edit_record("globex", record)
    globex.station.doubt()
    publisher = globex.station.publisher
    sent = []

    def deploy(_pem, _until):
        sent.append("deploy")
        raise ZeroDivisionError

    publisher.deploy = deploy
    with pytest.raises(ZeroDivisionError):
        globex.until_wait()
    assert lab.record("globex").phase is Phase.DEPLOYING
    globex.until_wait()  # nobody decides before the sender's lease is over
    assert sent == ["deploy"]
    globex.clock.advance(seconds=FAST.lease_seconds)
    decision = globex.step()
    while not isinstance(decision, Do) or not isinstance(decision.action, Poll):
        decision = globex.step()
    assert sent == ["deploy"]


def test_nothing_is_sent_after_the_lease(lab, globex):
    answer = globex.perform(Deploy(1, by_hand=False), busy_until=globex.clock() - timedelta(seconds=1))
    assert (answer.kind, answer.code) == (Kind.FAILED, "lease.over")
    assert lab.control.state()["deploys"] == []


def test_a_version_that_the_org_has_retired_is_looked_for_anew(lab, globex):
    globex.station.api_version = "20.0"

    def gone(*_more, **_and):
        raise Misconfigured("gone", code="salesforce.version_retired", hint="Mend it.")

    mint, globex.app.tools.mint = globex.app.tools.mint, gone
    globex.perform(Mint(USER, (1,)))
    globex.app.tools.mint = mint
    assert globex.perform(Mint(USER, (1,))).kind is Kind.OK
    assert globex.station.api_version not in (None, "20.0")


def test_the_record_of_the_deployer_is_brought_up_to_date_without_waiting_for_its_own_step(lab, globex):
    deployer = globex.app.driver.stations["deployer"]
    deployer.read_at = None
    with deployer.lock:
        globex.app.driver.acquaint(deployer)  # it has a step of its own: nothing is waited for
        assert deployer.read_at is None
    globex.app.driver.acquaint(deployer)
    assert deployer.record.current == 1


def test_a_request_is_looked_for_once_the_deployer_on_whom_its_answer_depends_was_read(lab):
    lab.steady("globex", "deployer")
    lab.ask("globex", Ask.ROTATE)
    with lab.application() as app:
        driver, globex, deployer = app.driver, app.driver.stations["globex"], app.driver.stations["deployer"]
        with deployer.lock:  # it is being read for the first time
            assert not driver.look_for_request(globex)
            assert globex.waiting is None
        assert driver.look_for_request(globex)
        assert deployer.record.current == 1
        assert globex.waiting is not None


def by_hand(said):
    said["credentials"]["globex"]["deploy"] = {"publisher": "manual"}


def test_a_person_is_told_the_certificate_and_no_other_save_reads_it(lab, monkeypatch):
    lab.edit_record("globex", Record())
    with lab.application(by_hand) as app:
        globex = Hand(app, "globex")
        read, key_pair = [], app.tools.key_pair
        monkeypatch.setattr(app.tools, "key_pair", lambda *name: read.append(name) or key_pair(*name))
        lab.ask("globex", Ask.INIT, 0)
        app.driver.look_for_request(globex.station)
        globex.until_wait()
    (line,) = lab.told("change.waiting")
    assert "BEGIN CERTIFICATE" in line["certificate"]
    assert line["steps"]
    assert len(read) == 2  # to hand it to the publisher, and to tell the person


def test_what_a_publisher_remarks_on_a_deploy_is_in_the_log(lab, globex):
    remark = "the kept files could not be compared with the org: no permission"
    answer = Answer(Kind.PENDING, globex.clock(), ticket="0Af000000000001", message=remark)
    tell_action(globex.station, Deploy(1, by_hand=False), answer, again=False)
    assert [line["message"] for line in lab.told("deploy.sent", credential="globex")] == [remark]


def unwritable(*_written):
    raise Transient("Vault has no quorum", code="vault.unavailable", hint="See its log.")


def test_a_token_that_ran_out_is_replaced_although_its_end_cannot_be_put_on_record(lab, globex, monkeypatch):
    globex.clock.advance(seconds=FAST.session_timeout_seconds + 1)
    before = lab.data(TOKEN)["sequence"]
    with monkeypatch.context() as patched:
        patched.setattr(globex.app.documents, "write_record", unwritable)
        with pytest.raises(Transient):
            globex.step()
        assert lab.data(TOKEN)["sequence"] == before
        globex.clock.advance(seconds=globex.station.terms.retry_floor.total_seconds())
        globex.step()
    assert lab.data(TOKEN)["sequence"] != before
    globex.until_wait()
    assert not globex.record.trouble
    assert globex.station.failing(Nothing()).code == "vault.unavailable"
    assert globex.app.driver.may_write(globex.station)
    assert not globex.station.failing(Nothing()).failures


def test_what_an_effect_brought_is_told_once_however_often_it_cannot_be_recorded(lab, globex, monkeypatch):
    lab.write_key("globex", 2, lab.servers.pairs["acme"])
    change = Change(
        2, 1, Reason.ROTATION, GLOBEX, globex.clock(), asked=1, asked_at=globex.clock(), ticket="0Af1"
    )
    keys = (*globex.record.keys, replace(lab.facts("acme"), serial=2))
    lab.edit_record(
        "globex", replace(globex.record, phase=Phase.DEPLOYING, newest=2, keys=keys, change=change)
    )
    globex.station.doubt()
    polled = []

    def poll(_pem, **asked):
        polled.append(asked["ticket"])
        return Answer(Kind.OK, globex.clock())

    globex.station.publisher.poll = poll
    with monkeypatch.context() as patched:
        patched.setattr(globex.app.documents, "write_record", unwritable)
        for _ in range(3):
            with pytest.raises(Transient):
                globex.until_wait()
    assert len(polled) == 3
    assert len(lab.told("deploy.finished", credential="globex", target=2)) == 1
    globex.step()
    assert globex.record.phase is Phase.PROVING
    assert len(lab.told("deploy.finished", credential="globex", target=2)) == 1


def test_the_end_of_a_deploy_is_told_with_the_ticket_of_its_beginning(lab, globex):
    poll = Poll(1, "0Af000000000001", globex.clock(), cancel=False)
    tell_action(globex.station, poll, Answer(Kind.OK, globex.clock()), again=False)
    assert [line["ticket"] for line in lab.told("deploy.finished", credential="globex")] == [
        "0Af000000000001"
    ]


@pytest.mark.parametrize(("asked", "at_once"), [(False, True), (True, False)])
def test_a_token_that_is_found_dead_is_replaced_at_once_unless_the_org_asked_us_to_stay_away(
    lab, globex, asked, at_once
):
    lab.control.kill_sessions(USER)
    globex.clock.advance(seconds=FAST.verify_seconds)
    later = globex.clock() + timedelta(seconds=FAST.retry_seconds * 10)
    globex.station.held[f"mint:{USER}"] = Held(7, later, "salesforce.unavailable", "away", asked=asked)
    before = lab.data(TOKEN)["access_token"]
    globex.until_wait()
    assert lab.told("token.dead", user=USER)
    assert (lab.data(TOKEN)["access_token"] != before) is at_once


def test_a_token_that_is_not_proved_any_more_is_told_with_what_the_org_answers(lab, globex):
    lab.control.knobs(maintenance=True)
    for _ in range(4):
        globex.clock.advance(seconds=FAST.session_timeout_seconds / 4)
        globex.until_wait()
    (told,) = lab.told("token.unproven")
    assert "status 503" in told["message"]
    assert told["hint"]


def test_nobody_is_told_of_the_session_of_a_deployer_as_if_its_token_were_published(lab):
    lab.steady("deployer")
    with lab.application() as app:
        deployer = Hand(app, "deployer")
        deployer.until_wait()
        lab.control.kill_sessions()
        deployer.clock.advance(seconds=FAST.verify_seconds)
        deployer.until_wait()
        assert deployer.record.trouble == ()
    assert not [line for line in lab.lines if line["event"].startswith("token.")]


def test_whoever_is_locked_out_is_told_why_no_key_is_taken(globex, lab):
    away = Trouble(
        "change", globex.clock(), NONE_TAKEN, "no kept key could be tried", "mend it", lasting=True
    )
    change = Change(1, None, Reason.RESTORE, (USER,), globex.clock())
    out = replace(globex.record, phase=Phase.LOCKED_OUT, change=change)
    tell_record(globex.station, out, replace(out, trouble=(away,)), str)
    (told,) = lab.told("credential.locked_out")
    assert (told["message"], told["hint"]) == ("no kept key could be tried", "mend it")


def test_a_change_that_was_not_proved_in_time_is_told_with_what_a_person_may_do(globex, lab):
    change = Change(2, 1, Reason.ROTATION, (USER,), globex.clock(), asked=1)
    proving = replace(globex.record, newest=2, phase=Phase.PROVING, change=change)
    tell_record(globex.station, proving, give_up(proving, globex.station.terms, globex.clock()), str)
    (told,) = lab.told("change.failed")
    assert "proof.deadline" in told["hint"]
