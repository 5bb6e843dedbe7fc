"""Reads and verifies JWT bearer assertions (RFC 7519, RFC 7523) without mercy (RFC 8725)."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rotator.sandbox.org.certificates import Certificate

_SEGMENTS = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_LONGEST = 16_384
_LATEST = 2**63 - 1


class BadAssertion(Exception):
    """Not an assertion that could ever be accepted."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """An assertion taken apart. Nothing in it is trusted before `signed_by` says yes."""

    header: dict[str, Any]
    issuer: str
    subject: str
    audience: str
    expires: int
    """Unix time in seconds, whatever the sender took it for."""
    not_before: int | None
    signed: bytes
    signature: bytes

    def signed_by(self, certificate: Certificate) -> bool:
        # The algorithm is ours to choose, not the sender's (RFC 8725, section 3.1). Keys that the
        # header offers (jwk, jku, x5c) are never looked at.
        return self.header["alg"] == "RS256" and certificate.verifies(self.signature, self.signed)


def read_assertion(text: str) -> Assertion:
    """Take an assertion apart. Raises BadAssertion for whatever is not plain JWS compact form with our claims."""
    found = _SEGMENTS.fullmatch(text) if len(text) <= _LONGEST else None
    if not found:
        raise BadAssertion
    header, claims = _object(_decode(found[1])), _object(_decode(found[2]))
    if not isinstance(header.get("alg"), str) or "crit" in header or header.get("b64") is False:
        raise BadAssertion
    names = [claims.get(name) for name in ("iss", "sub", "aud")]
    if not all(isinstance(name, str) and name for name in names):
        raise BadAssertion
    return Assertion(
        header, str(names[0]), str(names[1]), str(names[2]),
        _seconds(claims.get("exp")), _seconds(claims["nbf"]) if "nbf" in claims else None,
        f"{found[1]}.{found[2]}".encode("ascii"), _decode(found[3]),
    )  # fmt: skip


def _decode(segment: str) -> bytes:
    try:
        content = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except ValueError:
        raise BadAssertion from None
    # Two spellings of one text are one too many: refuse stray bits in the last character.
    if base64.urlsafe_b64encode(content).rstrip(b"=") != segment.encode("ascii"):
        raise BadAssertion
    return content


def _object(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content.decode("utf-8"), object_pairs_hook=_no_twins, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise BadAssertion from None
    if not isinstance(value, dict):
        raise BadAssertion
    return value


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise BadAssertion
    return dict(pairs)


def _no_constant(_name: str) -> Any:
    raise BadAssertion


def _seconds(value: object) -> int:
    """A time: whole seconds, or (as simple-salesforce sends them) their digits in a string."""
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _LATEST:
        raise BadAssertion
    return value
