"""The sandbox as a whole: an org, a Vault server and a configuration that fit each other."""

from __future__ import annotations

import stat
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from rotator.app import application
from rotator.config import load
from rotator.core.model import Phase
from rotator.demo.policies import sandbox_policies
from rotator.run.once import run_to_rest
from rotator.salesforce.appfiles import App, AppKind
from rotator.salesforce.initfiles import NewApp, write_app_files
from rotator.sandbox.administrator import administer
from rotator.sandbox.control import Control, ControlError
from rotator.sandbox.lifetimes import DEMO, FIRST_HOUR, SANDBOX
from rotator.sandbox.org.seed import PERMISSION_SET
from rotator.sandbox.pairs import make_pair
from rotator.sandbox.settings import APPS
from rotator.sandbox.stage import Stage
from rotator.sandbox.vault_api import BaoError

QUICK = replace(SANDBOX, proofs=2, proof_span_seconds=0)
RECORD = "secret/data/salesforce/acme/record"


@pytest.fixture(scope="module")
def stage():
    with Stage(sandbox_policies(), QUICK) as stage:
        yield stage


@pytest.fixture(scope="module")
def adopted(stage):
    """The stage after the first run of rotator."""
    with application(load(stage.config)) as app:
        assert run_to_rest(app) == []
        yield app


def read(stage, path, token):
    return stage.vault.request("GET", path, token=token)["data"]["data"]


@pytest.mark.parametrize("lifetimes", [DEMO, SANDBOX], ids=["demo", "sandbox"])
def test_its_configuration_holds(lifetimes):
    with Stage(sandbox_policies(), lifetimes) as stage:
        configuration = load(stage.config)
    assert set(configuration.credentials) == {"acme", "globex", "deployer"}
    assert not configuration.credentials["deployer"].publish


def test_the_first_run_takes_over_the_key_pairs_that_the_apps_have(adopted):
    records = {name: station.record for name, station in adopted.driver.stations.items()}
    assert {name: (record.phase, record.current) for name, record in records.items()} == dict.fromkeys(
        APPS, (Phase.STEADY, 1)
    )
    assert adopted.documents.list_requests() == []


def test_the_certificates_in_the_apps_are_due_when_the_lifetimes_say_so(stage, adopted):
    key = adopted.driver.stations["acme"].record.key(1)
    assert key.fingerprint == stage.control.state()["apps"]["Rotator_Acme"]["fingerprint"]
    backdated_seconds = 60
    life_seconds = (key.not_after - key.not_before).total_seconds() - backdated_seconds
    assert life_seconds == QUICK.renew_before_seconds + QUICK.first_due_seconds


def test_a_consumer_reads_the_tokens_of_its_credential_and_nothing_else(stage, adopted):
    token = Path(stage.describe()["vault"]["consumer_token_file"]).read_text()
    published = read(stage, "secret/data/salesforce/acme/tokens/integration@acme.example", token)
    assert published["instance_url"] == stage.org.url
    for path in (
        RECORD,
        "secret/data/salesforce/acme/keys/1",
        "secret/data/salesforce/globex/tokens/integration@globex.example",
        "secret/metadata/salesforce/acme/tokens/?list=true",
    ):
        with pytest.raises(BaoError, match="403"):
            read(stage, path, token)


def test_an_operator_reads_records_and_no_keys(stage, adopted):
    token = stage.operator_token_file.read_text()
    assert read(stage, RECORD, token)["current"] == 1
    with pytest.raises(BaoError, match="403"):
        read(stage, "secret/data/salesforce/acme/keys/1", token)


def test_what_it_writes_is_for_its_owner_alone(stage):
    assert stat.S_IMODE(stage.folder.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in stage.folder.iterdir()}
    assert modes == dict.fromkeys(
        (
            "rotator.yaml",
            "secret_id",
            "control-url",
            "operator-token",
            "consumer-token-acme",
            "consumer-token-globex",
        ),
        0o600,
    )


def test_its_description_says_all_that_is_needed_to_use_it(stage):
    said = stage.describe()
    assert set(said["salesforce"]) == {"login_url", "control_url", "consumer_key", "username", "app"}
    assert set(said["vault"]) == {
        "address", "root_token", "role_id", "secret_id_file", "consumer_token_file", "operator_token_file",
    }  # fmt: skip
    assert said["config"] == str(stage.config)
    assert said["lifetimes"]["certificate_seconds"] == QUICK.certificate_seconds


def test_the_control_client_turns_knobs_and_does_what_an_administrator_does(stage):
    control = Control(stage.describe()["salesforce"]["control_url"])
    assert control.knobs()["session_timeout_seconds"] == QUICK.session_timeout_seconds
    assert control.knobs(slow_seconds=0.001)["slow_seconds"] == 0.001
    assert control.kill_sessions("nobody@acme.example") == 0
    with pytest.raises(ControlError, match="no knob 'slow'"):
        control.knobs(slow=1)


def test_knobs_of_the_caller_go_before_those_of_the_lifetimes():
    with Stage(sandbox_policies(), QUICK, {"propagation_seconds": 0.0}) as stage:
        assert stage.control.knobs()["propagation_seconds"] == 0.0


@pytest.mark.parametrize("knobs", [{}, {"no_such_knob": 1}], ids=["stopped", "failed to start"])
def test_nothing_is_left_of_it(tmp_path, monkeypatch, knobs):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    stage = Stage(sandbox_policies(), QUICK, knobs)
    try:
        stage.start()
    except ValueError:
        assert knobs
    else:
        assert list(tmp_path.iterdir())
        stage.stop()
        stage.stop()
    assert stage.vault.pid is None
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def empty(tmp_path):
    with Stage(sandbox_policies(), FIRST_HOUR, empty=True, folder=tmp_path / "first") as stage:
        yield stage


def test_an_empty_one_has_an_org_without_apps_and_credentials_that_begin(empty, tmp_path):
    assert empty.config == tmp_path / "first" / "rotator.yaml"
    assert empty.control.state()["apps"] == {}
    credentials = load(empty.config).credentials
    assert {name: one.consumer_key for name, one in credentials.items()} == {"acme": None, "deployer": None}
    with pytest.raises(BaoError, match="404"):
        empty.vault.request("LIST", "secret/metadata/salesforce/")


def test_a_folder_of_ones_own_is_empty_or_made_and_at_the_end_it_is_as_it_was(tmp_path):
    with Stage(sandbox_policies(), FIRST_HOUR, empty=True, folder=tmp_path / "mine"):
        assert stat.S_IMODE((tmp_path / "mine").stat().st_mode) == 0o700
        with pytest.raises(FileExistsError):
            Stage(sandbox_policies(), FIRST_HOUR, empty=True, folder=tmp_path).start()
    assert list(tmp_path.iterdir()) == []
    with Stage(sandbox_policies(), FIRST_HOUR, empty=True, folder=tmp_path) as stage:
        assert stage.config.parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_its_administrator_deploys_and_writes_the_consumer_keys_down(empty, tmp_path):
    pem = make_pair("acme", 3600).certificate
    app = App(AppKind.EXTERNAL_CLIENT_APP, APPS["acme"])
    new = NewApp("acme", ("integration@acme.example",), app, pem, PERMISSION_SET, "admin@acme.example")
    write_app_files([new], tmp_path / "apps")
    keys = administer(empty.config, tmp_path / "apps")
    assert keys == {"Rotator_Acme": empty.control.state()["apps"]["Rotator_Acme"]["consumer_key"]}
    assert load(empty.config).credentials["acme"].consumer_key == keys["Rotator_Acme"]
    assert stat.S_IMODE(empty.config.stat().st_mode) == 0o600


def test_what_the_org_does_not_take_of_its_administrator_is_told(empty, tmp_path):
    (tmp_path / "package.xml").write_text("<Package/>")
    with pytest.raises(ControlError, match=r"package\.xml"):
        administer(empty.config, tmp_path)
