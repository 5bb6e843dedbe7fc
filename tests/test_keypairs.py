"""Key pairs are made, adopted and judged; what OpenSSL makes is taken, and OpenSSL judges what is made here."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from rotator.errors import Misconfigured
from rotator.keypairs import (
    KeyPair,
    adopt_key_pair,
    certificate_base64,
    certificate_fingerprint,
    doubts_about,
    load_signing_key,
    make_csr,
    make_key_pair,
    read_certificate,
    serial_of,
)
from rotator.secret import Secret

NOW = datetime(2027, 3, 1, 12, 30, 15, 999, tzinfo=UTC)
YEAR = timedelta(days=365)


def made(**changes: Any) -> KeyPair:
    wanted = {
        "bits": 2048,
        "subject": {},
        "lifetime": YEAR,
        "credential": "acme",
        "serial": 3,
        "now": NOW,
    } | changes
    return make_key_pair(**wanted)


@pytest.fixture(scope="module")
def pair() -> KeyPair:
    """One pair for the tests that only look at it."""
    return made(subject={"organization": "Acme", "country": "DE"})


def openssl(*arguments: str | Path, given: str = "") -> str:
    """Run the real openssl and return what it prints. CI has it; a machine without it leaves these tests out."""
    if shutil.which("openssl") is None and "CI" not in os.environ:
        pytest.skip("there is no openssl on this machine")
    ran = subprocess.run(
        ["openssl", *map(str, arguments)], input=given, capture_output=True, text=True, check=True, timeout=60
    )
    return ran.stdout + ran.stderr


# -- made here ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_openssl_finds_key_and_certificate_sound_and_of_one_pair(bits: int):
    key_pair = made(bits=bits)
    private_key = key_pair.private_key_pem.reveal()
    assert private_key.startswith("-----BEGIN PRIVATE KEY-----\n")
    assert "RSA key ok" in openssl("rsa", "-check", "-noout", given=private_key)
    text = openssl("x509", "-text", "-noout", given=key_pair.certificate_pem)
    assert f"({bits} bit)" in text
    assert "Version: 3 (0x2)" in text
    assert "Signature Algorithm: sha256WithRSAEncryption" in text
    assert "Exponent: 65537" in text
    moduli = [
        openssl(kind, "-modulus", "-noout", given=pem)
        for kind, pem in (("rsa", private_key), ("x509", key_pair.certificate_pem))
    ]
    assert moduli[0] == moduli[1]
    assert len(key_pair.certificate_pem) < 4096


def test_openssl_verifies_the_self_signature_and_sees_no_authority(pair: KeyPair, tmp_path: Path):
    file = tmp_path / "certificate.pem"
    file.write_text(pair.certificate_pem)
    at = str(int(NOW.timestamp()))
    assert "OK" in openssl(
        "verify", "-x509_strict", "-check_ss_sig", "-attime", at, "-CAfile", file, "-partial_chain", file
    )
    text = openssl("x509", "-in", file, "-noout", "-text")
    assert "X509v3 Basic Constraints: critical\n                CA:FALSE" in text
    assert "X509v3 Key Usage: critical\n                Digital Signature\n" in text
    assert "X509v3 Subject Key Identifier" in text


def test_the_subject_carries_credential_and_serial_besides_what_is_wished(pair: KeyPair):
    printed = openssl(
        "x509", "-noout", "-subject", "-issuer", "-nameopt", "RFC2253", given=pair.certificate_pem
    )
    name = "serialNumber=3,UID=acme,C=DE,O=Acme,CN=acme"
    assert printed.splitlines() == [f"subject={name}", f"issuer={name}"]
    assert serial_of(pair.certificate_pem) == ("acme", 3)
    named = made(subject={"common_name": "Rotator"}, credential="a_b.c-d")
    assert serial_of(named.certificate_pem) == ("a_b.c-d", 3)


def test_a_certificate_begins_five_minutes_ago_and_lives_as_long_as_wished(pair: KeyPair):
    facts = pair.facts(3)
    assert facts.not_before == datetime(2027, 3, 1, 12, 25, 15, tzinfo=UTC)
    assert facts.not_after == datetime(2028, 2, 29, 12, 30, 15, tzinfo=UTC)
    assert (facts.serial, facts.leaked) == (3, False)


def test_the_fingerprint_is_the_one_that_openssl_prints(pair: KeyPair):
    printed = openssl("x509", "-fingerprint", "-sha256", "-noout", given=pair.certificate_pem)
    expected = printed.strip().rpartition("=")[2].replace(":", "").lower()
    assert pair.facts(3).fingerprint == certificate_fingerprint(pair.certificate_pem) == expected


def test_bare_base64_is_the_same_certificate(pair: KeyPair):
    bare = certificate_base64(pair.certificate_pem)
    assert "\n" not in bare
    assert bare == "".join(pair.certificate_pem.splitlines()[1:-1])
    wrapped = "\r\n".join(bare[i : i + 76] for i in range(0, len(bare), 76))
    for text in (bare, wrapped, f"\n  {bare}\n", pair.certificate_pem.replace("\n", "\r\n")):
        assert certificate_fingerprint(text) == certificate_fingerprint(pair.certificate_pem)


def test_two_pairs_share_nothing_but_their_subject():
    one, other = made(), made()
    certificates = [read_certificate(key_pair.certificate_pem) for key_pair in (one, other)]
    assert certificates[0].serial_number != certificates[1].serial_number
    assert certificates[0].subject == certificates[1].subject
    assert one.private_key_pem != other.private_key_pem


def test_the_private_key_is_never_shown(pair: KeyPair):
    assert pair.private_key_pem.reveal()[40:80] not in repr(pair) + str(pair)


def test_openssl_verifies_a_signing_request(pair: KeyPair):
    request = make_csr(pair)
    printed = openssl("req", "-verify", "-noout", "-subject", "-nameopt", "RFC2253", given=request)
    assert "verify OK" in printed
    assert "serialNumber=3,UID=acme,C=DE,O=Acme,CN=acme" in printed
    assert (
        x509.load_pem_x509_csr(request.encode()).public_key()
        == load_signing_key(pair.private_key_pem).public_key()
    )


def test_the_signing_key_signs_what_the_certificate_verifies(pair: KeyPair):
    signature = load_signing_key(pair.private_key_pem).sign(b"data", padding.PKCS1v15(), hashes.SHA256())
    public_key = read_certificate(pair.certificate_pem).public_key()
    assert isinstance(public_key, rsa.RSAPublicKey)
    public_key.verify(signature, b"data", padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize("bits", [0, 512, 1024, 2047, 8192])
def test_other_key_sizes_are_refused(bits: int):
    with pytest.raises(Misconfigured, match=f"of {bits} bits") as refused:
        made(bits=bits)
    assert "2048, 3072 or 4096" in refused.value.hint


@pytest.mark.parametrize(
    "subject",
    [{"country": "Germany"}, {"common_name": "x" * 65}, {"common_name": ""}, {"nickname": "x"}],
    ids=["country", "long", "empty", "unknown"],
)
def test_a_subject_that_cannot_be_is_refused(subject: dict[str, str]):
    with pytest.raises(Misconfigured, match="subject cannot be"):
        made(subject=subject)


def test_a_certificate_of_more_than_four_kilobytes_is_refused():
    with pytest.raises(Misconfigured, match="more than 4 KB"):
        made(subject={"locality": "x" * 1600})


@pytest.mark.parametrize("lifetime", [timedelta(days=9_000_000), timedelta(minutes=-10)])
def test_a_lifetime_that_cannot_be_is_refused(lifetime: timedelta):
    with pytest.raises(Misconfigured, match="no certificate can be made"):
        made(lifetime=lifetime)


# -- adopted ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the usual OpenSSL commands leave behind."""
    folder = tmp_path_factory.mktemp("openssl")
    protected, key, request = folder / "server.pass.key", folder / "server.key", folder / "server.csr"
    openssl("genrsa", "-des3", "-passout", "pass:x", "-out", protected, "2048")
    openssl("rsa", "-passin", "pass:x", "-in", protected, "-out", key)
    openssl("req", "-new", "-key", key, "-out", request, "-subj", "/CN=seed")
    certificate = folder / "server.crt"
    openssl("x509", "-req", "-sha256", "-days", "365", "-in", request, "-signkey", key, "-out", certificate)
    openssl("x509", "-in", certificate, "-outform", "DER", "-out", folder / "server.der")
    openssl("rsa", "-in", key, "-traditional", "-out", folder / "pkcs1.key")
    openssl(
        "rsa", "-in", key, "-traditional", "-des3", "-passout", "pass:x", "-out", folder / "pkcs1.pass.key"
    )
    openssl("rsa", "-in", key, "-outform", "DER", "-out", folder / "server.key.der")
    encrypted = ("-topk8", "-outform", "DER", "-v2", "aes256", "-passout", "pass:x")
    openssl("pkcs8", "-in", key, *encrypted, "-out", folder / "pkcs8.pass.der")
    return folder


def adopt(folder: Path, key: str, certificate: str = "server.crt", passphrase: str | None = None) -> KeyPair:
    secret = None if passphrase is None else Secret(passphrase)
    return adopt_key_pair((folder / key).read_bytes(), (folder / certificate).read_bytes(), secret)


PROTECTED = ["server.pass.key", "pkcs1.pass.key", "pkcs8.pass.der"]
PLAIN = ["server.key", "pkcs1.key", "server.key.der"]


@pytest.mark.parametrize("certificate", ["server.crt", "server.der"])
@pytest.mark.parametrize(
    ("key", "passphrase"), [*((key, None) for key in PLAIN), *((key, "x") for key in PROTECTED)]
)
def test_what_openssl_makes_is_adopted(seed: Path, key: str, passphrase: str | None, certificate: str):
    adopted = adopt(seed, key, certificate, passphrase)
    assert adopted.private_key_pem.reveal().startswith("-----BEGIN PRIVATE KEY-----\n")
    assert adopted.certificate_pem == (seed / "server.crt").read_text()
    assert adopted.private_key_pem == adopt(seed, "server.key").private_key_pem
    assert doubts_about(adopted, datetime.now(UTC)) == ()
    assert serial_of(adopted.certificate_pem) is None


def test_a_passphrase_for_a_key_that_needs_none_does_no_harm(seed: Path):
    assert adopt(seed, "server.key", passphrase="x") == adopt(seed, "server.key")


@pytest.mark.parametrize("key", PROTECTED)
def test_a_missing_or_wrong_passphrase_is_told(seed: Path, key: str):
    with pytest.raises(Misconfigured, match="is encrypted, and no passphrase is given"):
        adopt(seed, key)
    with pytest.raises(Misconfigured, match="cannot be decrypted with this passphrase") as refused:
        adopt(seed, key, passphrase="wr0ng-passphrase")
    assert "wr0ng" not in str(refused.value) + refused.value.hint
    assert refused.value.__cause__ is None


def test_a_certificate_of_another_key_is_refused(seed: Path, pair: KeyPair):
    with pytest.raises(Misconfigured, match="was not made for this private key"):
        adopt_key_pair((seed / "server.key").read_bytes(), pair.certificate_pem.encode())


def test_of_several_certificates_that_of_the_key_is_taken(seed: Path, pair: KeyPair):
    both = pair.certificate_pem.encode() + b"\n# mine:\n" + (seed / "server.crt").read_bytes()
    adopted = adopt_key_pair((seed / "server.key").read_bytes(), both)
    assert adopted.certificate_pem == (seed / "server.crt").read_text()


def test_a_key_that_is_not_rsa_is_refused(pair: KeyPair):
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(*form)
    with pytest.raises(Misconfigured, match="is not an RSA key"):
        adopt_key_pair(key, pair.certificate_pem.encode())
    with pytest.raises(Misconfigured, match="cannot be read"):
        load_signing_key(Secret(key.decode()))


def test_a_weak_key_is_refused(tmp_path: Path, pair: KeyPair):
    openssl("genrsa", "-out", tmp_path / "weak.key", "1024")
    with pytest.raises(Misconfigured, match="has 1024 bits, which is too weak"):
        adopt_key_pair((tmp_path / "weak.key").read_bytes(), pair.certificate_pem.encode())


def test_a_damaged_key_is_refused_without_a_trace_of_it(pair: KeyPair):
    lines = pair.private_key_pem.reveal().splitlines()
    lines[5], lines[6] = lines[6], lines[5]
    with pytest.raises(Misconfigured, match="cannot be read") as refused:
        adopt_key_pair("\n".join(lines).encode(), pair.certificate_pem.encode())
    assert lines[5] not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("junk", [b"", b"junk", b"\x30\x03junk", b"-----BEGIN CERTIFICATE-----\njunk\n"])
def test_junk_is_neither_key_nor_certificate(pair: KeyPair, junk: bytes):
    with pytest.raises(Misconfigured, match="the private key cannot be read"):
        adopt_key_pair(junk, pair.certificate_pem.encode())
    with pytest.raises(Misconfigured, match="the certificate cannot be read"):
        adopt_key_pair(pair.private_key_pem.reveal().encode(), junk)


def test_a_bare_public_key_is_no_certificate(pair: KeyPair):
    public = openssl("rsa", "-pubout", given=pair.private_key_pem.reveal())
    public = public[public.index("-----BEGIN") :].replace("writing RSA key\n", "")
    with pytest.raises(Misconfigured, match="certificate cannot be read") as refused:
        adopt_key_pair(pair.private_key_pem.reveal().encode(), public.encode())
    assert "not a bare public key" in refused.value.hint


def test_an_expired_certificate_is_adopted_with_a_warning(pair: KeyPair):
    adopted = adopt_key_pair(pair.private_key_pem.reveal().encode(), pair.certificate_pem.encode())
    assert adopted == pair
    assert doubts_about(adopted, NOW) == ()
    end = adopted.facts(1).not_after
    assert doubts_about(adopted, end - timedelta(seconds=1)) == ()
    assert doubts_about(adopted, end) == ("The certificate expired at 2028-02-29 12:30Z.",)
    assert doubts_about(adopted, NOW - YEAR) == ("The certificate begins at 2027-03-01 12:25Z only.",)


def test_a_certificate_signed_with_sha1_is_adopted_with_a_warning(seed: Path, tmp_path: Path):
    file = tmp_path / "sha1.crt"
    openssl("req", "-x509", "-new", "-sha1", "-key", seed / "server.key", "-subj", "/CN=old", "-out", file)
    adopted = adopt_key_pair((seed / "server.key").read_bytes(), file.read_bytes())
    assert doubts_about(adopted, datetime.now(UTC)) == (
        "The certificate is signed with SHA1; SHA-256 is expected.",
    )


def test_a_foreign_serial_number_is_not_taken_for_ours(seed: Path, tmp_path: Path):
    file = tmp_path / "foreign.crt"
    for subject in ("/CN=acme/serialNumber=7", "/UID=acme/serialNumber=HRB 7", "/UID=acme/CN=acme"):
        openssl("req", "-x509", "-new", "-key", seed / "server.key", "-subj", subject, "-out", file)
        assert serial_of(file.read_text()) is None


def test_base64_of_something_else_is_no_certificate():
    with pytest.raises(Misconfigured, match="the certificate cannot be read"):
        read_certificate(base64.b64encode(b"no certificate").decode())
