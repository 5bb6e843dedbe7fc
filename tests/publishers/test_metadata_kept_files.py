"""The metadata publisher with files that the operator keeps."""

from __future__ import annotations

from xml.etree import ElementTree as ET  # only to add an element

import pytest

from rotator.core.effects import Kind
from rotator.salesforce.packages import manifest
from rotator.sandbox.org.seed import ACME, GLOBEX
from tests.publishers.helpers import BOTH, same, settings_of, to_the_end


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
