"""The Salesforce CLI and rotator work on the same apps, each with the files of the other."""

from __future__ import annotations

import io
import re
import shlex
import zipfile

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

APPS = {"acme": "Rotator_Acme", "globex": "Rotator_Globex"}
COMPONENTS = {"acme": EXTERNAL_CLIENT_APP, "globex": (CONNECTED_APP,)}


def rotate(rotator, credential, **config):
    ran = rotator("rotate", credential, "--wait", "--here", **config)
    assert ran.code == 0, ran.err
    return rotator.status(credential)["current"]["fingerprint"]


def last_package(stage):
    """The zip of the last deploy that was no validation, as it came to the org."""
    return [deploy for deploy in stage.org.org.deploys.values() if not deploy.check_only][-1].archive


@pytest.mark.parametrize("credential", APPS)
def test_the_package_that_rotator_deployed_is_taken_from_the_cli_byte_for_byte(
    deployer, rotator, sf, credential, tmp_path
):
    stage = rotator.stage
    fingerprint = rotate(rotator, credential)
    (tmp_path / "package.zip").write_bytes(last_package(stage))
    stage.control.put_certificate(APPS[credential], make_pair("by hand", 3600).certificate)
    done = deploy(deployer, tmp_path / "package.zip", "--json")
    assert done.code == 0, done.out
    assert last_package(stage) == (tmp_path / "package.zip").read_bytes()
    assert held(stage, APPS[credential]) == fingerprint
    assert sf.login(rotator, credential).code == 0


@pytest.mark.parametrize("credential", APPS)
@pytest.mark.parametrize("form", ["metadata", "source"])
def test_files_that_the_cli_retrieved_serve_rotator_as_its_source(
    deployer, rotator, credential, form, tmp_path
):
    stage = rotator.stage
    if form == "metadata":
        source = retrieve(deployer, tmp_path, *COMPONENTS[credential])
    else:
        begin_project(tmp_path)
        source = tmp_path / "force-app"
        done = deployer("project", "retrieve", "start", *named(*COMPONENTS[credential]), cwd=tmp_path)
        assert done.code == 0, done.err
    kept = {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}
    credentials = rotator.settings()["credentials"]
    credentials[credential]["deploy"] |= {"source": {"directory": str(source)}}
    fingerprint = rotate(rotator, credential, config=rotator.variant(tmp_path, credentials=credentials))
    assert held(stage, APPS[credential]) == fingerprint
    assert {path: path.read_bytes() for path in kept} == kept
    sent = without_certificate_and_keys(last_package(stage))
    assert sent == {
        path.name.removesuffix("-meta.xml"): plain(text.decode())
        for path, text in kept.items()
        if path.name != "package.xml"
    }


def without_certificate_and_keys(archive):
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        names = [name for name in opened.namelist() if name != "package.xml"]
        return {name.rpartition("/")[2]: plain(opened.read(name).decode()) for name in names}


def plain(text):
    """A metadata file without what rotator changes."""
    return re.sub(r"\s*<(certificate|consumerKey|consumerSecret)>[^<]*</\1>", "", text)


def test_the_command_that_init_prints_makes_the_app_and_the_stored_key_logs_in(
    deployer, rotator, stage, sf, tmp_path
):
    user = "integration@newco.example"
    stage.control.put_user(
        user, permission_sets=["Rotator_Integration"], permissions=["ApiEnabled", "ReadAccounts"]
    )
    credentials = rotator.settings()["credentials"]
    credentials["newco"] = {
        "login_url": stage.org.url,
        "app": {"name": "Rotator_Newco"},
        "users": [user],
        "deploy": {"publisher": "manual"},
    }
    config = rotator.variant(tmp_path, credentials=credentials)
    begun = rotator("init", "newco", "--directory", tmp_path / "app", "--here", config=config)
    assert begun.code == 0, begun.err
    (printed,) = re.findall(r"^ +sf (project deploy start .*) --target-org <alias>$", begun.out, re.MULTILINE)
    done = deployer(*shlex.split(printed), "--json")
    assert done.code == 0, done.out
    assert [each["state"] for each in done.json["result"]["files"]] == ["Created"] * 5

    files = retrieve(deployer, tmp_path, "ExtlClntAppGlobalOauthSettings:Rotator_Newco_glbloauth")
    (settings,) = (files / "extlClntAppGlobalOauthSets").iterdir()
    consumer_key = re.search("<consumerKey>(.*)</consumerKey>", settings.read_text())[1]
    key = rotator.stored_key_pair("newco", 1)["private_key_pem"]
    assert sf.login_as(user, consumer_key, key).code == 0

    credentials["newco"]["consumer_key"] = consumer_key
    config = rotator.variant(tmp_path, credentials=credentials)
    assert rotator("deployed", "newco", "--here", config=config).code == 0
    assert rotator("once", "newco", config=config).code == 0
    (change,) = rotator("history", "newco", "--json", config=config).json["history"]
    assert (change["reason"], change["target"], change["outcome"]) == ("init", 1, "promoted")
