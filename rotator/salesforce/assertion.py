"""The signed assertion of the OAuth 2.0 JWT bearer flow (RFC 7523 section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from rotator.secret import Secret

SHORTEST_SECONDS = 120
LONGEST_SECONDS = 180
"""Salesforce takes an ``exp`` "within 3 minutes" (help, remoteaccess_oauth_jwt_flow)."""
LIFETIME_SECONDS = 150
"""Leaves half a minute for clocks that differ, on either side."""


def sign_assertion(
    *,
    consumer_key: str,
    username: str,
    audience: str,
    private_key: RSAPrivateKey,
    now: datetime,
    lifetime_seconds: int = LIFETIME_SECONDS,
) -> Secret:
    """Return an assertion that is good for one user of one app.

    Args:
        private_key: any that can sign with RSA, also one that asks a server to do it.
        lifetime_seconds: 120 to 180.
    """
    if not SHORTEST_SECONDS <= lifetime_seconds <= LONGEST_SECONDS:
        raise ValueError(f"lifetime_seconds must be {SHORTEST_SECONDS} to {LONGEST_SECONDS}")
    claims = {
        "iss": consumer_key,
        "sub": username,
        "aud": audience,
        "exp": int(now.timestamp())
        + lifetime_seconds,  # an integer: a string or a fraction is refused in places
    }
    return sign_claims(claims, private_key)


def sign_claims(claims: Mapping[str, object], private_key: RSAPrivateKey) -> Secret:
    """Return an assertion that says just this, whether Salesforce likes it or not."""
    return Secret(jwt.encode(dict(claims), private_key, algorithm="RS256"))
