"""jsforce judges the tokens of rotator, and the sandbox's metadata by SOAP and its queries."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_pem_x509_certificate

from rotator.sandbox.pairs import make_pair
from tests.judges.salesforce_cli import held
from tests.judges.tools import run

pytestmark = pytest.mark.judge("jsforce")

PROGRAM = Path(__file__).parent / "node" / "jsforce.cjs"
GLOBEX = "Rotator_Globex"
USER = "integration@acme.example"


class JsforceError(Exception):
    """What jsforce threw.

    Attributes:
        code: the org's error code; None for what jsforce itself has to say.
    """

    def __init__(self, message, code=None):
        super().__init__(message)
        self.code = code


class Jsforce:
    """Evaluates expressions with a connection of jsforce (``conn``) that holds a token."""

    def __init__(self, node, instance_url, token, version="68.0"):
        self._node = node
        self._settings = {"instanceUrl": instance_url, "accessToken": token, "version": version}

    def __call__(self, expression):
        """Return what an expression comes to, as JSON gives it. Raises JsforceError."""
        asked = json.dumps({**self._settings, "expression": expression})
        done = run(self._node.node, PROGRAM, env={"NODE_PATH": str(self._node.modules)}, stdin=asked)
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        if "error" in said:
            raise JsforceError(**said["error"])
        return said.get("value")


@pytest.fixture(scope="module")
def acme(node, stage):
    """jsforce with the token that rotator published for acme's first user."""
    published = stage.vault.request("GET", f"secret/data/salesforce/acme/tokens/{USER}")["data"]["data"]
    return Jsforce(node, published["instance_url"], published["access_token"])


@pytest.fixture(scope="module")
def deployer(node, stage, rotator):
    """jsforce with a token of the deployer's."""
    return Jsforce(node, stage.org.url, minted(rotator))


def minted(rotator):
    """A token of the deployer's, made by rotator: it publishes none."""
    made = rotator("token", "deployer", "--show-secrets", "--json")
    assert made.code == 0, made.err
    return made.json["answer"]["access_token"]


# --- metadata -------------------------------------------------------------------------------------


def test_connected_apps_are_listed(deployer):
    rows = deployer("conn.metadata.list([{type: 'ConnectedApp'}], '68.0')")
    assert {row["fullName"] for row in rows} == {GLOBEX, "Rotator_Deployer"}
    assert {row["fileName"] for row in rows} >= {f"connectedApps/{GLOBEX}.connectedApp"}


def test_components_of_several_types_are_listed_in_one_call(deployer):
    types = ["ExternalClientApplication", "ExtlClntAppGlobalOauthSettings", "ExtlClntAppOauthSettings"]
    rows = deployer(f"conn.metadata.list({json.dumps([{'type': name} for name in types])}, '68.0')")
    assert [row["type"] for row in rows] == types


def test_a_connected_app_is_read_with_its_certificate_and_all_its_settings(deployer, rotator):
    app = deployer(f"conn.metadata.read('ConnectedApp', '{GLOBEX}')")
    assert (app["fullName"], app["permissionSetName"]) == (GLOBEX, ["Rotator_Integration"])
    oauth = app["oauthConfig"]
    assert oauth["consumerKey"] == rotator.settings()["credentials"]["globex"]["consumer_key"]
    assert oauth["isAdminApproved"] is True
    assert oauth["scopes"] == ["Api", "RefreshToken"]
    held_der = base64.b64decode(oauth["certificate"], validate=True)
    assert hashlib.sha256(held_der).hexdigest() == held(rotator.stage, GLOBEX)


def test_of_several_apps_the_one_that_is_not_there_comes_out_empty(deployer):
    there, missing = deployer(f"conn.metadata.read('ConnectedApp', ['{GLOBEX}', 'Nothing'])")
    assert there["fullName"] == GLOBEX
    assert "fullName" not in missing


def test_an_update_brings_a_certificate_in(deployer, rotator):
    """What is read goes back with another certificate, and without the keys, which can be given at creation only."""
    new = make_pair("by jsforce", 3600).certificate
    done = deployer(f"""(async () => {{
        const app = await conn.metadata.read('ConnectedApp', '{GLOBEX}');
        app.oauthConfig.certificate = {json.dumps(new)};
        delete app.oauthConfig.consumerKey;
        return conn.metadata.update('ConnectedApp', app);
    }})()""")
    assert (done["fullName"], done["success"], done["errors"]) == (GLOBEX, True, [])
    assert held(rotator.stage, GLOBEX) == load_pem_x509_certificate(new.encode()).fingerprint(SHA256()).hex()


def test_a_retrieve_is_awaited_and_its_zip_holds_the_files(deployer):
    result = deployer("""conn.metadata.retrieve({
        apiVersion: '68.0',
        unpackaged: {types: [{name: 'ConnectedApp', members: ['*']}], version: '68.0'},
    }).complete()""")
    assert (result["done"], result["status"], result["success"]) == (True, "Succeeded", True)
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(result["zipFile"]))) as archive:
        names = archive.namelist()
    assert f"unpackaged/connectedApps/{GLOBEX}.connectedApp" in names
    assert {each["fileName"] for each in result["fileProperties"]} == set(names)


def test_whoever_may_not_use_the_metadata_api_is_told_so(acme):
    with pytest.raises(JsforceError, match="requires a user with the") as caught:
        acme("conn.metadata.list([{type: 'ConnectedApp'}], '68.0')")
    assert caught.value.code == "sf:INSUFFICIENT_ACCESS"


def test_a_token_in_jwt_format_is_known_as_such_and_taken_by_soap_from_version_68_on(node, rotator, stage):
    stage.control.knobs(jwt_tokens=True)
    try:
        token = minted(rotator)
    finally:
        stage.control.knobs(jwt_tokens=False)
    ask = "conn.metadata.list([{{type: 'ConnectedApp'}}], '{}')".format
    with pytest.raises(JsforceError, match="SOAP API does not support JWT-based access tokens"):
        Jsforce(node, stage.org.url, token, "67.0")(ask("67.0"))
    assert Jsforce(node, stage.org.url, token, "68.0")(ask("68.0"))


# --- queries --------------------------------------------------------------------------------------


def test_accounts_are_queried_page_by_page_with_the_published_token(acme, stage):
    count = stage.control.add_accounts(2100)
    pages = acme("""(async () => {
        const pages = [await conn.query('SELECT Id FROM Account')];
        while (!pages.at(-1).done) pages.push(await conn.queryMore(pages.at(-1).nextRecordsUrl));
        return pages;
    })()""")
    assert [len(page["records"]) for page in pages] == [2000, count - 2000]
    assert [page["totalSize"] for page in pages] == [count, count]
    assert [page["done"] for page in pages] == [False, True]
    assert pages[0]["nextRecordsUrl"].startswith(f"{stage.org.url}/services/data/v68.0/query/01g")
    assert len({record["Id"] for page in pages for record in page["records"]}) == count


def test_an_object_is_described_found_and_counted(acme):
    fields = acme("conn.sobject('Account').describe().then(({fields}) => fields)")
    assert {field["name"]: field["type"] for field in fields}["OwnerId"] == "reference"
    found = acme("conn.sobject('Account').find({Name: 'Account 3'}, 'Id, Name')")
    assert [row["Name"] for row in found] == ["Account 3"]
    assert acme(f"conn.sobject('Account').retrieve('{found[0]['Id']}')")["Name"] == "Account 3"
    assert acme("conn.sobject('Account').count()") >= 5


def test_the_use_of_the_api_is_read_from_its_header(acme):
    used = acme("conn.query('SELECT Id FROM Account LIMIT 1').then(() => conn.limitInfo.apiUsage)")
    assert 0 < used["used"] < used["limit"] == 100_000


@pytest.mark.parametrize(
    ("query", "code"),
    [("SELECT Nme FROM Account", "INVALID_FIELD"), ("SELECT Id FROM Acount", "INVALID_TYPE")],
)
def test_a_query_with_a_fault_is_thrown_with_its_code(acme, query, code):
    with pytest.raises(JsforceError, match="ERROR at Row:1:Column:") as caught:
        acme(f"conn.query('{query}')")
    assert caught.value.code == code


def test_a_token_that_is_none_is_thrown_as_an_invalid_session(node, stage):
    with pytest.raises(JsforceError, match="Session expired or invalid") as caught:
        Jsforce(node, stage.org.url, "00Dnothing!AQ")("conn.query('SELECT Id FROM Account LIMIT 1')")
    assert caught.value.code == "INVALID_SESSION_ID"
