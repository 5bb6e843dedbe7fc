"""What the SOAP face tells of components and deploys, in the forms of the WSDL."""

from __future__ import annotations

import base64
import re

import pytest
from defusedxml import ElementTree

from rotator.sandbox.org.http_control import control_app
from rotator.sandbox.org.seed import ACME, GLOBEX
from tests.sandbox.client import NAMESPACE, zip_of

LIST = "<listMetadata><queries><type>{}</type></queries><asOfVersion>68.0</asOfVersion></listMetadata>"
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def found(reply, tag):
    """The elements of that name, each as a dict of the texts below it."""
    assert reply.status_code == 200, reply.text
    root = ElementTree.fromstring(reply.text)
    elements = root.iter(f"{{{NAMESPACE}}}{tag}")
    return [{child.tag.rpartition("}")[2]: child.text for child in element} for element in elements]


def listed(sandbox, kind, name):
    rows = found(sandbox.soap(LIST.format(kind), sandbox.deployer), "result")
    return next(row for row in rows if row["fullName"] == name)


def deployed(sandbox, files, more=""):
    """What checkDeployStatus answers about a deploy by SOAP."""
    archive = base64.b64encode(zip_of(files)).decode()
    begun = sandbox.soap(
        f"<deploy><ZipFile>{archive}</ZipFile><DeployOptions><rollbackOnError>true</rollbackOnError>{more}"
        "<singlePackage>true</singlePackage></DeployOptions></deploy>",
        sandbox.deployer,
    )
    number = found(begun, "result")[0]["id"]
    return sandbox.soap(
        f"<checkDeployStatus><asyncProcessId>{number}</asyncProcessId><includeDetails>true</includeDetails></checkDeployStatus>",
        sandbox.deployer,
    )


def test_a_component_tells_who_made_it_and_who_changed_it_last_and_when(sandbox):
    before = listed(sandbox, "ConnectedApp", GLOBEX)
    assert before["createdDate"] == before["lastModifiedDate"] == "2026-11-01T12:00:00.000Z"
    assert (before["createdByName"], before["lastModifiedByName"]) == ("integration", "integration")
    sandbox.clock.pass_seconds(60)
    sandbox.deploy(sandbox.globex_files(sandbox.new.base64))
    after = listed(sandbox, "ConnectedApp", GLOBEX)
    assert {name for name in after if after[name] != before[name]} == {
        "lastModifiedById",
        "lastModifiedByName",
        "lastModifiedDate",
    }
    assert (after["lastModifiedByName"], after["lastModifiedDate"]) == (
        "deployer",
        "2026-11-01T12:01:00.000Z",
    )


def test_a_certificate_put_in_by_hand_shows_in_the_date_of_its_component_alone(sandbox):
    sandbox.clock.pass_seconds(60)
    control = control_app(sandbox.org).test_client()
    assert control.post("/certificate", json={"app": ACME, "pem": sandbox.new.pem}).status_code == 200
    dates = {
        kind: listed(sandbox, kind, name)["lastModifiedDate"]
        for kind, name in (
            ("ExternalClientApplication", ACME),
            ("ExtlClntAppGlobalOauthSettings", f"{ACME}_glbloauth"),
        )
    }
    assert dates == {
        "ExternalClientApplication": "2026-11-01T12:00:00.000Z",
        "ExtlClntAppGlobalOauthSettings": "2026-11-01T12:01:00.000Z",
    }


@pytest.mark.parametrize(("single", "folder"), [("true", ""), ("false", "unpackaged/")])
def test_a_retrieve_tells_of_the_manifest_as_of_a_component_without_id(sandbox, single, folder):
    begun = sandbox.soap(
        f"<retrieve><retrieveRequest><apiVersion>68.0</apiVersion><singlePackage>{single}</singlePackage><unpackaged>"
        f"<types><members>{GLOBEX}</members><name>ConnectedApp</name></types></unpackaged></retrieveRequest></retrieve>",
        sandbox.deployer,
    )
    number = found(begun, "result")[0]["id"]
    check = f"<checkRetrieveStatus><asyncProcessId>{number}</asyncProcessId></checkRetrieveStatus>"
    app, manifest = found(sandbox.soap(check, sandbox.deployer), "fileProperties")
    assert (app["fileName"], app["type"]) == (f"{folder}connectedApps/{GLOBEX}.connectedApp", "ConnectedApp")
    assert manifest["fileName"] == manifest["fullName"] == f"{folder}package.xml"
    assert (manifest["id"], manifest["type"]) == (None, "Package")
    assert app.keys() == manifest.keys()


def test_dates_of_a_deploy_are_those_of_xml_schema_and_its_elements_in_the_order_of_the_wsdl(sandbox):
    reply = deployed(sandbox, sandbox.globex_files(sandbox.new.base64))
    (result,) = found(reply, "result")
    assert list(result) == sorted(result)
    for row in found(reply, "componentSuccesses"):
        assert list(row) == sorted(row)
        assert DATE.fullmatch(row["createdDate"])
    for name in ("createdDate", "startDate", "completedDate", "lastModifiedDate"):
        assert DATE.fullmatch(result[name]), name


@pytest.mark.parametrize("tests", [("One",), ("One", "Two")])
def test_a_deploy_by_soap_may_name_the_tests_to_run(sandbox, tests):
    more = "".join(f"<runTests>{name}</runTests>" for name in tests)
    reply = deployed(sandbox, sandbox.globex_files(), f"{more}<testLevel>RunSpecifiedTests</testLevel>")
    assert found(reply, "result")[0]["status"] == "Succeeded"
    (deploy,) = sandbox.org.deploys.values()
    assert deploy.options["runTests"] == list(tests)
