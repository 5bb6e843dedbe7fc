"""Documents as tests need them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rotator.core.model import Ask, Change, Entry, Identity, KeyFacts, Phase, Reason, Record, Request, Trouble
from rotator.core.outcome import Outcome
from rotator.keypairs import KeyPair
from rotator.secret import Secret
from rotator.vault.codec import TokenDocument

NOON = datetime(2026, 11, 24, 12, 0, 0, 125000, tzinfo=UTC)


def key_pair(name: str = "one") -> KeyPair:
    return KeyPair(Secret(f"-----private {name}-----"), f"-----certificate {name}-----")


def token(text: str = "00Dxx!secret", **changes: Any) -> TokenDocument:
    fields: dict[str, Any] = {
        "access_token": Secret(text),
        "token_type": "Bearer",
        "instance_url": "https://acme.my.salesforce.com",
        "org_id": "00Dxx",
        "username": "integration@acme.example",
        "issued_at": NOON,
        "verified_at": NOON,
        "expires_at": NOON,
        "refresh_after": NOON,
        "api_version": "66.0",
        "key_serial": 3,
        "key_fingerprint": "ab" * 32,
        "sequence": 1,
        "prolongable": True,
    }
    return TokenDocument(**(fields | changes))


def record() -> Record:
    """A record in which every kind of value occurs."""
    return Record(
        phase=Phase.PROVING,
        identity=Identity("00Dxx", "3MVG", "Rotator", ("a@acme.example", "b@acme.example")),
        newest=4,
        current=3,
        keys=(KeyFacts(3, "ab" * 32, NOON, NOON), KeyFacts(4, "cd" * 32, NOON, NOON, leaked=True)),
        change=Change(4, 3, Reason.ROTATION, ("a@acme.example",), NOON, proofs=2, proved_at=NOON),
        busy_until=NOON,
        trouble=(Trouble("change", NOON, "code", "message"),),
        history=(Entry(3, Reason.INIT, Outcome.PROMOTED, NOON, NOON, deployed=True),),
    )


def ask(request_id: str = "r-1") -> Request:
    return Request(request_id, Ask.ADOPT, 0, NOON, "operator")
