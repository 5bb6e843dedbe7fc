"""Where health, metrics and the status page are served."""

from __future__ import annotations

import pytest

from rotator.config import load
from tests.config.conftest import ACME, VAULT, Write

FLEET = VAULT + "credentials:\n" + ACME


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("", ("127.0.0.1", 8791)),
        ("web: {listen: off}", None),
        ("web: {listen: 'off'}", None),
        ("web: {listen: false}", None),
        ("web: {listen: 'localhost:0'}", ("localhost", 0)),
        ("web: {listen: '[::1]:80'}", ("::1", 80)),
        ("web: {listen: '0.0.0.0:8791', token: {file: web-token}}", ("0.0.0.0", 8791)),  # noqa: S104 - with a token
    ],
)
def test_it_is_served_on_loopback_unless_told_otherwise(write: Write, said: str, address: object):
    assert load(write(f"{said}\n{FLEET}")).web.address == address
