"""Key material that costs nothing: real X.509 certificates, and a signature that only looks like one of RSA.

Making 100,000 RSA keys would take hours. The certificate is real (of an Ed25519 key, derived from the seed), so that
fingerprints, dates and metadata files are read by rotator's own code. What signs is a hash of key and message.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from rotator.keypairs import BACKDATED, KeyPair, certificate_fingerprint
from rotator.secret import Secret

_KEY = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"rotator").digest())
_PUBLIC = _KEY.public_key()


class Signer(RSAPrivateKey):
    """Signs for one certificate."""

    key_size = 2048

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint

    def sign(self, data: Any, *_how: Any) -> bytes:
        return signature(self.fingerprint, bytes(data))

    def decrypt(self, *_: Any) -> bytes:
        raise NotImplementedError

    public_key = private_numbers = private_bytes = __copy__ = __deepcopy__ = decrypt


def signature(fingerprint: str, message: bytes) -> bytes:
    """Return what the key behind a certificate says of a message; it begins with the fingerprint."""
    return bytes.fromhex(fingerprint) + hashlib.sha256(fingerprint.encode() + message).digest()


def signer_of(signed: bytes, message: bytes) -> str:
    """Return the fingerprint of whose key signed a message; empty if nobody's did."""
    fingerprint = signed[:32].hex()
    return fingerprint if signed == signature(fingerprint, message) else ""


def load_key(private_key_pem: Secret) -> Signer:
    """Stand in for :func:`rotator.keypairs.load_signing_key`."""
    return Signer(private_key_pem.reveal())


class Maker:
    """Stands in for :func:`rotator.keypairs.make_key_pair`: every pair is another one, the same in every run."""

    def __init__(self) -> None:
        self._made = 0

    def __call__(
        self,
        *,
        bits: int,
        subject: Mapping[str, str],
        lifetime: timedelta,
        credential: str,
        serial: int,
        now: datetime,
    ) -> KeyPair:
        self._made += 1
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{credential} {serial}")])
        certificate = (
            x509.CertificateBuilder(name, name, _PUBLIC, self._made)
            .not_valid_before(now - BACKDATED)
            .not_valid_after(now + lifetime)
            .sign(_KEY, None)
        )
        pem = certificate.public_bytes(Encoding.PEM).decode()
        return KeyPair(Secret(certificate_fingerprint(pem)), pem)


@lru_cache(1024)
def fingerprint_of(certificate: str) -> str:
    """Return the fingerprint of a certificate (PEM)."""
    return certificate_fingerprint(certificate)
