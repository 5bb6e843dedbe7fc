"""Proofs and probes: which key the org takes, and that it is the right org."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from rotator.core.effects import Kind, Mint, Probe, Prove, Validate
from rotator.core.model import Ask, Identity, PauseKind, Retired
from rotator.errors import KeyRefused, Misconfigured, Rejected, SessionDead, Transient
from rotator.keypairs import make_key_pair
from tests.world.lab import ACME, GLOBEX, Hand, credential

USER = GLOBEX[0]


@pytest.fixture
def globex(lab):
    """Key pair 1 is in the org; key pair 2 is another one that Vault keeps."""
    lab.steady("globex", "deployer")
    lab.write_key("globex", 2, lab.servers.pairs["acme"])
    with lab.application() as app:
        yield Hand(app, "globex")


def test_a_proof_takes_the_target_and_sees_the_rival_refused(lab, globex):
    answer = globex.perform(Prove(USER, 1, 2))
    assert answer.kind is Kind.OK
    app = lab.control.state()["apps"]["Rotator_Globex"]
    assert answer.identity == Identity(
        lab.control.state()["org_id"], app["consumer_key"], "Rotator_Globex", GLOBEX
    )


def test_a_proof_uses_fresh_connections_so_that_every_server_may_answer(globex):
    wire = globex.app.tools.wires()
    send, fresh = wire.send, []

    def spy(method, url, **more):
        if "/services/data/" in url or url.endswith("/token"):
            fresh.append(more.get("fresh", False))
        return send(method, url, **more)

    wire.send = spy
    globex.perform(Prove(USER, 1, 2))
    assert fresh == [True, True, True]


def test_a_target_that_the_org_does_not_take_is_refused(globex):
    answer = globex.perform(Prove(USER, 2, 1))
    assert (answer.kind, answer.lasting) == (Kind.REFUSED, False)
    assert answer.code == "salesforce.invalid_grant.invalid_assertion"


def test_a_rival_that_is_taken_too_is_no_proof(lab, globex):
    lab.write_key("globex", 3, lab.servers.pairs["globex"])
    answer = globex.perform(Prove(USER, 1, 3))
    assert (answer.kind, answer.code) == (Kind.REFUSED, "proof.rival_taken")


class TestAKeyThatIsToBeDestroyed:
    """The org takes key pair 1 and refuses key pair 2."""

    CLEAR = Prove(USER, 1, 2, clears=True)

    def test_is_cleared_where_the_org_refuses_it_and_shows_another_certificate(self, globex):
        assert globex.perform(self.CLEAR).kind is Kind.OK

    def test_is_kept_where_somebody_has_just_brought_its_certificate_back(self, lab, globex):
        """It is shown at once, while servers refuse the key: here because what Vault has under its serial is another."""
        shown, record = lab.servers.pairs["globex"].facts(2), lab.record("globex")
        retired = Retired(2, globex.clock() - timedelta(days=99), handed_out=True)
        keys = (*record.keys, shown)
        lab.edit_record("globex", replace(record, newest=2, keys=keys, retired=(retired,)))
        answer = globex.perform(self.CLEAR)
        assert (answer.kind, answer.code) == (Kind.REFUSED, "proof.rival_taken")
        assert "shows the certificate of key pair 2" in answer.message

    @pytest.mark.parametrize("error", [Misconfigured, Rejected])
    def test_is_cleared_by_refusals_alone_where_the_slot_can_not_be_seen(self, globex, error, monkeypatch):
        unseen(globex, error, monkeypatch)
        assert globex.perform(self.CLEAR).kind is Kind.OK

    @pytest.mark.parametrize("error", [Transient, KeyRefused, SessionDead])
    def test_waits_where_the_slot_can_not_be_seen_just_now(self, globex, error, monkeypatch):
        unseen(globex, error, monkeypatch)
        answer = globex.perform(self.CLEAR)
        assert (answer.kind, answer.lasting) == (Kind.FAILED, False)

    def test_is_asked_for_by_a_clearance_alone(self, globex, monkeypatch):
        unseen(globex, Transient, monkeypatch)
        assert globex.perform(Prove(USER, 1, 2)).kind is Kind.OK


def unseen(globex, error, monkeypatch):
    def fail():
        raise error("the slot can't be seen", code="test", hint="Look again.")

    monkeypatch.setattr(globex.station.publisher, "certificate_shown", fail)


def made_for(globex, name, serial):
    """Return a certificate of rotator whose key nobody keeps."""
    return make_key_pair(
        bits=2048, subject={}, lifetime=timedelta(days=1), credential=name, serial=serial, now=globex.clock()
    ).certificate_pem


def test_where_the_org_has_a_certificate_whose_key_is_not_in_vault_the_probe_tells_which_key_is_lost(
    lab, globex
):
    lab.control.put_certificate("Rotator_Globex", made_for(globex, "globex", 7))
    answer = globex.perform(Probe(GLOBEX, (1,)))
    assert (answer.kind, answer.code, answer.lost) == (Kind.REFUSED, "key.lost", 7)
    assert "key pair 7" in answer.message


def test_another_certificate_under_a_serial_that_is_kept_tells_of_a_lost_key_as_well(lab, globex):
    globex.until_wait()
    lab.control.put_certificate("Rotator_Globex", made_for(globex, "globex", 1))
    assert globex.perform(Probe(GLOBEX, (1,))).lost == 1


def test_a_certificate_whose_key_was_destroyed_tells_of_no_lost_key(lab, globex):
    lab.edit_record("globex", replace(lab.record("globex"), newest=5, current=1, keys=(lab.facts("globex"),)))
    globex.station.doubt()
    globex.until_wait()
    lab.control.put_certificate("Rotator_Globex", made_for(globex, "globex", 3))
    assert globex.perform(Probe(GLOBEX, (1,))).lost is None


def test_a_certificate_that_somebody_else_made_tells_of_no_lost_key(lab, globex):
    for pem in (made_for(globex, "acme", 7), lab.servers.pairs["acme"].certificate_pem):
        lab.control.put_certificate("Rotator_Globex", pem)
        answer = globex.perform(Probe(GLOBEX, (1,)))
        assert (answer.kind, answer.lost) == (Kind.REFUSED, None)


def test_a_probe_is_answered_also_where_the_certificate_of_the_org_cannot_be_looked_at(lab, globex):
    lab.control.put_certificate("Rotator_Globex", made_for(globex, "globex", 7))
    lab.control.knobs(deny_metadata=True)
    answer = globex.perform(Probe(GLOBEX, (1,)))
    assert (answer.kind, answer.lost) == (Kind.REFUSED, None)


def test_faults_that_pass_by_themselves_are_neither_proof_nor_refusal(lab, globex):
    lab.control.knobs(maintenance=True)
    answer = globex.perform(Prove(USER, 1, 2))
    assert (answer.kind, answer.lasting) == (
        Kind.UNKNOWN,
        False,
    )  # a login that may have happened harms nobody
    lab.control.knobs(maintenance=False, rate_limit=1)
    answer = globex.perform(Prove(USER, 1, 2))
    assert (answer.kind, answer.lasting) == (Kind.FAILED, False)
    assert answer.not_before > globex.clock() + timedelta(minutes=50)


def test_what_a_new_app_refuses_for_half_an_hour_may_pass_by_itself(lab):
    lab.steady("globex")
    with lab.application(credential("globex", consumer_key="3MVG9_no_such_app")) as app:
        answer = Hand(app, "globex").perform(Prove(USER, 1, None))
    assert (answer.kind, answer.lasting, answer.passing) == (Kind.FAILED, True, True)
    assert "30 minutes" in answer.hint


def test_every_proof_is_paid_from_the_login_budget(globex):
    spent: list[str] = []
    globex.app.tools.budget.spend = spent.append
    globex.perform(Prove(USER, 1, 2))
    assert spent == [USER, USER]


def test_a_probe_finds_the_key_that_the_org_takes(globex):
    answer = globex.perform(Probe((USER,), (2, 1)))
    assert (answer.kind, answer.serial) == (Kind.OK, 1)


def test_a_probe_that_finds_none_is_refused(globex):
    assert globex.perform(Probe((USER,), (2,))).kind is Kind.REFUSED


def test_a_refused_login_tells_how_clocks_differ_too_for_whoever_is_locked_out_has_no_others(globex):
    for minutes in (5, -5):
        globex.clock.advance(minutes=minutes)
        assert globex.perform(Probe((USER,), (2,))).kind is not Kind.OK
        ahead_seconds = globex.clock.ahead.total_seconds()
        assert globex.station.skew_seconds == pytest.approx(-ahead_seconds, abs=30)


def test_a_frozen_user_does_not_keep_the_others_from_probing(lab):
    lab.steady("acme")
    lab.control.put_user(ACME[0], active=False)
    with lab.application() as app:
        acme = Hand(app, "acme")
        assert acme.perform(Probe(ACME, (1,))).kind is Kind.OK
        alone = acme.perform(Probe(ACME[:1], (1,)))
    assert (alone.kind, alone.code) == (Kind.FAILED, "salesforce.inactive_user")


# -- identity


def test_the_first_token_binds_the_record(lab, globex):
    globex.until_wait()
    assert lab.record("globex").identity.org_id == lab.control.state()["org_id"]
    assert lab.record("globex").identity.app == "Rotator_Globex"


def bound(lab, **other):
    """Bind the record of globex to something else than what the configuration names."""
    with lab.application() as app:
        Hand(app, "globex").until_wait()
        record, version = app.documents.read_record("globex")
        identity = Identity(
            **{**{n: getattr(record.identity, n) for n in record.identity.__slots__}, **other}
        )
        app.documents.write_record("globex", type(record)(**{
            **{n: getattr(record, n) for n in record.__slots__}, "identity": identity}), version)  # fmt: skip


@pytest.mark.parametrize(
    ("other", "words"),
    [({"org_id": "00D000000000001AAA"}, "the org is"), ({"consumer_key": "3MVG9_old"}, "the consumer key")],
    ids=["another org", "another consumer key"],
)
def test_a_foreign_org_or_app_pauses_the_credential_and_gets_no_token_published(lab, other, words):
    lab.steady("globex")
    bound(lab, **other)
    with lab.application() as app:
        globex = Hand(app, "globex")
        before = lab.data(f"globex/tokens/{USER}")
        globex.app.driver.refresh(globex.station)
        globex.clock.advance(seconds=10)
        globex.until_wait()
        assert globex.record.paused.kind is PauseKind.IDENTITY
        assert lab.data(f"globex/tokens/{USER}")["issued_at"] == before["issued_at"]
        (line,) = lab.told("identity.mismatch")
        assert words in line["found"]
        assert "rotator resume globex" in line["hint"]
        lab.ask("globex", Ask.RESUME)
        globex.app.driver.look_for_request(globex.station)
        globex.until_wait()
        assert globex.record.paused is None
        assert globex.record.identity.org_id == lab.control.state()["org_id"]


def test_another_app_name_stops_deploys_and_leaves_tokens_alone(lab):
    lab.steady("globex", "deployer")
    bound(lab, app="Rotator_Before")
    with lab.application() as app:
        globex = Hand(app, "globex")
        assert globex.perform(Mint(USER, (1,))).kind is Kind.OK
        answer = globex.perform(Validate(1, None, by_hand=False))
    assert answer.kind is Kind.MISMATCH
    assert "Rotator_Before" in answer.message
    assert "rotator resume globex" in answer.hint
    assert lab.control.state()["deploys"] == []


def test_users_may_come_and_go(lab):
    lab.steady("acme")
    with lab.application(credential("acme", users=[ACME[0]])) as app:
        Hand(app, "acme").until_wait()
    with lab.application(credential("acme", users=[ACME[1]])) as app:
        acme = Hand(app, "acme")
        acme.until_wait()
        assert acme.record.paused is None
    assert lab.data(f"acme/tokens/{ACME[1]}")["username"] == ACME[1]


def test_a_deployer_that_logs_in_to_another_org_deploys_nothing(lab):
    lab.steady("globex", "deployer")
    bound(lab, org_id="00D000000000001AAA")
    with lab.application() as app:
        answer = Hand(app, "globex").perform(Validate(1, None, by_hand=False))
    assert (answer.kind, answer.code, answer.lasting) == (Kind.FAILED, "deployer.other_org", True)
    assert lab.control.state()["deploys"] == []
