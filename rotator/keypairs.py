"""RSA key pairs with their self-signed certificates: made here, or adopted from what OpenSSL made.

Salesforce trusts the certificate that it holds and checks no chain, so a self-signed one serves
(Salesforce help, "OAuth 2.0 JWT Bearer Flow": "upload an X509 certificate").

A private key is checked once, when it is made or adopted; :func:`load_signing_key` trusts it from then on.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID, ObjectIdentifier

from rotator.core.model import KeyFacts, Serial
from rotator.errors import Misconfigured
from rotator.secret import Secret

KEY_SIZES = (2048, 3072, 4096)
WEAKEST_BITS = 2048
LONGEST_BITS = 4096  # the checks of a key of 20,000 bits take minutes
PUBLIC_EXPONENT = 65537
BACKDATED = timedelta(minutes=5)  # the clock of the org's servers may be behind ours
CERTIFICATE_LIMIT_BYTES = 4096  # Salesforce documents this for one kind of certificate, and we keep to it

SUBJECT_ATTRIBUTES: Mapping[str, ObjectIdentifier] = {
    "country": NameOID.COUNTRY_NAME,
    "state": NameOID.STATE_OR_PROVINCE_NAME,
    "locality": NameOID.LOCALITY_NAME,
    "organization": NameOID.ORGANIZATION_NAME,
    "organizational_unit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "common_name": NameOID.COMMON_NAME,
    "email": NameOID.EMAIL_ADDRESS,
}


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key (PKCS#8 PEM, not encrypted: Vault protects it) and its certificate (PEM)."""

    private_key_pem: Secret
    certificate_pem: str

    def facts(self, serial: Serial) -> KeyFacts:
        """Return what the record keeps of this pair. Raises Misconfigured when the certificate cannot be read."""
        certificate = read_certificate(self.certificate_pem)
        return KeyFacts(
            serial=serial,
            fingerprint=_fingerprint(certificate),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
        )


def make_key_pair(
    *,
    bits: int,
    subject: Mapping[str, str],
    lifetime: timedelta,
    credential: str,
    serial: Serial,
    now: datetime,
) -> KeyPair:
    """Make a new RSA key pair, valid from five minutes ago until ``now + lifetime``.

    ``subject`` maps keys of SUBJECT_ATTRIBUTES to text; the common name is the credential's unless given.
    Whatever it says, the subject carries the credential (UID) and the serial (serialNumber), see
    :func:`serial_of`. Raises Misconfigured on a key size, subject or lifetime that cannot be.
    """
    if bits not in KEY_SIZES:
        raise Misconfigured(
            f"an RSA key of {bits} bits is not made",
            code="key.bits",
            hint="Use 2048, 3072 or 4096 bits.",
        )
    name = _name(subject, credential, serial)
    key = rsa.generate_private_key(PUBLIC_EXPONENT, bits)
    try:
        certificate = _self_signed(key, name, (now - BACKDATED, now + lifetime))
    except (ValueError, OverflowError) as error:
        raise Misconfigured(
            f"no certificate can be made that lives for {lifetime}: {error}",
            code="key.lifetime",
            hint="Shorten `key.lifetime`.",
        ) from None
    return _pair(key, certificate)


def make_csr(key_pair: KeyPair) -> str:
    """Return a certificate signing request (PEM, PKCS#10) with key and subject of the pair."""
    key, certificate = load_signing_key(key_pair.private_key_pem), read_certificate(key_pair.certificate_pem)
    request = x509.CertificateSigningRequestBuilder(certificate.subject).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.PEM).decode("ascii")


def adopt_key_pair(key: bytes, certificate: bytes, passphrase: Secret | None = None) -> KeyPair:
    """Return the pair that a key file and a certificate file (PEM or DER) hold.

    The key may be PKCS#1 ("RSA PRIVATE KEY") or PKCS#8, encrypted or not. Of several certificates in a PEM file
    that of the key is taken. Raises Misconfigured when either cannot be read, the key is not RSA or weak, or
    they do not belong together. See :func:`doubts_about` for what is taken with a warning.
    """
    private_key = _private_key(key, passphrase)
    if not isinstance(private_key, rsa.RSAPrivateKey):
        raise Misconfigured(
            "the private key is not an RSA key",
            code="key.not_rsa",
            hint="Salesforce takes RS256 alone. Make the key with `openssl genrsa`.",
        )
    if private_key.key_size < WEAKEST_BITS:
        raise Misconfigured(
            f"the private key has {private_key.key_size} bits, which is too weak",
            code="key.weak",
            hint="Use a key of 2048 bits or more.",
        )
    mine = private_key.public_key()
    for candidate in _certificates(certificate):
        if _key_in(candidate) == mine:
            return _pair(private_key, _checked(candidate))
    raise Misconfigured(
        "the certificate was not made for this private key",
        code="key.mismatch",
        hint="Give the certificate that was made from this key (`openssl x509 -req ... -signkey`). These two print "
        "the same when they belong together: `openssl rsa -modulus -noout -in KEY`, `openssl x509 -modulus -noout "
        "-in CERT`.",
    )


def doubts_about(key_pair: KeyPair, now: datetime) -> tuple[str, ...]:
    """Return what a person should know about an adopted pair, as sentences; nothing of it stops us.

    Salesforce is known to take assertions after the certificate has expired, so such a pair is adopted, too.
    """
    certificate = read_certificate(key_pair.certificate_pem)
    doubts = []
    if certificate.not_valid_after_utc <= now:
        doubts.append(f"The certificate expired at {certificate.not_valid_after_utc:%Y-%m-%d %H:%M}Z.")
    if certificate.not_valid_before_utc > now:
        doubts.append(f"The certificate begins at {certificate.not_valid_before_utc:%Y-%m-%d %H:%M}Z only.")
    algorithm = _signed_with(certificate)
    if algorithm not in ("sha256", "sha384", "sha512"):
        doubts.append(f"The certificate is signed with {algorithm.upper()}; SHA-256 is expected.")
    if len(key_pair.certificate_pem) > CERTIFICATE_LIMIT_BYTES:
        doubts.append(
            f"The certificate has {len(key_pair.certificate_pem)} bytes; more than 4 KB may be refused."
        )
    return tuple(doubts)


def load_signing_key(pem: Secret) -> rsa.RSAPrivateKey:
    """Return the key of a pair, fast: without the checks that it passed when it was made or adopted.

    Raises Misconfigured when it is not a PEM file of an RSA key.
    """
    try:
        key = load_pem_private_key(pem.reveal().encode(), None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _unreadable_key() from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _unreadable_key()
    return key


def read_certificate(text: str) -> x509.Certificate:
    """Return the first certificate of a PEM text, or of bare base64 as Salesforce's metadata may hold it.

    Raises Misconfigured when there is none.
    """
    return _checked(_certificates(text.encode(errors="replace"))[0])


def certificate_fingerprint(text: str) -> str:
    """Return the SHA-256 of a certificate's DER in lower-case hex. Raises Misconfigured."""
    return _fingerprint(read_certificate(text))


def certificate_base64(text: str) -> str:
    """Return a certificate's DER in base64 on one line, without PEM armour. Raises Misconfigured."""
    return base64.b64encode(read_certificate(text).public_bytes(Encoding.DER)).decode("ascii")


def serial_of(text: str) -> tuple[str, Serial] | None:
    """Return credential and serial that a certificate's subject carries; None if rotator did not make it.

    Raises Misconfigured when it is no certificate.
    """
    subject = read_certificate(text).subject
    credentials = subject.get_attributes_for_oid(NameOID.USER_ID)
    serials = subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    if len(credentials) != 1 or len(serials) != 1:
        return None
    credential, serial = str(credentials[0].value), str(serials[0].value)
    return (credential, int(serial)) if re.fullmatch(r"[0-9]{1,9}", serial) else None


def _name(subject: Mapping[str, str], credential: str, serial: Serial) -> x509.Name:
    texts = {"common_name": credential, **subject}
    try:
        attributes = [x509.NameAttribute(SUBJECT_ATTRIBUTES[key], text) for key, text in texts.items()]
        attributes.append(x509.NameAttribute(NameOID.USER_ID, credential))
        attributes.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, str(serial)))
        return x509.Name(attributes)
    except (KeyError, ValueError) as error:
        raise Misconfigured(
            f"the certificate's subject cannot be: {error}",
            code="key.subject",
            hint=f"`key.subject` may have {', '.join(SUBJECT_ATTRIBUTES)}; most hold 64 characters, country two.",
        ) from None


def _self_signed(
    key: rsa.RSAPrivateKey, name: x509.Name, validity: tuple[datetime, datetime]
) -> x509.Certificate:
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity[0].replace(microsecond=0))
        .not_valid_after(validity[1].replace(microsecond=0))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    if len(certificate.public_bytes(Encoding.PEM)) >= CERTIFICATE_LIMIT_BYTES:
        raise Misconfigured(
            "the certificate would have more than 4 KB, which Salesforce may refuse",
            code="key.certificate_size",
            hint="Shorten `key.subject`, or use fewer bits.",
        )
    return certificate


def _pair(key: rsa.RSAPrivateKey, certificate: x509.Certificate) -> KeyPair:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return KeyPair(Secret(pem.decode("ascii")), certificate.public_bytes(Encoding.PEM).decode("ascii"))


def _fingerprint(certificate: x509.Certificate) -> str:
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def _signed_with(certificate: x509.Certificate) -> str:
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        algorithm = None
    return algorithm.name if algorithm else "an unknown algorithm"


def _private_key(data: bytes, passphrase: Secret | None) -> PrivateKeyTypes:
    """Load and check a private key. Library errors are dropped: they could hold a part of the key."""
    load = load_pem_private_key if b"-----BEGIN" in data else load_der_private_key
    password = passphrase.reveal().encode(errors="replace") if passphrase else None
    try:
        unchecked = load(data, password, unsafe_skip_rsa_key_validation=True)
        if isinstance(unchecked, rsa.RSAPrivateKey) and unchecked.key_size > LONGEST_BITS:
            raise Misconfigured(
                f"the private key has {unchecked.key_size} bits, which is too long",
                code="key.too_long",
                hint=f"Use a key of {LONGEST_BITS} bits at the most; 2048 is what Salesforce's own examples use.",
            )
        return load(data, password)
    except TypeError:
        if password is None:
            raise Misconfigured(
                "the private key is encrypted, and no passphrase is given",
                code="key.passphrase",
                hint="Name the file that holds the passphrase, or decrypt the key first: `openssl rsa -in KEY`.",
            ) from None
        return _private_key(data, None)  # a passphrase for a key that needs none does no harm
    except (ValueError, UnsupportedAlgorithm):
        if password is not None and (b"ENCRYPTED" in data or b"-----BEGIN" not in data):
            raise Misconfigured(
                "the private key cannot be decrypted with this passphrase",
                code="key.passphrase",
                hint="Check the passphrase (`openssl rsa -in KEY -noout -check`) and that the file holds nothing "
                "else.",
            ) from None
        raise _unreadable_key() from None


def _unreadable_key() -> Misconfigured:
    return Misconfigured(
        "the private key cannot be read",
        code="key.unreadable",
        hint="It must be an RSA private key in PEM or DER form (PKCS#1 or PKCS#8), complete and unchanged.",
    )


def _certificates(data: bytes) -> list[x509.Certificate]:
    """Return the certificates of PEM, bare base64 or DER; at least one. Raises Misconfigured.

    Their parts are read when they are asked for: see :func:`_checked`.
    """
    try:
        if b"-----BEGIN" in data:
            return x509.load_pem_x509_certificates(data)
        if not data.startswith(b"\x30"):  # DER begins with a SEQUENCE; base64 of one with "M"
            data = base64.b64decode(b"".join(data.split()), validate=True)
        return [x509.load_der_x509_certificate(data)]
    except (ValueError, binascii.Error, x509.InvalidVersion, UnsupportedAlgorithm):
        raise _unreadable_certificate() from None


def _checked(certificate: x509.Certificate) -> x509.Certificate:
    """Return the certificate, whose subject, times and key can be read. Raises Misconfigured."""
    try:
        _ = certificate.subject, certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except (ValueError, TypeError):  # TypeError: a part of the name is of a type that goes with another
        raise _unreadable_certificate() from None
    if _key_in(certificate) is None:
        raise _unreadable_certificate()
    return certificate


def _key_in(certificate: x509.Certificate) -> CertificatePublicKeyTypes | None:
    """Return the public key in a certificate; None where it is of a kind that nobody knows."""
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None


def _unreadable_certificate() -> Misconfigured:
    return Misconfigured(
        "the certificate cannot be read",
        code="key.certificate_unreadable",
        hint="It must be an X.509 certificate in PEM or DER form, not a bare public key.",
    )
