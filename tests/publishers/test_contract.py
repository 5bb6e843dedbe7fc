"""What holds for every publisher, whatever it publishes with."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rotator.core.effects import Kind
from rotator.finding import Finding
from rotator.publishers import Publisher
from rotator.publishers.command import CommandPublisher
from rotator.publishers.manual import ManualPublisher
from rotator.salesforce.appfiles import App, AppKind
from rotator.sandbox.org.seed import ACME, GLOBEX


@pytest.fixture(params=["metadata: external client app", "metadata: connected app", "command", "manual"])
def publisher(request, lab, tmp_path) -> Publisher:
    if request.param == "command":
        program = tmp_path / "install"
        program.write_text("#!/bin/sh\nexit 0\n")
        program.chmod(0o755)
        return CommandPublisher(
            [str(program)], credential="acme", timeout=timedelta(seconds=20), clock=lab.clock
        )
    if request.param == "manual":
        return ManualPublisher(App(AppKind.EXTERNAL_CLIENT_APP, ACME), clock=lab.clock)
    return lab.publisher(GLOBEX if "connected" in request.param else ACME)


def test_a_certificate_goes_from_validation_to_the_proofs(publisher, lab, new_pem):
    answer = publisher.validate(new_pem, None)
    for _ in range(100):
        if answer.kind is not Kind.PENDING:
            break
        answer = publisher.validate(new_pem, answer.ticket)
    assert answer.kind is Kind.OK
    since = lab.clock()
    answer = publisher.deploy(new_pem, lab.soon())
    for _ in range(100):
        if answer.kind is not Kind.PENDING:
            break
        answer = publisher.poll(new_pem, ticket=answer.ticket, since=since, cancel=False)
    assert answer.kind is Kind.OK


def test_a_pending_answer_carries_the_ticket_to_come_back_with(publisher, lab, new_pem):
    for answer in (publisher.validate(new_pem, None), publisher.deploy(new_pem, lab.soon())):
        assert (answer.kind is Kind.PENDING) == (answer.ticket is not None)


def test_nothing_is_sent_when_the_time_to_send_is_over(publisher, lab, new_pem):
    for send_before in (lab.clock(), lab.clock() - timedelta(hours=1)):
        assert publisher.deploy(new_pem, send_before).kind is Kind.FAILED


def test_answers_tell_their_time_and_are_words_for_a_person(publisher, lab, new_pem):
    before = lab.clock()
    for answer in (
        publisher.validate(new_pem, None),
        publisher.deploy(new_pem, lab.soon()),
        publisher.deploy(new_pem, lab.clock()),
        publisher.poll(new_pem, ticket=None, since=lab.clock(), cancel=False),
    ):
        assert before <= answer.at <= lab.clock()
        assert answer.kind is not Kind.FAILED or (answer.message and answer.code)


def test_what_was_never_asked_for_can_be_polled_without_harm(publisher, lab, new_pem):
    answer = publisher.poll(new_pem, ticket=None, since=lab.clock(), cancel=True)
    assert answer.kind in {Kind.OK, Kind.ABSENT}


def test_the_doctor_gets_findings_and_all_is_well(publisher):
    findings = list(publisher.verify())
    assert findings
    assert all(isinstance(finding, Finding) and finding.ok for finding in findings)
