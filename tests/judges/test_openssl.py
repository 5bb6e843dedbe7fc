"""OpenSSL judges the keys, certificates and requests that rotator makes."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest

from rotator.keypairs import KEY_SIZES, make_csr, make_key_pair
from tests.judges.tools import run

pytestmark = pytest.mark.judge("OpenSSL")

SUBJECT = {"common_name": "Zürich, Straße 1 = #7", "organization": "Example Ltd", "country": "CH"}


@pytest.fixture(scope="module", params=KEY_SIZES)
def bits(request):
    return request.param


@pytest.fixture(scope="module")
def pair(bits, tmp_path_factory):
    """A key pair of rotator, as files that OpenSSL reads."""
    folder = tmp_path_factory.mktemp("pair")
    pair = make_key_pair(
        bits=bits,
        subject=SUBJECT,
        lifetime=timedelta(days=365),
        credential="acme",
        serial=7,
        now=datetime.now(UTC),
    )
    texts = {"key": pair.private_key_pem.reveal(), "crt": pair.certificate_pem, "csr": make_csr(pair)}
    for name, text in texts.items():
        with os.fdopen(os.open(folder / name, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write(text)
    return folder


def openssl(*arguments):
    done = run("openssl", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_the_private_key_is_consistent_and_in_pkcs8(pair, bits):
    told = openssl("rsa", "-check", "-noout", "-text", "-in", pair / "key")
    assert "RSA key ok" in told
    assert f"({bits} bit" in told
    assert (pair / "key").read_text().startswith("-----BEGIN PRIVATE KEY-----\n")


def test_the_certificate_is_version_3_with_sha256_and_verifies_against_itself(pair, bits):
    told = openssl("x509", "-noout", "-text", "-in", pair / "crt")
    assert "Version: 3 (0x2)" in told
    assert told.count("Signature Algorithm: sha256WithRSAEncryption") == 2
    assert f"Public-Key: ({bits} bit)" in told
    assert "CA:FALSE" in told
    assert "Digital Signature" in told
    assert openssl(
        "verify", "-x509_strict", "-partial_chain", "-trusted", pair / "crt", pair / "crt"
    ).endswith(": OK\n")


def test_the_certificate_is_valid_already_and_ends_when_it_should(pair):
    openssl("x509", "-noout", "-checkend", 364 * 86_400, "-in", pair / "crt")
    ended = run("openssl", "x509", "-noout", "-checkend", 365 * 86_400, "-in", pair / "crt")
    assert ended.returncode == 1
    valid = ("verify", "-partial_chain", "-trusted", pair / "crt", pair / "crt")
    openssl(valid[0], "-attime", int(datetime.now(UTC).timestamp()) - 240, *valid[1:])


def test_the_subject_carries_what_was_configured_and_credential_and_serial(pair):
    told = openssl("x509", "-noout", "-subject", "-nameopt", "utf8,sep_multiline,sname", "-in", pair / "crt")
    assert "CN=Zürich, Straße 1 = #7" in told
    assert "O=Example Ltd" in told
    assert "UID=acme" in told
    assert "serialNumber=7" in told


def test_certificate_key_and_request_hold_the_same_public_key(pair):
    of_key = openssl("pkey", "-pubout", "-in", pair / "key")
    assert openssl("x509", "-noout", "-pubkey", "-in", pair / "crt") == of_key
    assert openssl("req", "-noout", "-pubkey", "-in", pair / "csr") == of_key


def test_the_request_is_signed_by_its_key_and_names_the_same_subject(pair):
    assert "verify OK" in openssl("req", "-verify", "-noout", "-in", pair / "csr")
    of_certificate = openssl("x509", "-noout", "-subject", "-in", pair / "crt")
    assert openssl("req", "-noout", "-subject", "-in", pair / "csr") == of_certificate


@pytest.fixture
def adopter(rotator, stage, tmp_path):
    """A configuration that knows the app of globex under another name, without a record; and its certificate, kept."""
    globex = rotator.settings()["credentials"]["globex"]
    kept = rotator.stored_key_pair("globex")
    yield rotator.variant(tmp_path, credentials={"taken-over": {**globex, "deploy": {"publisher": "manual"}}})
    stage.control.put_certificate(globex["app"]["name"], kept["certificate_pem"])
    for path in ("taken-over/record", "taken-over/keys/1", "-/requests/taken-over"):
        stage.vault.request("DELETE", f"secret/metadata/salesforce/{path}")


@pytest.mark.parametrize("encrypted", [True, False], ids=["with its passphrase", "without"])
def test_a_pair_made_by_hand_as_salesforce_teaches_it_is_adopted(
    rotator, stage, adopter, tmp_path, encrypted
):
    """The commands are those of Salesforce's guide: genrsa, rsa, req -new, x509 -req -signkey."""
    (tmp_path / "passphrase").write_text("correct horse\n")
    secret, plain, request, certificate = (
        tmp_path / f"server.{end}" for end in ("pass.key", "key", "csr", "crt")
    )
    passphrase = f"file:{tmp_path / 'passphrase'}"
    openssl("genrsa", "-aes256", "-passout", passphrase, "-out", secret, "2048")
    openssl("rsa", "-passin", passphrase, "-in", secret, "-out", plain)
    openssl("req", "-new", "-key", plain, "-subj", "/C=CH/O=Example/CN=globex", "-out", request)
    openssl("x509", "-req", "-sha256", "-days", "365", "-in", request, "-signkey", plain, "-out", certificate)
    stage.control.put_certificate("Rotator_Globex", certificate.read_text())
    key = ["--key", secret, "--passphrase-file", tmp_path / "passphrase"] if encrypted else ["--key", plain]
    ran = rotator("adopt", "taken-over", *key, "--cert", certificate, "--here", config=adopter)
    assert ran.code == 0, ran.err
    assert "adopt to key pair 1 promoted" in ran.out
    told = rotator("certificate", "taken-over", config=adopter).out
    (tmp_path / "told.crt").write_text(told)
    fingerprint = ("x509", "-noout", "-fingerprint", "-sha256", "-in")
    assert openssl(*fingerprint, tmp_path / "told.crt") == openssl(*fingerprint, certificate)
