"""What nonsense once did that no reader by itself shows: it was kept, and did harm later."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from rotator.core.model import Ask, Phase, Record, Request
from rotator.secret import Secret
from rotator.vault.client import VaultClient
from rotator.vault.codec import REQUEST, RequestDocument
from rotator.vault.settings import Token, VaultSettings
from tests.hostile.targets import example
from tests.world.http_fake import Answer, HttpFake
from tests.world.lab import Hand


@pytest.mark.parametrize(
    ("header", "sent_back"),
    [
        ("X-Vault-Index: abc\r\n", "abc"),
        ("X-Vault-Index: a\r\n b\r\n", None),
        (f"X-Vault-Index: {'a' * 5000}\r\n", None),
    ],
)
def test_a_consistency_index_that_can_not_be_sent_back_is_not_kept(header, sent_back):
    raw = f"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n{header}\r\n{{}}".encode()
    with HttpFake(Answer(raw=raw)) as server:
        client = VaultClient(VaultSettings(f"http://127.0.0.1:{server.port}", Token(Path("none"))))
        client.health()
        client.health()
        client.close()
        assert server.requests[1].headers.get("X-Vault-Index") == sent_back


def test_no_cookie_is_kept_of_what_answers_as_vault():
    with HttpFake(Answer(body={}, headers={"Set-Cookie": "a=b; Path=/"})) as server:
        client = VaultClient(VaultSettings(f"http://127.0.0.1:{server.port}", Token(Path("none"))))
        client.health()
        client.health()
        client.close()
        assert "Cookie" not in server.requests[1].headers


def test_a_key_that_a_request_brings_is_not_decrypted_by_the_daemon(lab):
    """How long that takes the key itself says, and the interpreter stands still meanwhile."""
    lab.edit_record("acme", Record())
    payload = {
        "key": Secret(example("private_key", "encrypted.pem").decode()),
        "certificate": Secret(example("certificate", "own.pem").decode()),
        "passphrase": Secret("open sesame"),
    }
    request = Request("r-1", Ask.ADOPT, 0, datetime.now(UTC), "tester")
    lab.put("-/requests/acme", REQUEST.encode(RequestDocument(request, payload)))
    with lab.application() as app:
        acme = Hand(app, "acme")
        app.driver.look_for_request(acme.station)
        acme.until_wait()
        assert acme.record.phase is Phase.EMPTY
        assert "is encrypted" in acme.record.history[-1].message
