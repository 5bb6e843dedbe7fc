"""Key pairs as an administrator would have made them by hand, for an app's slot to begin with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_BACKDATED = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Pair:
    """A private key and its self-signed certificate, both PEM."""

    key: str = field(repr=False)
    certificate: str


def make_pair(common_name: str, lifetime_seconds: float) -> Pair:
    """Make an RSA key of 2048 bits with a certificate that ends after so many seconds."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + timedelta(seconds=lifetime_seconds))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Pair(pem.decode("ascii"), certificate.public_bytes(Encoding.PEM).decode("ascii"))
