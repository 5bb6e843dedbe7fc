"""What is written for other programs."""

from __future__ import annotations

import json
from datetime import datetime

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

FIRST, SECOND = "integration@acme.example", "reports@acme.example"


@pytest.fixture
def export(rotator, tmp_path):
    """Writes the files for acme into a folder, and returns what the command told, as data."""

    def write(*options):
        ran = rotator("export", "postman", "acme", "--directory", tmp_path, "--json", *options)
        assert ran.code == 0, ran.err
        return ran.json

    return write


def variables(path):
    return {value["key"]: value["value"] for value in json.loads(path.read_text())["values"]}


@pytest.fixture
def environment(tmp_path):
    return tmp_path / "acme.postman_environment.json"


def certificate(rotator):
    return load_pem_x509_certificate(rotator("certificate", "acme").out.encode())


def test_two_files_are_written_that_hold_no_secret_and_only_the_owner_reads_the_variables(
    rotator, stage, export, environment, tmp_path
):
    told = export()
    collection = tmp_path / "acme.postman_collection.json"
    assert (told["collection"], told["environment"]) == (str(collection), str(environment))
    assert environment.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE KEY-----\\n" not in collection.read_text() + environment.read_text()
    held = variables(environment)
    assert (held["username"], held["login_url"]) == (FIRST, stage.org.url)
    assert {held[name] for name in ("private_key", "assertion", "client_secret", "access_token")} == {""}
    assert (told["key_serial"], told["holds_private_key"], told["assertion_ends"]) == (None, False, None)


def test_it_needs_the_configuration_alone_where_no_secret_is_asked_for(rotator, tmp_path):
    vault = {**rotator.settings()["vault"], "address": "http://127.0.0.1:1"}
    config = rotator.variant(tmp_path, vault=vault)
    command = ("export", "postman", "acme", "--directory", tmp_path)
    assert rotator(*command, config=config).code == 0
    assert rotator(*command, "--with-assertion", config=config).code == 3


def test_an_assertion_is_signed_with_the_key_that_signs_and_tells_its_end(rotator, export, environment):
    told = export("--with-assertion")
    held = variables(environment)
    public = certificate(rotator).public_key()
    claims = jwt.decode(held["assertion"], public, algorithms=["RS256"], audience=held["audience"])
    assert (claims["iss"], claims["sub"]) == (held["consumer_key"], FIRST)
    assert claims["exp"] == datetime.fromisoformat(told["assertion_ends"]).timestamp()
    assert held["private_key"] == ""


def test_the_private_key_is_put_in_when_asked_and_a_warning_says_what_that_means(
    rotator, environment, tmp_path
):
    ran = rotator("export", "postman", "acme", "--directory", tmp_path, "--with-private-key")
    assert ran.code == 0
    key = load_pem_private_key(variables(environment)["private_key"].encode(), None)
    assert key.public_key() == certificate(rotator).public_key()
    assert f"warning: {environment} holds the private key" in ran.err
    assert "rotator rotate acme --compromised" in ran.err
    assert "BEGIN" not in ran.out + ran.err


def test_people_are_told_how_to_run_it_and_what_it_lacks(rotator, environment, tmp_path):
    command = ("export", "postman", "acme", "--directory", tmp_path)
    ran = rotator(*command)
    collection = tmp_path / "acme.postman_collection.json"
    assert f"newman run {collection} -e {environment}" in ran.out
    assert "Paste the private key" in ran.out
    ran = rotator(*command, "--with-assertion")
    assert "good until " in ran.out
    assert "Paste" not in ran.out


def test_another_user_has_an_environment_of_its_own_and_the_collection_is_the_same(
    export, environment, tmp_path
):
    first = export()
    second = export("--user", SECOND)
    assert second["collection"] == first["collection"]
    assert second["environment"] == str(tmp_path / f"acme.{SECOND}.postman_environment.json")
    assert variables(tmp_path / f"acme.{SECOND}.postman_environment.json")["username"] == SECOND
    assert export("--user", FIRST)["environment"] == first["environment"]


def test_a_username_makes_no_path(rotator, tmp_path):
    credentials = rotator.settings()["credentials"]
    credentials["acme"]["users"] = [FIRST, "../up@acme.example"]
    config = rotator.variant(tmp_path, credentials=credentials)
    ran = rotator(
        "export",
        "postman",
        "acme",
        "--user",
        "../up@acme.example",
        "--directory",
        tmp_path,
        "--json",
        config=config,
    )
    assert ran.json["environment"] == str(tmp_path / "acme...%2Fup@acme.example.postman_environment.json")


def test_a_stranger_and_a_credential_that_is_not_there_are_told(rotator, tmp_path):
    command = ("export", "postman", "--directory", tmp_path)
    stranger = rotator(*command, "acme", "--user", "somebody@acme.example")
    assert (stranger.code, SECOND in stranger.err) == (2, True)
    nobody = rotator(*command, "nobody")
    assert (nobody.code, "There are: acme, deployer, globex" in nobody.err) == (2, True)


def test_an_edited_environment_is_not_overwritten_unless_told(rotator, export, environment, tmp_path):
    export()
    environment.write_text(environment.read_text().replace(FIRST, "me@acme.example"))
    ran = rotator("export", "postman", "acme", "--directory", tmp_path)
    assert ran.code == 1
    assert "--overwrite" in ran.err
    assert "me@acme.example" in environment.read_text()
    export("--overwrite")
    assert "me@acme.example" not in environment.read_text()


def test_a_fresh_assertion_takes_the_place_of_the_former_one_without_being_told(export, environment):
    export()
    export("--with-assertion")
    assert variables(environment)["assertion"]
    export("--with-assertion")
    export()
    assert variables(environment)["assertion"] == ""


def test_the_configured_api_version_and_query_are_taken(rotator, environment, tmp_path):
    credentials = rotator.settings()["credentials"]
    credentials["acme"] |= {"api_version": "61.0", "proof": {"query": "SELECT Name FROM Account LIMIT 2"}}
    config = rotator.variant(tmp_path, credentials=credentials)
    assert rotator("export", "postman", "acme", "--directory", tmp_path, config=config).code == 0
    held = variables(environment)
    assert (held["api_version"], held["soql"]) == ("61.0", "SELECT Name FROM Account LIMIT 2")


def test_before_there_is_an_app_or_a_key_pair_it_is_told_what_is_missing(rotator, tmp_path):
    credentials = rotator.settings()["credentials"]
    newco = {
        "login_url": rotator.stage.org.url,
        "users": ["a@newco.example"],
        "deploy": {"publisher": "manual"},
    }
    credentials |= {"newco": newco, "keyless": {**newco, "consumer_key": "3MVG9keyless"}}
    config = rotator.variant(tmp_path, credentials=credentials)
    command = ("export", "postman", "--directory", tmp_path)
    ran = rotator(*command, "newco", config=config)
    assert (ran.code, "newco has no consumer key yet" in ran.err) == (2, True)
    ran = rotator(*command, "keyless", "--with-private-key", config=config)
    assert (ran.code, "keyless has no key pair that signs" in ran.err) == (1, True)
    assert list(tmp_path.glob("*.json")) == []
