"""The metadata publisher against a simulated org, which is stricter than Salesforce where the documents leave room."""

from __future__ import annotations

import base64
from datetime import timedelta
from xml.etree import ElementTree as ET  # only to add an element

import pytest

from rotator.core.effects import Kind
from rotator.publishers.metadata import MetadataPublisher
from rotator.salesforce.appfiles import App, AppKind
from rotator.salesforce.packages import zipped
from rotator.salesforce.rest import Org
from rotator.sandbox.org.seed import ACME, GLOBEX
from rotator.secret import Secret
from tests.publishers.helpers import BOTH, same, settings_of, to_the_end
from tests.world import http_fake


@BOTH
def test_a_certificate_is_validated_deployed_and_read_back(lab, new_pem, name):
    publisher = lab.publisher(name)
    started = publisher.validate(new_pem, None)
    assert started.kind is Kind.PENDING
    assert publisher.validate(new_pem, started.ticket).kind is Kind.OK
    assert not same(lab.certificate(name), new_pem)
    since = lab.clock()
    sent = publisher.deploy(new_pem, lab.soon())
    assert sent.kind is Kind.PENDING
    ended = to_the_end(publisher, new_pem, sent.ticket, since)
    assert ended.kind is Kind.OK
    assert "shows the certificate" in ended.message
    assert same(lab.certificate(name), new_pem)


@BOTH
def test_a_deploy_changes_the_certificate_and_nothing_else(lab, new_pem, name):
    before, key = settings_of(lab, name), lab.org.app(name).consumer_key
    publisher = lab.publisher(name)
    sent = publisher.deploy(new_pem, lab.soon())
    assert to_the_end(publisher, new_pem, sent.ticket, lab.clock()).kind is Kind.OK
    assert settings_of(lab, name) == before
    assert lab.org.app(name).consumer_key == key


@BOTH
def test_the_certificate_that_is_there_can_be_deployed_again(lab, old_pem, name):
    publisher = lab.publisher(name)
    sent = publisher.deploy(old_pem, lab.soon())
    assert to_the_end(publisher, old_pem, sent.ticket, lab.clock()).kind is Kind.OK
    assert lab.org.counts["deploys"] == 1


def test_a_scope_that_newer_versions_do_not_show_survives(lab, new_pem):
    oauth = lab.org.app(GLOBEX).root("ConnectedApp").find("oauthConfig")
    ET.SubElement(oauth, "scopes").text = "CustomPermissions"
    publisher = lab.publisher(GLOBEX)
    sent = publisher.deploy(new_pem, lab.soon())
    assert to_the_end(publisher, new_pem, sent.ticket, lab.clock()).kind is Kind.OK
    assert "custom_permissions" in lab.org.app(GLOBEX).scopes


# --- what must not be sent, or not any more --------------------------------------------------------


@BOTH
def test_nothing_is_sent_once_the_time_to_send_is_over(lab, new_pem, name):
    answer = lab.publisher(name).deploy(new_pem, lab.clock())
    assert answer.kind is Kind.FAILED
    assert lab.org.counts["deploys"] == 0
    assert not lab.org.retrieves


def test_a_deploy_is_not_sent_when_reading_took_too_long(lab, new_pem):
    lab.knob("retrieve_seconds", 3600.0)
    answer = lab.publisher(ACME).deploy(new_pem, lab.clock() + timedelta(seconds=10))
    assert answer.kind is Kind.FAILED
    assert lab.org.counts["deploys"] == 0
    assert sum(lab.clock.slept) < 20


def test_waiting_for_the_org_to_read_its_metadata_is_bounded(lab, new_pem):
    lab.knob("retrieve_seconds", 3600.0)
    answer = lab.publisher(ACME, patience=timedelta(seconds=5)).validate(new_pem, None)
    assert (answer.kind, answer.lasting) == (Kind.FAILED, False)


def test_the_clock_is_looked_at_right_before_a_deploy_is_sent(lab, new_pem, kept):
    publisher = lab.publisher(GLOBEX, source=kept(GLOBEX))
    lab.jwt = True  # so that nothing is read by SOAP before
    assert publisher.validate(new_pem, None).kind is Kind.PENDING
    lab.end_sessions()
    lab.minting_takes = timedelta(hours=1)
    assert publisher.deploy(new_pem, lab.soon()).kind is Kind.FAILED
    assert lab.minted == 3
    assert lab.org.counts["deploys"] == 1  # the validation


@pytest.mark.parametrize("flag", ["shouldRotateConsumerKey", "shouldRotateConsumerSecret"])
def test_files_that_ask_for_new_consumer_credentials_are_refused(lab, new_pem, flag):
    lab.org.app(ACME).root("ExtlClntAppGlobalOauthSettings").find(flag).text = "true"
    answers = [lab.publisher(ACME).validate(new_pem, None), lab.publisher(ACME).deploy(new_pem, lab.soon())]
    assert [answer.kind for answer in answers] == [Kind.REFUSED, Kind.REFUSED]
    assert flag in answers[0].message
    assert lab.org.counts["deploys"] == 0


@BOTH
def test_an_app_that_shows_no_certificate_is_not_deployed(lab, new_pem, name):
    lab.knob("hide_certificate", True)
    answer = lab.publisher(name).deploy(new_pem, lab.soon())
    assert answer.kind is Kind.REFUSED
    assert answer.code == "salesforce.metadata.no_certificate"
    assert lab.org.counts["deploys"] == 0


def test_an_app_with_another_consumer_key_is_not_deployed(lab, new_pem):
    publisher = lab.publisher(ACME)
    lab.org.app(ACME).consumer_key = "3MVGanother"
    answer = publisher.deploy(new_pem, lab.soon())
    assert (answer.kind, answer.code) == (Kind.REFUSED, "salesforce.metadata.other_consumer_key")


def _retrieve_that_leaves_out(request):
    """An org that lists the app, and then says why it does not hand over its settings."""
    names = {
        "ExternalClientApplication": ACME,
        "ExtlClntAppGlobalOauthSettings": "x",
        "ExtlClntAppOauthSettings": "y",
    }
    if b"listMetadata" in request.body:
        rows = "".join(f"<result><fullName>{n}</fullName><type>{t}</type></result>" for t, n in names.items())
        body = f"<listMetadataResponse>{rows}</listMetadataResponse>"
    elif b"checkRetrieveStatus" in request.body:
        archive = base64.b64encode(zipped({f"externalClientApps/{ACME}.eca": b"<x/>"})).decode()
        body = (
            "<checkRetrieveStatusResponse><result><done>true</done><success>true</success><messages><problem>"
            f"You do not have access</problem></messages><zipFile>{archive}</zipFile></result>"
            "</checkRetrieveStatusResponse>"
        )
    else:
        body = "<retrieveResponse><result><id>09S000000000001</id></result></retrieveResponse>"
    return http_fake.Answer(200, f"<Envelope><Body>{body}</Body></Envelope>")


def test_what_the_org_says_of_settings_that_it_does_not_hand_over_is_passed_on(lab, new_pem):
    with http_fake.HttpFake(_retrieve_that_leaves_out) as fake:
        org = Org(fake.url, Secret("00D!x"), "66.0")
        app = App(AppKind.EXTERNAL_CLIENT_APP, ACME)
        answer = MetadataPublisher(lambda: lab.wire, lambda: org, app).validate(new_pem, None)
    assert (answer.kind, answer.lasting) == (Kind.FAILED, True)
    assert answer.message.endswith("; the org says: You do not have access")


# --- what is missing, and is not to be concluded from it -------------------------------------------


@pytest.mark.parametrize("kind", list(AppKind))
def test_an_app_that_is_not_shown_may_be_there_all_the_same(lab, new_pem, kind):
    app = App(kind, "Rotator_Nobody")
    publisher = MetadataPublisher(lambda: lab.wire, lab.session, app, clock=lab.clock, sleep=lab.clock.sleep)
    answer = publisher.validate(new_pem, None)
    assert (answer.kind, answer.lasting) == (Kind.FAILED, True)
    assert "permission" in answer.hint


def test_a_deployer_without_the_permission_is_told_which(lab, new_pem):
    lab.knob("deny_metadata", True)
    answer = lab.publisher(ACME).validate(new_pem, None)
    assert (answer.kind, answer.lasting) == (Kind.FAILED, True)
    assert "Modify Metadata" in answer.hint


def test_a_connected_app_can_not_be_read_with_a_token_in_jwt_format_and_nothing_is_concluded(lab, new_pem):
    lab.jwt = True
    answer = lab.publisher(GLOBEX).deploy(new_pem, lab.soon())
    assert (answer.kind, answer.lasting, answer.code) == (Kind.FAILED, True, "salesforce.soap.jwt")
    assert lab.minted == 1


def test_an_external_client_app_is_deployed_with_a_token_in_jwt_format(lab, new_pem):
    lab.jwt = True
    publisher = lab.publisher(ACME)
    sent = publisher.deploy(new_pem, lab.soon())
    assert to_the_end(publisher, new_pem, sent.ticket, lab.clock()).kind is Kind.OK


def test_a_dead_session_is_replaced_once(lab, new_pem):
    publisher = lab.publisher(ACME)
    assert publisher.validate(new_pem, None).kind is Kind.PENDING
    lab.end_sessions()
    since = lab.clock()
    sent = publisher.deploy(new_pem, lab.soon())
    lab.end_sessions()
    assert to_the_end(publisher, new_pem, sent.ticket, since).kind is Kind.OK
    assert lab.minted == 3


def test_a_session_that_is_dead_from_the_beginning_is_not_replaced_for_ever(lab, new_pem):
    asked = []

    def dead() -> Org:
        asked.append(1)
        return Org(lab.url, Secret(f"{lab.org.org_id}!nobody"))

    app = App(AppKind.EXTERNAL_CLIENT_APP, ACME)
    publisher = MetadataPublisher(lambda: lab.wire, dead, app, clock=lab.clock, sleep=lab.clock.sleep)
    answer = publisher.validate(new_pem, None)
    assert (answer.kind, answer.lasting) == (Kind.FAILED, False)
    assert len(asked) == 1


# --- what the doctor is told -----------------------------------------------------------------------


@BOTH
def test_the_doctor_finds_all_well(lab, old_pem, name):
    findings = list(lab.publisher(name).verify())
    assert [finding.message for finding in findings if not finding.ok] == []
    assert {"app", "certificate", "deploy"} <= {finding.subject.rpartition(": ")[2] for finding in findings}
    assert same(lab.certificate(name), old_pem)


@pytest.mark.parametrize(
    ("knob", "value", "subject"),
    [
        ("deny_metadata", True, "app"),
        ("hide_certificate", True, "certificate"),
    ],
)
def test_the_doctor_is_told_what_is_wrong_and_how_to_mend_it(lab, knob, value, subject):
    lab.knob(knob, value)
    wrong = [finding for finding in lab.publisher(ACME).verify() if not finding.ok]
    assert [finding.subject for finding in wrong] == [f"{ACME}: {subject}"]
    assert wrong[0].hint


def test_the_doctor_is_told_that_the_deployer_may_not_deploy(lab):
    user = lab.org.users["deployer@acme.example"]
    user.permissions = {
        permission for permission in user.permissions if permission != "ManageExternalClientApps"
    }
    wrong = [finding for finding in lab.publisher(ACME).verify() if not finding.ok]
    assert [finding.subject for finding in wrong] == [f"{ACME}: deploy"]
    assert "INSUFFICIENT_ACCESS" in wrong[0].message
