"""What the search for secrets finds: a search that finds nothing must be able to find something."""

from __future__ import annotations

import base64
import json
import secrets
from functools import cache
from urllib.parse import quote, quote_plus

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from rotator.sandbox.pairs import Pair, make_pair
from tests.world.searcher import FOUND_BYTES, PIECE_BYTES, Searcher

WRITERS = {
    "plain": lambda data: data,
    "base64": base64.b64encode,
    "base64, a byte on": lambda data: base64.b64encode(b"." + data),
    "base64, two bytes on": lambda data: base64.b64encode(b".." + data + b"."),
    "base64url": base64.urlsafe_b64encode,
    "base64url, a byte on": lambda data: base64.urlsafe_b64encode(b"." + data),
    "base64url, two bytes on": lambda data: base64.urlsafe_b64encode(b".." + data),
    "base64 in lines": base64.encodebytes,
    "hex": lambda data: data.hex().encode(),
    "hex in capitals": lambda data: data.hex().upper().encode(),
    "URL": lambda data: quote(data, safe="").encode(),
    "URL of a form": lambda data: quote_plus(data).encode(),
    "JSON": lambda data: json.dumps(data.decode("latin1")).encode("latin1"),
}


@cache
def pair() -> Pair:
    return make_pair("acme", 3600)


def pem(format_: PrivateFormat = PrivateFormat.PKCS8, passphrase: bytes = b"") -> str:
    cover = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    key = load_pem_private_key(pair().key.encode(), None)
    return key.private_bytes(Encoding.PEM, format_, cover).decode()


def der(format_: PrivateFormat) -> bytes:
    return load_pem_private_key(pair().key.encode(), None).private_bytes(
        Encoding.DER, format_, NoEncryption()
    )


@cache
def kinds() -> dict[str, str]:
    return {
        "private key": pair().key,
        "encrypted private key": pem(passphrase=b"open sesame"),
        "assertion": jwt.encode({"iss": "3MVG9", "sub": "a@b.example"}, pair().key, "RS256"),
        "access token": f"00D5g00000AbCdE!AQ{secrets.token_urlsafe(70)}",
        "secret_id": "6c2f1d0e-5b0c-4c8e-9d53-8f0a1c2b3d4e",
        "Vault token": f"s.{secrets.token_hex(12)}",
        "passphrase": "Pass-phrase/of the+key: 1&2=3%",
    }


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("kind", [*kinds()])
def test_every_secret_is_found_in_every_encoding(kind, writer):
    secret = kinds()[kind]
    found = Searcher({secret: kind}).find(b"a log line: " + WRITERS[writer](secret.encode()) + b" and more")
    assert any(one.startswith(kind) for one in found)


@pytest.mark.parametrize("writer", [one for one in WRITERS if one != "JSON"])
@pytest.mark.parametrize("format_", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_key_is_found_as_der_of_either_format_in_every_encoding(format_, writer):
    assert Searcher({pair().key: "the key"}).find(WRITERS[writer](der(format_)))


@pytest.mark.parametrize("format_", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_key_is_found_by_any_line_of_a_pem_file_that_tells_more_than_the_certificate(format_):
    searcher = Searcher({pair().key: "the key"})
    lines = pem(format_).splitlines()[1:-1]
    public = len(der(format_)) - 3 * 256  # what stands before the exponent and the primes, at the most
    found = [bool(searcher.find(line)) for line in lines if len(line) == 64]
    assert all(found[public * 4 // 3 // 64 + 1 :])


def test_a_secret_is_found_by_any_piece_of_it_that_is_long_enough():
    secret = secrets.token_urlsafe(60)
    searcher = Searcher({secret: "it"})
    pieces = [secret[at : at + FOUND_BYTES] for at in range(len(secret) - FOUND_BYTES + 1)]
    assert all(searcher.find(f"...{piece}...") for piece in pieces)


def test_what_everybody_may_know_is_not_found():
    searcher = Searcher({secret: what for what, secret in kinds().items()})
    certificate = x509.load_pem_x509_certificate(pair().certificate.encode())
    public = certificate.public_bytes(Encoding.DER)
    head, claims, _signature = kinds()["assertion"].split(".")
    for shown in (pair().certificate.encode(), f"{head}.{claims}".encode(), b"00D5g00000AbCdE!AQ"):
        assert searcher.find(shown) == []
    assert {writer: searcher.find(write(public)) for writer, write in WRITERS.items()} == {
        writer: [] for writer in WRITERS
    }


def test_what_is_too_short_to_be_told_from_chance_is_refused():
    with pytest.raises(ValueError, match="the password has 15 bytes"):
        Searcher({"x" * (PIECE_BYTES - 1): "the password"})
