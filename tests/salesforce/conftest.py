"""What all tests of the Salesforce client share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from rotator.salesforce.http import Wire, WireSettings
from tests.world.http_fake import HttpFake


@pytest.fixture(scope="session")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def wire() -> Iterator[Wire]:
    with Wire(WireSettings()) as wire:
        yield wire


@pytest.fixture
def fake() -> Iterator[HttpFake]:
    with HttpFake() as fake:
        yield fake
