"""The files of a new app are what the org takes, and make an app that a server can use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from rotator.errors import Misconfigured
from rotator.salesforce.appfiles import App, AppKind, select
from rotator.salesforce.http import Wire, WireSettings
from rotator.salesforce.initfiles import NewApp, app_files, checklist, write_app_files
from rotator.salesforce.metadata import get_deploy, start_deploy
from rotator.salesforce.oauth import Login, mint
from rotator.salesforce.packages import read_directory, zipped
from rotator.salesforce.rest import Org
from rotator.sandbox.org.seed import DEPLOYER, PERMISSION_SET, USERS, seed_org
from rotator.sandbox.org.server import OrgServer
from rotator.sandbox.org.sessions import Session
from rotator.secret import Secret


@pytest.fixture(scope="session")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def pem(key) -> str:
    name, now = x509.Name([]), datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def new_app(pem: str, kind: AppKind) -> NewApp:
    app = App(kind, "Rotator_New")
    return NewApp("new", ("integration@acme.example",), app, pem, PERMISSION_SET, "admin@acme.example")


@pytest.mark.parametrize("kind", list(AppKind))
def test_the_org_takes_the_files_and_a_server_can_log_in_at_once(key, pem, kind):
    org = seed_org()
    org.set_knobs(allow_new_connected_apps=True)
    with OrgServer(org) as server, Wire(WireSettings()) as wire:
        now = org.elapsed()
        token = f"{org.org_id}!deployer"
        session = Session(
            token, USERS[DEPLOYER][0], org.app(DEPLOYER).consumer_key, "api", "", now, now, 7200
        )
        org.sessions.add(session)
        org.users[USERS[DEPLOYER][0]].permissions |= {"ModifyAllData", "ManageProfilesPermissionsets"}
        deployer = Org(server.url, Secret(token), "66.0")
        package = zipped(app_files([new_app(pem, kind)]))
        deploy = get_deploy(wire, deployer, start_deploy(wire, deployer, package, check_only=False))
        assert (deploy.status, deploy.problem) == ("Succeeded", "")
        made = org.app("Rotator_New")
        login = Login(server.url, org.login_host, made.consumer_key, USERS["Rotator_Acme"][0])
        grant = mint(wire, login, key, now=datetime.now(UTC))
        assert grant.org_id[:15] == org.org_id[:15]
        assert {"api", "refresh_token"} <= set(grant.scope.split())


def test_an_external_client_app_takes_five_files_and_is_pre_authorised(pem):
    files = app_files([new_app(pem, AppKind.EXTERNAL_CLIENT_APP)])
    assert len(files) == 1 + 5
    everything = b"".join(files.values())
    assert b"<permittedUsersPolicyType>AdminApprovedPreAuthorized<" in everything
    assert f"<commaSeparatedPermissionSet>{PERMISSION_SET}<".encode() in everything
    assert b"RefreshToken" in everything
    assert b"<consumerKey>" not in everything


@pytest.mark.parametrize("kind", list(AppKind))
def test_the_written_folder_serves_as_the_source_of_later_deploys(pem, tmp_path, kind):
    new = new_app(pem, kind)
    written = write_app_files([new], tmp_path / "app")
    assert all(path.is_file() for path in written)
    files, version = read_directory(tmp_path / "app")
    assert version == new.api_version
    assert select(new.app, files, version).with_certificate(pem).certificate_der() is not None


def test_what_was_written_can_be_written_again_but_an_edited_file_is_not_overwritten(pem, tmp_path):
    new = new_app(pem, AppKind.EXTERNAL_CLIENT_APP)
    header = next(path for path in write_app_files([new], tmp_path) if path.suffix == ".eca")
    write_app_files([new], tmp_path)
    header.write_text("edited")
    with pytest.raises(Misconfigured, match="Rotator_New"):
        write_app_files([new], tmp_path)
    assert header.read_text() == "edited"


def test_a_folder_that_can_not_be_written_is_told(pem, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured):
        write_app_files([new_app(pem, AppKind.CONNECTED_APP)], tmp_path / "file")


@pytest.mark.parametrize("kind", list(AppKind))
def test_the_checklist_names_what_is_left_to_do(pem, tmp_path, kind):
    text = checklist([new_app(pem, kind)], tmp_path)
    for word in (
        PERMISSION_SET,
        "integration@acme.example",
        str(tmp_path),
        "`consumer_key` of new",
        "rotator deployed new",
    ):
        assert word in text
    assert "Modify Metadata" not in text
    assert numbers(text) == [1, 2, 3, 4, 5, 6]


def numbers(text):
    return [int(line.partition(".")[0]) for line in text.splitlines() if line[0].isdigit()]


def test_several_apps_are_one_package_and_one_list(pem, tmp_path):
    integration = new_app(pem, AppKind.EXTERNAL_CLIENT_APP)
    deployer = NewApp(
        "deployer",
        ("deployer@acme.example",),
        App(AppKind.CONNECTED_APP, "Rotator_Deployer"),
        pem,
        "Rotator_Deployer",
        "admin@acme.example",
        deploys=True,
    )
    files = app_files([deployer, integration])
    assert len(files) == 1 + 1 + 5
    assert b"<members>Rotator_Deployer</members>" in files["package.xml"]
    assert b"<members>Rotator_New</members>" in files["package.xml"]
    text = checklist([deployer, integration], tmp_path)
    assert numbers(text) == list(range(1, 10))
    assert text.index("make Rotator_Deployer") < text.index("Modify Metadata") < text.index(PERMISSION_SET)
    assert "Deploy Rotator_Deployer and Rotator_New, as a user" in text
    assert "rotator deployed deployer new --wait" in text
