"""The Salesforce CLI judges how the sandbox takes deploys and gives metadata: by SOAP and REST, in both formats."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from rotator.sandbox.pairs import make_pair
from tests.judges.salesforce_cli import (
    CONNECTED_APP,
    EXTERNAL_CLIENT_APP,
    begin_project,
    deploy,
    held,
    named,
    retrieve,
)

pytestmark = pytest.mark.judge("Salesforce CLI")

FOLDERS = ("externalClientApps", "extlClntAppGlobalOauthSets", "extlClntAppOauthSettings")
REGISTRY = "@salesforce/source-deploy-retrieve/lib/src/registry/metadataRegistry.json"
BY_REST = {"SF_ORG_METADATA_REST_DEPLOY": "true"}


@pytest.fixture
def new():
    """A key pair that no app holds yet."""
    return make_pair("new", 3600)


@pytest.fixture
def globex(deployer, tmp_path):
    """The Connected App's files, retrieved by the CLI in metadata format."""
    return retrieve(deployer, tmp_path, CONNECTED_APP)


@pytest.fixture
def acme(deployer, tmp_path):
    """The External Client App's files, retrieved by the CLI in metadata format."""
    return retrieve(deployer, tmp_path, *EXTERNAL_CLIENT_APP)


@pytest.fixture
def project(tmp_path):
    """A folder of a Salesforce DX project, with nothing in it yet."""
    begin_project(tmp_path)
    return tmp_path


def put_certificate(folder, pair):
    """Put a certificate where one stands, and take out the consumer key of a Connected App, as one has to."""
    (file,) = [path for path in folder.rglob("*") if path.is_file() and "<certificate>" in path.read_text()]
    text = re.sub("(?<=<certificate>)[^<]*", pair.certificate, file.read_text())
    if file.parent.name == "connectedApps":
        text = re.sub(r"\s*<consumerKey>[^<]*</consumerKey>", "", text)
    file.write_text(text)
    return file


def consumer_key(rotator, credential):
    return rotator.settings()["credentials"][credential]["consumer_key"]


def files_of(done):
    return {(each["type"], each["fullName"]): each["state"] for each in done.json["result"]["files"]}


def takes(sf, rotator, credential, pair):
    """Whether the org takes a key, in the CLI's opinion."""
    done = sf.login(rotator, credential, key=pair.key)
    if done.code:
        assert "invalid assertion" in done.err
    return done.code == 0


# --- what there is --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("ConnectedApp", {"Rotator_Globex", "Rotator_Deployer"}),
        ("ExternalClientApplication", {"Rotator_Acme"}),
        ("ExtlClntAppGlobalOauthSettings", {"Rotator_Acme_glbloauth"}),
    ],
)
def test_components_are_listed_with_their_files(deployer, kind, names):
    rows = deployer("org", "list", "metadata", "--metadata-type", kind, "--json").json["result"]
    assert {row["fullName"] for row in rows} == names
    assert all(row["type"] == kind and row["fullName"] in row["fileName"] for row in rows)


def test_the_types_that_the_org_knows_are_those_of_the_clis_own_registry(deployer, node):
    """Folder and suffix of each."""
    told = deployer("org", "list", "metadata-types", "--json").json["result"]["metadataObjects"]
    registry = json.loads((node.modules / REGISTRY).read_text())
    known = {each["name"]: (each["directoryName"], each.get("suffix")) for each in registry["types"].values()}
    assert len(told) == 6
    for each in told:
        assert known[each["xmlName"]] == (each["directoryName"], each["suffix"])


# --- what is there is read ------------------------------------------------------------------------


def test_a_retrieved_connected_app_shows_the_certificate_and_the_consumer_key(globex, rotator):
    text = (globex / "connectedApps" / "Rotator_Globex.connectedApp").read_text()
    assert re.search("<consumerKey>(.*)</consumerKey>", text)[1] == consumer_key(rotator, "globex")
    assert re.search("<certificate>(MII[A-Za-z0-9+/=]+)</certificate>", text)
    assert (globex / "package.xml").exists()


def test_a_retrieved_external_client_app_shows_them_in_its_global_settings(acme, rotator):
    assert sorted(path.name for path in acme.iterdir() if path.is_dir()) == sorted(FOLDERS)
    (file,) = (acme / "extlClntAppGlobalOauthSets").iterdir()
    assert file.name == "Rotator_Acme_glbloauth.ecaGlblOauth"
    assert f"<consumerKey>{consumer_key(rotator, 'acme')}</consumerKey>" in file.read_text()
    assert "<certificate>MII" in file.read_text()


def test_what_is_not_there_is_told_beside_what_is(deployer, project):
    done = deployer(
        *("project", "retrieve", "start", *named("ConnectedApp:Nothing", CONNECTED_APP), "--json"),
        cwd=project,
    )
    assert files_of(done) == {
        ("ConnectedApp", "Nothing"): "Failed",
        ("ConnectedApp", "Rotator_Globex"): "Created",
    }
    (missing,) = done.json["result"]["messages"]
    assert missing["problem"] == "Entity of type 'ConnectedApp' named 'Nothing' cannot be found"


# --- deploys --------------------------------------------------------------------------------------


def test_a_deploy_by_soap_gives_a_connected_app_another_key_and_takes_the_old_one_away(
    deployer, sf, rotator, globex, new
):
    before = make_pair("before", 3600)
    rotator.stage.control.put_certificate("Rotator_Globex", before.certificate)
    put_certificate(globex, new)
    done = deploy(deployer, globex)
    assert done.code == 0, done.err
    assert "metadata to deployer@acme.example using the v68.0 SOAP API." in done.out
    assert "Status: Succeeded\n" in done.out
    assert re.search(
        r"Changed +Rotator_Globex +ConnectedApp +connectedApps/Rotator_Globex.connectedApp", done.out
    )
    assert takes(sf, rotator, "globex", new)
    assert not takes(sf, rotator, "globex", before)


def test_a_deploy_by_rest_gives_an_external_client_app_another_key_and_takes_the_old_one_away(
    deployer, sf, rotator, acme, new
):
    before = make_pair("before", 3600)
    rotator.stage.control.put_certificate("Rotator_Acme", before.certificate)
    put_certificate(acme, new)
    done = deploy(deployer, acme, "--json", **BY_REST)
    assert done.code == 0, done.out
    result = done.json["result"]
    assert (result["status"], result["numberComponentsDeployed"]) == ("Succeeded", 3)
    assert files_of(done) == {tuple(component.split(":")): "Changed" for component in EXTERNAL_CLIENT_APP}
    assert takes(sf, rotator, "acme", new)
    assert not takes(sf, rotator, "acme", before)


@pytest.mark.parametrize("env", [{}, BY_REST], ids=["SOAP", "REST"])
def test_a_deploy_is_validated_without_changing_anything(deployer, stage, globex, new, env):
    before = held(stage, "Rotator_Globex")
    put_certificate(globex, new)
    done = deployer("project", "deploy", "validate", "--metadata-dir", globex, "--single-package", **env)
    assert done.code == 0, done.err
    deploy_id = re.search(r"Successfully validated the deployment \((0Af\w{15})\)", done.out)[1]
    assert held(stage, "Rotator_Globex") == before
    (validated,) = [each for each in stage.control.state()["deploys"] if each["id"] == deploy_id]
    assert (validated["status"], validated["check_only"]) == ("Succeeded", True)


def test_a_dry_run_finds_what_a_deploy_would_fail_for(deployer, stage, globex, new):
    before = held(stage, "Rotator_Globex")
    file = put_certificate(globex, new)
    file.write_text(re.sub("(?<=<certificate>)[^<]*", "nonsense", file.read_text()))
    refused = deploy(deployer, globex, "--dry-run")
    assert refused.code == 1
    assert re.search(
        r"ConnectedApp +Rotator_Globex +Invalid certificate: not one X.509 certificate", refused.out
    )
    assert held(stage, "Rotator_Globex") == before


def test_a_consumer_key_in_a_connected_app_fails_the_deploy(deployer, stage, globex):
    """It can be chosen at the app's creation only; a retrieve shows it all the same."""
    before = held(stage, "Rotator_Globex")
    refused = deploy(deployer, globex, "--json")
    assert refused.code == 1
    result = refused.json["result"]
    assert (result["status"], result["numberComponentErrors"]) == ("Failed", 1)
    (failure,) = result["details"]["componentFailures"]
    assert (failure["fullName"], failure["problem"]) == (
        "Rotator_Globex",
        "You cannot provide a Consumer Key",
    )
    assert held(stage, "Rotator_Globex") == before


def test_global_settings_alone_are_no_external_client_app(deployer, stage, acme, new):
    before = held(stage, "Rotator_Acme")
    put_certificate(acme, new)
    for folder in ("externalClientApps", "extlClntAppOauthSettings"):
        shutil.rmtree(acme / folder)
    manifest = (acme / "package.xml").read_text()
    left = re.sub(r"<types>(?:(?!</types>).)*?<name>(ExternalClientApplication|ExtlClntAppOauthSettings)</name>\s*</types>",
                  "", manifest, flags=re.DOTALL)  # fmt: skip
    (acme / "package.xml").write_text(left)
    refused = deploy(deployer, acme)
    assert refused.code == 1
    assert "doesn't have a valid OAuth settings configuration" in " ".join(refused.out.split())
    assert held(stage, "Rotator_Acme") == before


def test_a_deploy_under_way_is_reported_and_can_be_cancelled(deployer, stage, globex, new):
    before = held(stage, "Rotator_Globex")
    put_certificate(globex, new)
    stage.control.knobs(deploy_seconds=300)
    try:
        begun = deploy(deployer, globex, "--async", "--json").json["result"]
        assert (begun["status"], begun["done"]) == ("Queued", False)
        report = ("project", "deploy", "report", "--job-id", begun["id"], "--json")
        assert deployer(*report).json["result"]["status"] == "InProgress"
        cancelled = deployer("project", "deploy", "cancel", "--job-id", begun["id"], "--async", "--json")
        assert cancelled.code == 0, cancelled.out
        stage.control.clock(
            advance_seconds=300, offset_seconds=-300
        )  # what it takes for the date stays right
        reported = deployer(*report)
    finally:
        stage.control.knobs(deploy_seconds=0)
    assert (reported.json["result"]["status"], reported.json["result"]["success"]) == ("Canceled", False)
    assert held(stage, "Rotator_Globex") == before


def test_a_deploy_that_takes_its_time_is_waited_for_and_reported_afterwards(deployer, stage, globex, new):
    put_certificate(globex, new)
    stage.control.knobs(deploy_seconds=1)
    try:
        done = deploy(deployer, globex)
    finally:
        stage.control.knobs(deploy_seconds=0)
    assert done.code == 0, done.err
    deploy_id = re.search(r"Deploy ID: (\w+)", done.out)[1]
    reported = deployer("project", "deploy", "report", "--use-most-recent")
    assert reported.code == 0
    assert f"{deploy_id}... Succeeded" in reported.out
    assert re.search(r"createdByName +deployer", reported.out)


# --- projects -------------------------------------------------------------------------------------


def test_a_project_is_retrieved_and_deployed_in_source_format(deployer, stage, project, new):
    both = [CONNECTED_APP, *EXTERNAL_CLIENT_APP]
    done = deployer("project", "retrieve", "start", *named(*both), "--json", cwd=project)
    assert done.code == 0, done.out
    assert files_of(done) == {tuple(component.split(":")): "Created" for component in both}
    base = project / "force-app" / "main" / "default"
    for folder in ("connectedApps", "extlClntAppGlobalOauthSets"):
        assert put_certificate(base / folder, new).name.endswith("-meta.xml")
    done = deployer("project", "deploy", "start", "--source-dir", "force-app", "--json", cwd=project)
    assert done.code == 0, done.out
    assert files_of(done) == {tuple(component.split(":")): "Changed" for component in both}
    assert held(stage, "Rotator_Globex") == held(stage, "Rotator_Acme") is not None


def test_after_a_deploy_the_list_tells_who_changed_the_component(deployer, stage, globex, new):
    put_certificate(globex, new)
    assert deploy(deployer, globex, "--json").code == 0
    rows = deployer("org", "list", "metadata", "--metadata-type", "ConnectedApp", "--json").json["result"]
    by_name = {row["fullName"]: row for row in rows}
    changed = by_name["Rotator_Globex"]
    assert (changed["lastModifiedByName"], changed["createdByName"]) == ("deployer", "integration")
    assert changed["lastModifiedDate"] > changed["createdDate"]
