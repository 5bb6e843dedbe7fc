"""Where health, metrics and the status page are served."""

from __future__ import annotations

import pytest

from rotator.config import load
from tests.config.conftest import ACME, VAULT, Write

FLEET = VAULT + "credentials:\n" + ACME
TOKEN, TLS = "token: {file: web-token}", "tls: {certificate: web.pem, key: web.key}"


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("", ("127.0.0.1", 8791)),
        ("web: {listen: off}", None),
        ("web: {listen: 'off'}", None),
        ("web: {listen: false}", None),
        ("web: {listen: 'localhost:0'}", ("localhost", 0)),
        ("web: {listen: '[::1]:80'}", ("::1", 80)),
        ("web: {listen: '[::1]:80', plain_http: true}", ("::1", 80)),
        (f"web: {{listen: 'rotator.example:8791', {TOKEN}, {TLS}}}", ("rotator.example", 8791)),
        (f"web: {{listen: 'rotator.example:8791', {TOKEN}, plain_http: true}}", ("rotator.example", 8791)),
    ],
)
def test_it_is_served_on_loopback_unless_told_otherwise(write: Write, said: str, address: object):
    assert load(write(f"{said}\n{FLEET}")).web.address == address
