"""How a deploy of the metadata publisher may end, and what is found out about one whose answer was lost."""

from __future__ import annotations

from datetime import timedelta
from xml.etree import ElementTree as ET  # only to add an element

import pytest

from rotator.core.effects import Kind
from rotator.errors import Transient
from rotator.publishers.metadata import MetadataPublisher
from rotator.salesforce.rest import Org
from rotator.sandbox.org.seed import ACME, GLOBEX
from tests.publishers.helpers import BOTH, same, to_the_end


def test_a_deploy_under_way_is_polled_and_not_waited_for(lab, new_pem):
    lab.knob("deploy_seconds", 3600.0)
    publisher = lab.publisher(ACME)
    sent = publisher.deploy(new_pem, lab.soon())
    slept = list(lab.clock.slept)
    answer = publisher.poll(new_pem, ticket=sent.ticket, since=lab.clock(), cancel=False)
    assert (answer.kind, answer.ticket) == (Kind.PENDING, sent.ticket)
    assert lab.clock.slept == slept
    assert not lab.org.deploys[sent.ticket].cancelling


@BOTH
def test_a_deploy_that_fails_is_refused_in_the_words_of_the_org(lab, old_pem, new_pem, name):
    lab.knob("fail_deploys", 1)
    publisher = lab.publisher(name)
    sent = publisher.deploy(new_pem, lab.soon())
    answer = to_the_end(publisher, new_pem, sent.ticket, lab.clock())
    assert answer.kind is Kind.REFUSED
    assert "An unexpected error occurred" in answer.message
    assert name in answer.message
    assert same(lab.certificate(name), old_pem)


def test_a_validation_that_fails_is_refused(lab, new_pem):
    lab.org.app(ACME).root("ExtlClntAppOauthSettings").find(
        "commaSeparatedOauthScopes"
    ).text = "Api, Nonsense"
    publisher = lab.publisher(ACME)
    started = publisher.validate(new_pem, None)
    answer = publisher.validate(new_pem, started.ticket)
    assert answer.kind is Kind.REFUSED
    assert "Nonsense" in answer.message


def test_a_validation_that_the_org_has_forgotten_is_begun_anew(lab, new_pem):
    publisher = lab.publisher(ACME)
    assert publisher.validate(new_pem, "0AfDm000000000xKAA").kind is Kind.ABSENT


def test_a_deploy_that_the_org_does_not_know_is_absent(lab, new_pem):
    answer = lab.publisher(ACME).poll(new_pem, ticket="0AfDm000000000xKAA", since=lab.clock(), cancel=False)
    assert answer.kind is Kind.ABSENT


def test_a_deploy_is_cancelled_once_and_awaited(lab, old_pem, new_pem):
    lab.knob("deploy_seconds", 1.0)
    publisher = lab.publisher(ACME)
    since = lab.clock()
    sent = publisher.deploy(new_pem, lab.soon())
    first = publisher.poll(new_pem, ticket=sent.ticket, since=since, cancel=True)
    assert (first.kind, first.ticket) == (Kind.PENDING, sent.ticket)
    assert lab.org.deploys[sent.ticket].cancelling
    answer = to_the_end(publisher, new_pem, sent.ticket, since, cancel=True)
    assert answer.kind is Kind.REFUSED
    assert "Canceled" in answer.message
    assert same(lab.certificate(ACME), old_pem)


def test_a_deploy_that_is_too_late_to_cancel_is_awaited(lab, new_pem):
    lab.knob("deploy_seconds", 3600.0)
    publisher = lab.publisher(ACME)
    sent = publisher.deploy(new_pem, lab.soon())
    deploy = lab.org.deploys[sent.ticket]
    deploy.starts -= 100 * 3600  # so that it is near its end
    answer = publisher.poll(new_pem, ticket=sent.ticket, since=lab.clock(), cancel=True)
    assert (answer.kind, answer.message) == (Kind.PENDING, "the deploy is FinalizingDeploy")
    assert not any(count for name, count in lab.org.counts.items() if name.startswith("refused"))


def test_a_cancelled_deploy_that_was_committed_all_the_same_is_seen(lab, new_pem):
    lab.knob("deploy_seconds", 0.5)
    publisher = lab.publisher(ACME)
    since = lab.clock()
    sent = publisher.deploy(new_pem, lab.soon())
    assert publisher.poll(new_pem, ticket=sent.ticket, since=since, cancel=True).kind is Kind.PENDING
    with lab.org.lock:
        lab.org.app(ACME).root("ExtlClntAppGlobalOauthSettings").find("certificate").text = new_pem
    answer = to_the_end(publisher, new_pem, sent.ticket, since, cancel=True)
    assert answer.kind is Kind.OK
    assert "Canceled" in answer.message


def test_a_deploy_that_another_one_has_overwritten_is_left_to_the_proofs_because_the_slot_was_changed(
    lab, old_pem, new_pem
):
    publisher = lab.publisher(ACME)
    sent = publisher.deploy(new_pem, lab.soon())
    lab.org.settle()
    with lab.org.lock:
        lab.org.app(ACME).root("ExtlClntAppGlobalOauthSettings").find("certificate").text = old_pem
    answer = to_the_end(publisher, new_pem, sent.ticket, lab.clock())
    assert answer.kind is Kind.OK
    assert "only the proofs tell" in answer.message


def test_a_certificate_that_can_not_be_read_back_is_left_to_the_proofs(lab, new_pem):
    publisher = lab.publisher(ACME)
    sent = publisher.deploy(new_pem, lab.soon())
    lab.knob("hide_certificate", True)
    answer = to_the_end(publisher, new_pem, sent.ticket, lab.clock())
    assert answer.kind is Kind.OK
    assert "only the proofs tell" in answer.message


@pytest.fixture
def cancelled(lab, new_pem):
    """Give the ticket of a deploy that was cancelled, and committed all the same."""

    def cancel(publisher: MetadataPublisher, name: str) -> str:
        lab.knob("deploy_seconds", 5.0)
        sent = publisher.deploy(new_pem, lab.soon())
        publisher.poll(new_pem, ticket=sent.ticket, since=lab.clock(), cancel=True)
        while not lab.org.deploys[sent.ticket].final:
            lab.org.settle()
        assert lab.org.deploys[sent.ticket].final == "Canceled"
        with lab.org.lock:
            app = lab.org.app(name)
            slot = app.root("ConnectedApp" if name == GLOBEX else "ExtlClntAppGlobalOauthSettings")
            next(slot.iter("certificate")).text = new_pem
        return sent.ticket

    return cancel


def test_a_cancelled_deploy_of_which_the_org_shows_nothing_safe_is_left_to_the_proofs(
    lab, new_pem, cancelled
):
    """REFUSED would end the change without a proof, while the org holds the new certificate."""
    publisher = lab.publisher(ACME)
    ticket = cancelled(publisher, ACME)
    with lab.org.lock:
        ET.SubElement(lab.org.app(ACME).root("ExtlClntAppGlobalOauthSettings"), "certificate").text = new_pem
    answer = publisher.poll(new_pem, ticket=ticket, since=lab.clock(), cancel=True)
    assert answer.kind is Kind.OK
    assert "only the proofs tell" in answer.message


def test_a_cancelled_deploy_whose_org_can_not_be_read_is_left_to_the_proofs(lab, new_pem, kept, cancelled):
    publisher = lab.publisher(GLOBEX, source=kept(GLOBEX))
    lab.jwt = True
    ticket = cancelled(publisher, GLOBEX)
    answer = publisher.poll(new_pem, ticket=ticket, since=lab.clock(), cancel=True)
    assert answer.kind is Kind.OK
    assert "only the proofs tell" in answer.message


def test_a_cancelled_deploy_is_looked_at_again_while_the_org_is_slow_but_not_for_ever(
    lab, new_pem, cancelled
):
    publisher, since = lab.publisher(ACME), lab.clock()
    ticket = cancelled(publisher, ACME)
    lab.knob("retrieve_seconds", 3600.0)
    first = publisher.poll(new_pem, ticket=ticket, since=since, cancel=True)
    assert (first.kind, first.lasting) == (Kind.FAILED, False)
    lab.clock.offset += timedelta(hours=1)
    later = publisher.poll(new_pem, ticket=ticket, since=since, cancel=True)
    assert later.kind is Kind.OK
    assert "only the proofs tell" in later.message


# --- a lost answer ---------------------------------------------------------------------------------


@BOTH
def test_a_deploy_whose_answer_was_lost_is_found_again(lab, new_pem, name):
    lab.knob("lose_deploy_answer", 1)
    publisher = lab.publisher(name)
    since = lab.clock()
    sent = publisher.deploy(new_pem, lab.soon())
    assert (sent.kind, sent.ticket) == (Kind.UNKNOWN, None)
    answer = to_the_end(publisher, new_pem, None, since)
    assert answer.kind is Kind.OK
    assert same(lab.certificate(name), new_pem)


def test_a_lost_deploy_that_is_still_under_way_is_pending(lab, new_pem):
    lab.knob("lose_deploy_answer", 1)
    lab.knob("deploy_seconds", 3600.0)
    publisher = lab.publisher(ACME)
    since = lab.clock()
    assert publisher.deploy(new_pem, lab.soon()).kind is Kind.UNKNOWN
    assert publisher.poll(new_pem, ticket=None, since=since, cancel=False).kind is Kind.PENDING


def test_a_lost_deploy_that_failed_is_refused(lab, new_pem):
    lab.knob("lose_deploy_answer", 1)
    lab.knob("fail_deploys", 1)
    publisher = lab.publisher(ACME)
    since = lab.clock()
    publisher.deploy(new_pem, lab.soon())
    assert to_the_end(publisher, new_pem, None, since).kind is Kind.REFUSED


def test_where_nothing_arrived_nothing_is_found(lab, new_pem):
    assert lab.publisher(ACME).poll(new_pem, ticket=None, since=lab.clock(), cancel=False).kind is Kind.ABSENT


def test_the_deploy_of_another_app_and_an_earlier_one_are_not_taken_for_ours(lab, old_pem, new_pem):
    other, ours = lab.publisher(GLOBEX), lab.publisher(ACME)
    earlier = ours.deploy(old_pem, lab.soon())
    assert to_the_end(ours, old_pem, earlier.ticket, lab.clock()).kind is Kind.OK
    lab.org.deploys[earlier.ticket].created_at -= timedelta(seconds=30)
    since = lab.clock()
    other.deploy(new_pem, lab.soon())
    other.validate(new_pem, None)
    assert ours.poll(new_pem, ticket=None, since=since, cancel=False).kind is Kind.ABSENT


def test_a_deploy_of_the_same_app_right_before_is_not_taken_for_ours(lab, old_pem, new_pem):
    publisher = lab.publisher(ACME)
    earlier = publisher.deploy(old_pem, lab.soon())
    assert to_the_end(publisher, old_pem, earlier.ticket, lab.clock()).kind is Kind.OK
    answer = publisher.poll(new_pem, ticket=None, since=lab.clock(), cancel=False)
    assert (answer.kind, earlier.ticket in answer.message) == (Kind.ABSENT, True)


@pytest.mark.parametrize("later", [timedelta(), timedelta(minutes=20)])
def test_a_lost_deploy_is_found_among_many_that_came_after_it(lab, old_pem, new_pem, later):
    lab.knob("lose_deploy_answer", 1)
    publisher, other = lab.publisher(ACME), lab.publisher(GLOBEX)
    since = lab.clock()
    publisher.deploy(new_pem, lab.soon())
    package, _ = other._package(old_pem, lab.soon())
    for _ in range(51):
        ticket = other._send(package, lab.soon(), check_only=False)
        lab.org.deploys[ticket].created_at += later
    answer = to_the_end(publisher, new_pem, None, since)
    assert answer.kind is Kind.OK
    assert same(lab.certificate(ACME), new_pem)


@pytest.mark.parametrize("seconds", [-50.0, 50.0])
def test_a_lost_deploy_is_found_although_the_clocks_differ(lab, new_pem, seconds):
    lab.knob("clock_offset_seconds", seconds)
    lab.knob("lose_deploy_answer", 1)
    publisher = lab.publisher(ACME)
    since = lab.clock()
    publisher.deploy(new_pem, lab.soon())
    assert to_the_end(publisher, new_pem, None, since).kind is Kind.OK


def test_a_deploy_that_meets_maintenance_may_have_been_taken(lab, new_pem, kept):
    publisher = lab.publisher(GLOBEX, source=kept(GLOBEX))
    lab.jwt = True  # so that nothing is read by SOAP before
    assert publisher.validate(new_pem, None).kind is Kind.PENDING
    lab.knob("maintenance", True)
    assert publisher.deploy(new_pem, lab.soon()).kind is Kind.UNKNOWN


def test_a_deploy_that_the_org_has_no_time_for_was_surely_not_taken(lab, new_pem, kept):
    publisher = lab.publisher(GLOBEX, source=kept(GLOBEX))
    lab.jwt = True  # so that nothing is read by SOAP before
    assert publisher.validate(new_pem, None).kind is Kind.PENDING
    lab.knob("throttle", 1)
    answer = publisher.deploy(new_pem, lab.soon())
    assert answer.kind is Kind.FAILED
    assert answer.not_before > lab.clock()


def test_a_login_that_failed_is_no_deploy_whatever_became_of_it(lab, new_pem, kept):
    """Only where the deploy itself was sent is it unknown whether it was taken."""
    sessions = [lab.session]

    def session() -> Org:
        if sessions:
            return sessions.pop()()
        raise Transient(
            "the token endpoint answered with 503",
            code="salesforce.unavailable",
            maybe_done=True,
            hint="Mend it.",
        )

    publisher = lab.publisher(GLOBEX, source=kept(GLOBEX), session=session)
    lab.jwt = True  # so that nothing is read by SOAP, and the deploy is what meets the dead session
    assert publisher.validate(new_pem, None).kind is Kind.PENDING
    lab.end_sessions()
    answer = publisher.deploy(new_pem, lab.soon())
    assert (answer.kind, answer.code) == (Kind.FAILED, "salesforce.unavailable")
    assert lab.org.counts["deploys"] == 1  # the validation


def test_maintenance_while_reading_is_no_deploy(lab, new_pem):
    lab.knob("maintenance", True)
    answer = lab.publisher(ACME).deploy(new_pem, lab.soon())
    assert (answer.kind, answer.lasting) == (Kind.FAILED, False)
