"""X.509 certificates as an app's slot takes them: PEM, or the bare base64 that a retrieve gives back."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

_PEM = re.compile(
    r"\s*-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END CERTIFICATE-----\s*", re.ASCII
)
SMALLEST_KEY_BITS = 1024


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate: its DER bytes and what is read from them."""

    der: bytes
    fingerprint: str
    """SHA-256 over the DER, lower-case hexadecimal."""
    public_key: RSAPublicKey

    @property
    def base64(self) -> str:
        return base64.b64encode(self.der).decode("ascii")

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` is RS256 (RFC 7518, section 3.3) over `message` by this certificate's key."""
        try:
            self.public_key.verify(signature, message, padding.PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True


def read_certificate(text: str) -> Certificate:
    """The one certificate in `text` (PEM or bare base64).

    Raises ValueError, with a sentence for the deploy result, for anything else: a bare public key,
    a chain, text around the PEM, a key that is not RSA.
    """
    found = _PEM.fullmatch(text)
    body = re.sub(r"\s+", "", found[1] if found else text)
    try:
        der = base64.b64decode(body, validate=True)
        parsed = x509.load_der_x509_certificate(der)
        key = parsed.public_key()
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        raise ValueError("Invalid certificate: not one X.509 certificate in PEM or base64") from None
    if not isinstance(key, RSAPublicKey) or key.key_size < SMALLEST_KEY_BITS:
        raise ValueError("Invalid certificate: an RSA key of 1024 bits or more is required")
    return Certificate(der, hashlib.sha256(der).hexdigest(), key)
