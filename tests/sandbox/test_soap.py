"""The SOAP face of the Metadata API."""

from __future__ import annotations

import base64
import re

import pytest
from defusedxml import ElementTree

from rotator.sandbox.org.seed import ACME, GLOBEX
from tests.sandbox.client import NAMESPACE, zip_of

LIST = "<listMetadata>{}<asOfVersion>68.0</asOfVersion></listMetadata>"


def texts(reply, tag):
    assert reply.status_code == 200, reply.text
    return [element.text for element in ElementTree.fromstring(reply.text).iter(f"{{{NAMESPACE}}}{tag}")]


def queries(*kinds):
    return LIST.format("".join(f"<queries><type>{kind}</type></queries>" for kind in kinds))


def fault(reply):
    assert (reply.status_code, reply.mimetype) == (500, "text/xml"), reply.text
    return re.search(r"<faultcode>sf:(\w+)</faultcode><faultstring>\1: ", reply.text)[1]


def test_listing_names_components_with_their_files(sandbox):
    reply = sandbox.soap(queries("ConnectedApp", "ExtlClntAppGlobalOauthSettings"), sandbox.deployer)
    assert texts(reply, "fullName") == [GLOBEX, "Rotator_Deployer", "Rotator_Acme_glbloauth"]
    assert texts(reply, "fileName")[2] == "extlClntAppGlobalOauthSets/Rotator_Acme_glbloauth.ecaGlblOauth"


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        (queries("Nonsense"), "INVALID_TYPE"),
        (queries(*["ConnectedApp"] * 4), "INVALID_TYPE"),
        (
            "<readMetadata><type>ExternalClientApplication</type><fullNames>A</fullNames></readMetadata>",
            "INVALID_TYPE",
        ),
        (
            "<checkRetrieveStatus><asyncProcessId>09S</asyncProcessId></checkRetrieveStatus>",
            "INVALID_CROSS_REFERENCE_KEY",
        ),
        ("<retrieve/>", "INVALID_PACKAGE"),
    ],
)
def test_a_call_with_a_fault_is_a_soap_fault(sandbox, operation, code):
    assert fault(sandbox.soap(operation, sandbox.deployer)) == code


def test_read_metadata_gives_a_connected_app_with_bare_certificate_and_consumer_key(sandbox):
    operation = f"<readMetadata><type>ConnectedApp</type><fullNames>{GLOBEX}</fullNames><fullNames>No</fullNames></readMetadata>"
    reply = sandbox.soap(operation, sandbox.deployer)
    assert texts(reply, "certificate") == [sandbox.old.base64]
    assert texts(reply, "consumerKey") == [sandbox.org.app(GLOBEX).consumer_key]
    assert texts(reply, "description") == ["Reads accounts & writes none"]
    assert 'xsi:type="ConnectedApp"' in reply.text
    assert '<records xsi:nil="true"/>' in reply.text


def test_read_metadata_tells_whether_sessions_are_locked_to_addresses(sandbox):
    operation = "<readMetadata><type>SecuritySettings</type><fullNames>Security</fullNames></readMetadata>"
    assert texts(sandbox.soap(operation, sandbox.deployer), "lockSessionsToIp") == ["false"]
    sandbox.org.set_knobs(lock_sessions_to_ip=True)
    assert texts(sandbox.soap(operation, sandbox.deployer), "lockSessionsToIp") == ["true"]


@pytest.mark.parametrize(
    ("seconds", "name"),
    [
        (900, "FifteenMinutes"),
        (3600, "SixtyMinutes"),
        (5400, "NinetyMinutes"),
        (7200, "TwoHours"),
        (86400, "TwentyFourHours"),
        (20, "FifteenMinutes"),  # none that an org can have: the next longer is shown
        (7201, "FourHours"),
    ],
)
def test_read_metadata_tells_the_session_timeout_by_its_name(sandbox, seconds, name):
    sandbox.org.set_knobs(session_timeout_seconds=seconds)
    operation = "<readMetadata><type>SecuritySettings</type><fullNames>Security</fullNames></readMetadata>"
    assert texts(sandbox.soap(operation, sandbox.deployer), "sessionTimeout") == [name]


def test_update_metadata_replaces_a_connected_app(sandbox):
    text = sandbox.globex_files(sandbox.new.base64)[f"connectedApps/{GLOBEX}.connectedApp"]
    inner = re.search(r"<ConnectedApp[^>]*>(.*)</ConnectedApp>", text, re.DOTALL)[1]
    operation = f'<updateMetadata><metadata xsi:type="ConnectedApp"><fullName>{GLOBEX}</fullName>{inner}</metadata></updateMetadata>'
    assert texts(sandbox.soap(operation, sandbox.deployer), "success") == ["true"]
    assert sandbox.takes(sandbox.new, GLOBEX)
    spoilt = operation.replace(sandbox.new.base64, "nonsense")
    reply = sandbox.soap(spoilt, sandbox.deployer)
    assert (texts(reply, "success"), texts(reply, "statusCode")) == (["false"], ["FIELD_INTEGRITY_EXCEPTION"])


def test_a_retrieve_holds_what_was_asked_for_and_tells_what_is_missing(sandbox):
    files = sandbox.retrieve(
        [("ConnectedApp", "*"), ("ConnectedApp", "No")], sandbox.deployer, single="false"
    )
    assert sorted(files) == [
        "unpackaged/connectedApps/Rotator_Deployer.connectedApp",
        f"unpackaged/connectedApps/{GLOBEX}.connectedApp",
        "unpackaged/package.xml",
    ]


@pytest.mark.parametrize("tag", ["retrieveRequest", "request"])
def test_the_parameter_of_a_retrieve_has_two_names(sandbox, tag):
    """The WSDL's, and the one that jsforce uses."""
    asked = f"<apiVersion>68.0</apiVersion><unpackaged><types><members>{GLOBEX}</members><name>ConnectedApp</name></types></unpackaged>"
    assert texts(sandbox.soap(f"<retrieve><{tag}>{asked}</{tag}></retrieve>", sandbox.deployer), "state") == [
        "Queued"
    ]


def test_a_retrieve_may_take_its_time(sandbox):
    sandbox.org.set_knobs(retrieve_seconds=10)
    asked = (
        "<retrieve><retrieveRequest><apiVersion>68.0</apiVersion><unpackaged><types><members>No</members>"
        "<name>ConnectedApp</name></types></unpackaged></retrieveRequest></retrieve>"
    )
    number = texts(sandbox.soap(asked, sandbox.deployer), "id")[0]
    check = f"<checkRetrieveStatus><asyncProcessId>{number}</asyncProcessId></checkRetrieveStatus>"
    assert texts(sandbox.soap(check, sandbox.deployer), "done") == ["false"]
    sandbox.clock.pass_seconds(10)
    reply = sandbox.soap(check, sandbox.deployer)
    assert texts(reply, "done") == ["true"]
    assert texts(reply, "problem") == ["Entity of type 'ConnectedApp' named 'No' cannot be found"]


def test_the_certificate_can_be_hidden_from_retrieves(sandbox):
    sandbox.org.set_knobs(hide_certificate=True)
    assert "<certificate>" not in "".join(sandbox.acme_files().values())


def test_secrets_are_shown_only_to_whom_they_may_be_shown(sandbox):
    secret = sandbox.org.app(ACME).consumer_secret
    assert secret in "".join(sandbox.acme_files().values())
    sandbox.org.users["deployer@acme.example"].permissions -= {"ViewClientSecretsInMetadata"}
    assert secret not in "".join(sandbox.acme_files().values())


@pytest.mark.parametrize(("version", "shown"), [("66.0", True), ("67.0", False)])
def test_from_version_67_a_retrieve_loses_custom_permissions_from_the_scopes(sandbox, version, shown):
    oauth = sandbox.org.app(GLOBEX).documents["ConnectedApp"].root.find("oauthConfig")
    scope = oauth.makeelement("scopes", {})
    scope.text = "CustomPermissions"
    oauth.append(scope)
    files = sandbox.retrieve([("ConnectedApp", GLOBEX)], sandbox.deployer, version)
    assert ("CustomPermissions" in "".join(files.values())) is shown
    assert "custom_permissions" in sandbox.mint(GLOBEX).json["scope"]


def test_a_deploy_by_soap_goes_the_same_way_as_one_by_rest(sandbox):
    archive = base64.b64encode(zip_of(sandbox.acme_files(sandbox.new.base64))).decode()
    operation = (
        f"<deploy><ZipFile>{archive}</ZipFile><DeployOptions><checkOnly>false</checkOnly>"
        "<rollbackOnError>true</rollbackOnError><singlePackage>true</singlePackage></DeployOptions></deploy>"
    )
    number = texts(sandbox.soap(operation, sandbox.deployer), "id")[0]
    check = f"<checkDeployStatus><asyncProcessId>{number}</asyncProcessId><includeDetails>true</includeDetails></checkDeployStatus>"
    reply = sandbox.soap(check, sandbox.deployer)
    assert texts(reply, "status") == ["Succeeded"]
    assert len(texts(reply, "componentSuccesses")) == 4
    assert sandbox.takes(sandbox.new)
    assert (
        fault(sandbox.soap(f"<cancelDeploy><String>{number}</String></cancelDeploy>", sandbox.deployer))
        == "INVALID_ID_FIELD"
    )
