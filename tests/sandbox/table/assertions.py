"""Refusals of assertions that are not what they should be: every trick of RFC 8725, and then some."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding

from rotator.sandbox.org.seed import ACME
from tests.sandbox.client import encoded, signed_jwt
from tests.sandbox.table.row import Row

DEPTH = 5_000
LONGEST = 16_384


def part(box, header):
    return f"{encoded(header)}.{encoded(box.claims())}"


def hmac_with(secret):
    """An assertion whose HMAC is made with something that everybody may know."""

    def build(box):
        text = part(box, {"alg": "HS256"})
        return f"{text}.{encoded(hmac.new(secret(box), text.encode(), hashlib.sha256).digest())}"

    return build


def public_key_pem(box):
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return box.old.key.public_key().public_bytes(serialization.Encoding.PEM, kind)


def with_hash(alg, algorithm):
    def build(box):
        text = part(box, {"alg": alg})
        return f"{text}.{encoded(box.old.key.sign(text.encode(), padding.PKCS1v15(), algorithm))}"

    return build


def pss(box):
    text = part(box, {"alg": "PS256"})
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    return f"{text}.{encoded(box.old.key.sign(text.encode(), scheme, hashes.SHA256()))}"


def elliptic(box):
    text = part(box, {"alg": "ES256"})
    key = ec.generate_private_key(ec.SECP256R1())
    return f"{text}.{encoded(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))}"


def edwards(box):
    text = part(box, {"alg": "EdDSA"})
    return f"{text}.{encoded(ed25519.Ed25519PrivateKey.generate().sign(text.encode()))}"


def own_key(**header):
    """Signed with the sender's own key, to which a header points."""
    return lambda box: box.assertion(
        key=box.new.key,
        header={"alg": "RS256"} | {k: v(box) if callable(v) else v for k, v in header.items()},
    )


def jwk(box):
    numbers = box.new.key.public_key().public_numbers()
    return {"kty": "RSA", "e": "AQAB", "n": encoded(numbers.n.to_bytes(256, "big"))}


def signature(change):
    """The right assertion, its signature (bytes) changed."""

    def build(box):
        text, _, tail = box.assertion().rpartition(".")
        return f"{text}.{encoded(change(base64.urlsafe_b64decode(tail + '==')))}"

    return build


def other_spelling(box):
    """The last character of the signature carries bits that mean nothing."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    text = box.assertion()
    return text[:-1] + alphabet[alphabet.index(text[-1]) + 1]


def ordinary_alphabet(box):
    """The signature in base64 with + and /, which it surely has in one of many assertions."""
    made = (box.assertion(jti=str(number)) for number in range(100))
    text = next(text for text in made if set("-_") & set(text.rpartition(".")[2]))
    return text.rpartition(".")[0] + "." + text.rpartition(".")[2].translate(str.maketrans("-_", "+/"))


def header_bytes(content):
    return lambda box: signed_jwt(content, box.claims(), box.old.key)


def claims_bytes(make):
    return lambda box: signed_jwt({"alg": "RS256"}, make(json.dumps(box.claims())), box.old.key)


def twice(name):
    """The claims with a second value for one of them."""
    return claims_bytes(lambda text: f'{{"{name}": "x", {text[1:]}'.encode())


def claims(**changed):
    return lambda box: box.assertion(**changed)


def header(**fields):
    return lambda box: box.assertion(header={"alg": "RS256"} | fields)


def swapped(box):
    head, _, tail = box.assertion().split(".")
    return f"{head}.{encoded(box.claims(sub='reports@acme.example'))}.{tail}"


def as_json(box):
    protected, payload, tail = box.assertion().split(".")
    return json.dumps({"protected": protected, "payload": payload, "signature": tail})


def wrapped(box):
    text = box.assertion()
    return "\r\n".join(text[start : start + 64] for start in range(0, len(text), 64))


def own_token(box):
    """A token of the org itself: a JWT of another kind, with another audience."""
    box.org.set_knobs(jwt_tokens=True)
    return box.token(ACME)


# What is built -> why it is refused. All that is no plain JWS with our claims is one refusal.
SIGNATURES = {
    "alg none, without a signature": (lambda box: part(box, {"alg": "none"}) + ".", "RFC 8725 section 3.2"),
    "alg none, with the right signature": (header(alg="none"), "RFC 8725 section 3.2"),
    "alg nOnE": (header(alg="nOnE"), "RFC 8725 section 3.2"),
    "alg rs256 in small letters": (header(alg="rs256"), "RFC 7515 section 4.1.1"),
    "no alg": (header_bytes(b'{"typ":"JWT"}'), "RFC 7515 section 4.1.1"),
    "an empty header": (header_bytes(b"{}"), "RFC 7515 section 4.1.1"),
    "alg as a list": (header(alg=["RS256"]), "RFC 7515 section 4.1.1"),
    "alg null": (header(alg=None), "RFC 7515 section 4.1.1"),
    "alg twice": (header_bytes(b'{"alg":"none","alg":"RS256"}'), "RFC 7515 section 4"),
    "HS256 with the certificate's PEM as the secret": (hmac_with(lambda box: box.old.pem.encode()), "RFC 8725 section 2.1"),
    "HS256 with the certificate's base64 as the secret": (hmac_with(lambda box: box.old.base64.encode()), "RFC 8725 section 2.1"),
    "HS256 with the certificate's DER as the secret": (
        hmac_with(lambda box: base64.b64decode(box.old.base64)), "RFC 8725 section 2.1",
    ),
    "HS256 with the public key as the secret": (hmac_with(public_key_pem), "RFC 8725 section 2.1"),
    "HS256 with an empty secret": (hmac_with(lambda _box: b""), "RFC 8725 section 2.1"),
    "HS256 in the header, and an RSA signature": (header(alg="HS256"), "RFC 8725 section 3.1"),
    "RS384": (with_hash("RS384", hashes.SHA384()), "help documents RS256 alone"),
    "RS512 that is really RS256": (header(alg="RS512"), "RFC 8725 section 3.1"),
    "RS256 that is really RS512": (with_hash("RS256", hashes.SHA512()), "RFC 8725 section 3.1"),
    "RS256 with SHA-1": (with_hash("RS256", hashes.SHA1()), "RFC 8725 section 3.1"),  # noqa: S303
    "EdDSA": (edwards, "help documents RS256 alone"),
    "a jwk header with the sender's own key": (own_key(jwk=jwk), "RFC 8725 section 3.10"),
    "a jku header that points elsewhere": (own_key(jku="http://127.0.0.1:9/keys"), "RFC 8725 section 3.10"),
    "an x5u header that points elsewhere": (own_key(x5u="http://127.0.0.1:9/cert"), "RFC 8725 section 3.10"),
    "an x5c header with the sender's own certificate": (own_key(x5c=lambda box: [box.new.base64]), "RFC 8725 section 3.10"),
    "an x5t header of the sender's own certificate": (
        own_key(**{"x5t#S256": lambda box: encoded(bytes.fromhex(box.new.fingerprint))}), "RFC 8725 section 3.10",
    ),
    "a kid header that leaves its folder": (own_key(kid="../../../../dev/null"), "RFC 8725 section 3.10"),
    "a kid header that is SQL": (own_key(kid="' UNION SELECT 'x"), "RFC 8725 section 3.10"),
    "a critical header that is unknown": (header(crit=["urn:x"], **{"urn:x": 1}), "RFC 7515 section 4.1.11"),
    "a critical header that is known": (header(crit=["exp"], exp=1), "RFC 7515 section 4.1.11"),
    "an empty list of critical headers": (header(crit=[]), "RFC 7515 section 4.1.11"),
    "an unencoded payload (b64)": (header(b64=False), "RFC 7797 section 3"),
    "an unencoded payload (b64), told as critical": (header(b64=False, crit=["b64"]), "RFC 7797 section 6"),
    "claims swapped under the signature": (swapped, "RFC 8725 section 3.3"),
    "no signature": (lambda box: box.assertion().rpartition(".")[0] + ".", "RFC 8725 section 3.3"),
    "a signature cut short": (signature(lambda content: content[:-3]), "RFC 8725 section 3.3"),
    "a signature with a zero in front": (signature(lambda content: b"\0" + content), "RFC 8017 section 8.2.2"),
    "a signature with bytes behind it": (signature(lambda content: content + b"\0\0\0"), "RFC 8017 section 8.2.2"),
    "a signature of zeros": (signature(lambda content: bytes(len(content))), "RFC 8017 section 8.2.2"),
    "another spelling of the signature": (other_spelling, "RFC 4648 section 3.5"),
    "the signature in ordinary base64": (ordinary_alphabet, "RFC 7515 section 2"),
    "padding": (lambda box: box.assertion() + "==", "RFC 7515 section 2"),
}  # fmt: skip
TEXTS = {
    "everything in ordinary base64": (
        lambda _box: ".".join(base64.b64encode(b"\xff\xfe\xfd").decode() for _ in range(3)), "RFC 7515 section 2",
    ),
    "two parts": (lambda box: box.assertion().rpartition(".")[0], "RFC 7515 section 7.1"),
    "five parts, as of an encrypted JWT": (lambda box: box.assertion() + ".a.b", "RFC 7515 section 7.1"),
    "JWS in JSON": (as_json, "RFC 7519 section 1: compact form alone"),
    "a JWT within the JWT": (
        lambda box: signed_jwt({"alg": "RS256", "cty": "JWT"}, box.assertion().encode(), box.old.key), "RFC 8725 section 3.3",
    ),
    "an access token of the org itself": (own_token, "RFC 8725 section 3.12"),
    "a blank in front": (lambda box: " " + box.assertion(), "RFC 7515 section 2"),
    "a line end behind": (lambda box: box.assertion() + "\n", "RFC 7515 section 2"),
    "lines of 64 characters": (wrapped, "RFC 7515 section 2"),
    "a tab at a dot": (lambda box: box.assertion().replace(".", ".\t", 1), "RFC 7515 section 2"),
    "a header that is no JSON": (header_bytes(b"{alg:RS256}"), "RFC 7515 section 4"),
    "claims in Latin-1": (claims_bytes(lambda text: text.replace("acme", "acmé").encode("latin-1")), "RFC 8725 section 3.7"),
    "claims in UTF-16": (claims_bytes(lambda text: text.encode("utf-16")), "RFC 8725 section 3.7"),
    "claims behind a byte order mark": (claims_bytes(lambda text: b"\xef\xbb\xbf" + text.encode()), "RFC 8259 section 8.1"),
    "claims with text behind them": (claims_bytes(lambda text: text.encode() + b"{}"), "RFC 8259 section 2"),
    "a list for claims": (claims_bytes(lambda text: f"[{text}]".encode()), "RFC 7519 section 4"),
    "claims nested without end": (claims_bytes(lambda _text: b'{"a":' * DEPTH + b"1" + b"}" * DEPTH), "our own limit"),
    "an assertion that is right, but endless": (claims(jti="x" * LONGEST), "our own limit"),
    "an endless text": (lambda _box: "a" * 20_000, "our own limit"),
}  # fmt: skip
CLAIMS = {
    "iss twice": (twice("iss"), "RFC 7519 section 4"),
    "sub twice": (twice("sub"), "RFC 7519 section 4"),
    "aud twice": (twice("aud"), "RFC 7519 section 4"),
    "exp twice": (twice("exp"), "RFC 7519 section 4"),
    "iss missing": (claims(iss=None), "SE 201636: iss, sub, aud, exp are required"),
    "sub missing": (claims(sub=None), "SE 201636: iss, sub, aud, exp are required"),
    "aud missing": (claims(aud=None), "SE 201636: iss, sub, aud, exp are required"),
    "exp missing": (claims(exp=None), "SE 201636: iss, sub, aud, exp are required"),
    "sub empty": (claims(sub=""), "RFC 8725 section 3.8"),
    "sub as a number": (claims(sub=5), "RFC 7519 section 4.1.2"),
    "exp null": (claims_bytes(lambda text: text.replace('"exp": ', '"exp": null, "e": ').encode()), "RFC 7519 section 4.1.4"),
    "exp true": (claims(exp=True), "RFC 7519 section 4.1.4"),
    "exp as prose": (claims(exp="tomorrow"), "RFC 7519 section 4.1.4"),
    "exp with a blank": (claims(exp=" 1793534520"), "RFC 7519 section 4.1.4"),
    "exp in Arabic digits": (claims(exp="١٧٩٣٥٣٤٥٢٠"), "RFC 7519 section 4.1.4"),
    "NaN for exp": (claims(exp=float("nan")), "RFC 8259 section 6"),
    "Infinity for exp": (claims(exp=float("inf")), "RFC 8259 section 6"),
    "exp beyond 64 bits": (claims(exp=2**63), "RFC 7519 section 4.1.4"),
    "exp beyond all floats": (claims(exp=10**400), "RFC 7519 section 4.1.4"),
    "nbf as prose": (claims(nbf="now"), "RFC 7519 section 4.1.5"),
}  # fmt: skip
DOUBTFUL = {
    "RS512": (with_hash("RS512", hashes.SHA512()), "help nc_jwt_claims names it for outbound JWTs; inbound unknown"),
    "PS256": (pss, "help documents RS256 alone; inbound unknown"),
    "ES256": (elliptic, "help documents RS256 alone; inbound unknown"),
    "exp with a fraction": (
        lambda box: box.assertion(exp=box.clock.now.timestamp() + 120.5), "help: integer seconds; RFC 7519 would allow it",
    ),
    "aud as a list": (claims(aud=["https://login.salesforce.com"]), "help: one text; RFC 7519 section 4.1.3 would allow it"),
}  # fmt: skip


def _row(build, source, certainty):
    def send(box):
        return box.post_assertion(build(box))

    return Row(send, 400, "invalid_grant", "invalid assertion", source, certainty)


ASSERTIONS = {
    name: _row(*case, certainty)
    for cases, certainty in ((SIGNATURES, "I"), (TEXTS, "I"), (CLAIMS, "I"), (DOUBTFUL, "D"))
    for name, case in cases.items()
}
