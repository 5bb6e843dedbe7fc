"""How a credential begins: init and adopt."""

from __future__ import annotations

import subprocess

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from rotator.sandbox.vault_api import BaoError


@pytest.fixture
def newco(rotator, tmp_path):
    """A configuration with a credential that has no app yet."""
    credentials = rotator.settings()["credentials"]
    credentials["newco"] = {
        "login_url": rotator.stage.org.url,
        "app": {"name": "Rotator_Newco"},
        "users": ["integration@newco.example"],
        "deploy": {"publisher": "manual"},
    }
    yield rotator.variant(tmp_path, credentials=credentials)
    forget(rotator.stage, "newco")


@pytest.fixture
def pair(rotator):
    """The key pair that signs for globex, as files."""
    data = rotator.stored_key_pair("globex")
    return data["private_key_pem"], data["certificate_pem"]


@pytest.fixture
def adopter(rotator, tmp_path):
    """A configuration that knows globex under another name, without a record."""
    credential = {**rotator.settings()["credentials"]["globex"], "deploy": {"publisher": "manual"}}
    yield rotator.variant(tmp_path, credentials={"taken-over": credential})
    forget(rotator.stage, "taken-over")


@pytest.fixture
def strangers(tmp_path):
    """Options that name a key pair of OpenSSL that no app holds."""
    key, certificate = tmp_path / "strange.key", tmp_path / "strange.crt"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return "--key", key, "--cert", certificate


def forget(stage, name):
    for path in (f"{name}/record", f"{name}/keys/1", f"{name}/keys/2", f"-/requests/{name}"):
        stage.vault.request("DELETE", f"secret/metadata/salesforce/{path}")


def test_init_makes_the_key_pair_writes_the_apps_files_and_tells_what_is_left(rotator, newco, tmp_path):
    folder = tmp_path / "app"
    ran = rotator("init", "newco", "--directory", folder, "--here", config=newco)
    assert ran.code == 0, ran.err
    assert "key pair 1 is in Vault" in ran.out
    assert "5. Write the consumer key into the configuration" in ran.out
    assert f"--metadata-dir {folder}" in ran.out
    certificate = next(folder.rglob("*_glbloauth.*")).read_text()
    assert "-----BEGIN CERTIFICATE-----" in certificate
    assert "PRIVATE KEY" not in "".join(file.read_text() for file in folder.rglob("*") if file.is_file())
    status = rotator("status", "newco", "--json", config=newco).json["credentials"][0]
    assert (status["phase"], status["under_way"]["change"]["reason"]) == ("proving", "init")


def test_init_may_be_repeated_and_makes_no_second_key_pair(rotator, newco, tmp_path):
    first = rotator("init", "newco", "--directory", tmp_path / "one", "--here", "--json", config=newco).json
    again = rotator("init", "newco", "--directory", tmp_path / "two", "--json", config=newco)
    assert again.code == 0
    assert (first["serial"], again.json["serial"]) == (1, 1)
    assert {path.rpartition("/")[2] for path in first["files"]} == {
        path.rpartition("/")[2] for path in again.json["files"]
    }


def test_init_does_not_write_over_files_that_were_edited(rotator, newco, tmp_path):
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "package.xml").write_text("mine")
    ran = rotator("init", "newco", "--directory", folder, "--here", config=newco)
    assert ran.code == 1
    assert "package.xml is there already" in ran.err


def test_init_is_refused_where_a_key_pair_signs(rotator):
    ran = rotator("init", "acme", "--here")
    assert ran.code == 1
    assert "this needs it empty" in ran.err
    assert "hint: It has a key pair, which rotator rotate acme replaces." in ran.err


@pytest.mark.parametrize("form", ["plain", "encrypted", "der"])
def test_adopt_takes_a_key_pair_over_once_the_org_has_taken_it(rotator, adopter, pair, tmp_path, form):
    key = load_pem_private_key(pair[0].encode(), None)
    more = []
    if form == "encrypted":
        (tmp_path / "passphrase").write_text("open sesame\n")
        more = ["--passphrase-file", tmp_path / "passphrase"]
        data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open sesame"))
    else:
        encoding = Encoding.DER if form == "der" else Encoding.PEM
        data = key.private_bytes(encoding, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    (tmp_path / "key").write_bytes(data)
    (tmp_path / "cert").write_text(pair[1])
    arguments = [
        "adopt",
        "taken-over",
        "--key",
        tmp_path / "key",
        "--cert",
        tmp_path / "cert",
        *more,
        "--here",
    ]
    ran = rotator(*arguments, config=adopter)
    assert ran.code == 0, ran.err
    assert "adopt to key pair 1 promoted" in ran.out
    with pytest.raises(BaoError, match="404"):
        rotator.stage.vault.request("GET", "secret/data/salesforce/-/requests/taken-over")


def test_adopt_warns_of_files_that_others_may_read(rotator, adopter, strangers):
    key = strangers[1]
    key.chmod(0o644)
    noted = rotator("adopt", "taken-over", *strangers, "--ask-only", "--within", "1ms", config=adopter)
    assert f"note: {key} has mode 0644, so others could read it: `chmod 600 {key}` now" in noted.err
    assert rotator("withdraw", "taken-over", config=adopter).code == 0
    key.chmod(0o600)
    silent = rotator("adopt", "taken-over", *strangers, "--ask-only", "--within", "1ms", config=adopter)
    assert "could read it" not in silent.err
    assert rotator("withdraw", "taken-over", config=adopter).code == 0


def test_adopt_tells_when_the_org_does_not_take_the_key_pair(rotator, adopter, strangers, tmp_path):
    ran = rotator("adopt", "taken-over", *strangers, "--here", "--json", config=adopter)
    assert ran.code == 1
    assert (ran.json["phase"], ran.json["changes"]) == ("proving", [])


def test_adopt_looks_at_the_files_before_anything_is_asked(rotator, adopter, pair, strangers, tmp_path):
    (tmp_path / "mine").write_text(pair[0])
    certificate = strangers[-1]
    ran = rotator("adopt", "taken-over", "--key", tmp_path / "mine", "--cert", certificate, config=adopter)
    assert ran.code == 1
    assert "the certificate was not made for this private key" in ran.err
    missing = rotator("adopt", "taken-over", "--key", tmp_path / "no", "--cert", certificate, config=adopter)
    assert missing.code == 2
    assert "cannot be read: No such file" in missing.err


def test_a_certificate_that_a_person_brings_in_is_shown_waited_for_and_proved(
    rotator, stage, adopter, pair, tmp_path
):
    (tmp_path / "key").write_text(pair[0])
    (tmp_path / "cert").write_text(pair[1])
    files = ["--key", tmp_path / "key", "--cert", tmp_path / "cert"]
    assert rotator("adopt", "taken-over", *files, "--here", config=adopter).code == 0
    asked = rotator("rotate", "taken-over", "--here", config=adopter)
    assert asked.code == 0
    assert "key pair 2 has 0 of 2 proofs; a person brings the certificate in" in asked.out
    assert "3. In the row of Rotator_Globex open the menu" in asked.out
    certificate = asked.out[asked.out.index("-----BEGIN") :]
    try:
        stage.control.put_certificate("Rotator_Globex", certificate)
        done = rotator("deployed", "taken-over", "--wait", "--here", "--json", config=adopter)
    finally:
        stage.control.put_certificate("Rotator_Globex", pair[1])
    assert done.code == 0, done.err
    assert [(one["reason"], one["outcome"]) for one in done.json["changes"]] == [("rotation", "promoted")]
