"""The metadata publisher against a simulated org, which is stricter than Salesforce where the documents leave room."""

from __future__ import annotations

import base64
from datetime import timedelta
from xml.etree import ElementTree as ET  # only to add an element

import pytest

from rotator.core.effects import Answer, Kind
from rotator.errors import Transient
from rotator.publishers.metadata import MetadataPublisher
from rotator.salesforce.appfiles import App, AppKind
from rotator.salesforce.packages import manifest, zipped
from rotator.salesforce.rest import Org
from rotator.sandbox.org.seed import ACME, GLOBEX
from rotator.secret import Secret
from tests.world import http_fake

BOTH = pytest.mark.parametrize("name", [ACME, GLOBEX])


def same(left: str, right: str) -> bool:
    return _body(left) == _body(right)


def _body(pem: str) -> str:
    for mark in ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"):
        pem = pem.replace(mark, "")
    return "".join(pem.split())


def to_the_end(
    publisher: MetadataPublisher, pem: str, ticket: str | None, since, *, cancel: bool = False
) -> Answer:
    """Poll until there is another answer than PENDING."""
    for _ in range(500):
        answer = publisher.poll(pem, ticket=ticket, since=since, cancel=cancel)
        if answer.kind is not Kind.PENDING:
            return answer
        ticket = answer.ticket or ticket
    raise AssertionError("the deploy does not end")


def settings_of(lab, name: str) -> list[tuple[str, str]]:
    """Every element of an app with its text, in any order, the certificate left out."""

    def leaves(element, path):
        if element.tag != "certificate":
            yield path, (element.text or "").strip()
        for child in element:
            yield from leaves(child, f"{path}/{child.tag}")

    documents = lab.org.app(name).documents.items()
    return sorted(leaf for kind, document in documents for leaf in leaves(document.root, kind))


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


# --- how a deploy may end --------------------------------------------------------------------------


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
        lab.knob("deploy_seconds", 0.2)
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
            "the token endpoint answered with 503", code="salesforce.unavailable", maybe_done=True
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


# --- files that the operator keeps -----------------------------------------------------------------


@pytest.fixture
def kept(lab, tmp_path):
    """The app's metadata in a folder, as the Salesforce CLI would retrieve it."""

    def write(name: str):
        publisher = lab.publisher(name)
        for path, content in publisher._files(lab.soon()).files.items():
            file = tmp_path / f"{path}-meta.xml"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return tmp_path

    return write


@BOTH
def test_files_that_the_operator_keeps_are_deployed(lab, new_pem, kept, name):
    folder = kept(name)
    lab.knob("hide_certificate", True)
    publisher = lab.publisher(name, source=folder)
    sent = publisher.deploy(new_pem, lab.soon())
    assert to_the_end(publisher, new_pem, sent.ticket, lab.clock()).kind is Kind.OK
    assert same(lab.certificate(name), new_pem)


def test_kept_files_serve_where_soap_takes_no_token_and_it_is_said_that_nothing_was_compared(
    lab, new_pem, kept
):
    folder = kept(GLOBEX)
    lab.jwt = True
    publisher = lab.publisher(GLOBEX, source=folder)
    sent = publisher.deploy(new_pem, lab.soon())
    assert sent.message.startswith("the kept files could not be compared with the org: SOAP does not take")
    answer = to_the_end(publisher, new_pem, sent.ticket, lab.clock())
    assert answer.kind is Kind.OK
    assert "only the proofs tell" in answer.message


def turn_on_introspection(lab):
    lab.org.app(ACME).root("ExtlClntAppGlobalOauthSettings").find("isIntrospectAllTokens").text = "true"
    return ACME, "isIntrospectAllTokens"


def add_a_description(lab):
    ET.SubElement(lab.org.app(ACME).root("ExternalClientApplication"), "description").text = "for reports"
    return ACME, "description"


def end_a_pre_authorisation(lab):
    root = lab.org.app(GLOBEX).root("ConnectedApp")
    root.remove(root.find("permissionSetName"))
    return GLOBEX, "permissionSetName"


def add_a_scope(lab):
    """One that newer API versions leave out of what they retrieve."""
    ET.SubElement(
        lab.org.app(GLOBEX).root("ConnectedApp").find("oauthConfig"), "scopes"
    ).text = "CustomPermissions"
    return GLOBEX, "oauthConfig/scopes"


CHANGES = [turn_on_introspection, add_a_description, end_a_pre_authorisation, add_a_scope]


@pytest.mark.parametrize("version", ["61.0", "68.0"])
@pytest.mark.parametrize("change", CHANGES)
def test_kept_files_that_would_undo_a_change_in_the_org_are_refused(lab, new_pem, kept, change, version):
    name = GLOBEX if change in (end_a_pre_authorisation, add_a_scope) else ACME
    folder = kept(name)
    (folder / "package.xml").write_bytes(manifest({}, version))
    _, where = change(lab)
    before = settings_of(lab, name)
    publisher = lab.publisher(name, source=folder)
    for answer in (publisher.validate(new_pem, None), publisher.deploy(new_pem, lab.soon())):
        assert (answer.kind, answer.code) == (Kind.REFUSED, "salesforce.metadata.other_settings")
        assert f": {where}" in answer.message
        assert "anew" in answer.hint
    assert lab.org.counts["deploys"] == 0
    assert settings_of(lab, name) == before


def test_an_org_that_is_slow_to_show_its_settings_is_asked_again_before_kept_files_are_deployed(
    lab, new_pem, kept
):
    publisher = lab.publisher(ACME, source=kept(ACME))
    lab.knob("retrieve_seconds", 3600.0)
    answer = publisher.deploy(new_pem, lab.soon())
    assert (answer.kind, answer.lasting) == (Kind.FAILED, False)
    assert lab.org.counts["deploys"] == 0


def test_the_doctor_is_told_whether_kept_files_are_what_the_org_shows(lab, kept):
    folder = kept(ACME)
    assert kept(GLOBEX) == folder

    def looked_at(name: str) -> tuple[bool, str]:
        findings = lab.publisher(name, source=folder).verify()
        return next((one.ok, one.message) for one in findings if one.subject == f"{name}: kept files")

    assert looked_at(ACME) == (True, "they are what the org shows, but for the certificate")
    turn_on_introspection(lab)
    ok, message = looked_at(ACME)
    assert (ok, "isIntrospectAllTokens" in message) == (False, True)
    lab.jwt = True
    ok, message = looked_at(GLOBEX)
    assert (ok, "could not be compared" in message) == (True, True)


@pytest.mark.parametrize("version", ["newest", "66"])
def test_kept_files_of_no_known_version_are_for_a_person_to_mend(lab, new_pem, kept, version):
    folder = kept(ACME)
    (folder / "package.xml").write_bytes(manifest({}, version))
    answer = lab.publisher(ACME, source=folder).validate(new_pem, None)
    assert (answer.kind, answer.lasting) == (Kind.FAILED, True)
    assert version in answer.message


def test_kept_files_without_a_place_for_the_certificate_are_refused(lab, new_pem, kept):
    folder = kept(ACME)
    file = next(folder.rglob("*.ecaGlblOauth-meta.xml"))
    text = file.read_text()
    begin, end = text.index("<certificate>"), text.index("</certificate>") + len("</certificate>")
    file.write_text(text[:begin] + text[end:])
    answer = lab.publisher(ACME, source=folder).deploy(new_pem, lab.soon())
    assert (answer.kind, answer.code) == (Kind.REFUSED, "salesforce.metadata.no_certificate")
    assert lab.org.counts["deploys"] == 0


def test_a_folder_that_is_not_there_is_for_a_person_to_mend(lab, new_pem, tmp_path):
    answer = lab.publisher(ACME, source=tmp_path / "nowhere").validate(new_pem, None)
    assert (answer.kind, answer.lasting) == (Kind.FAILED, True)


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
