"""An org with a clock of our own."""

from __future__ import annotations

import pytest

from rotator.sandbox.org.seed import ACME, DEPLOYER, GLOBEX, seed_org
from tests.sandbox.client import FakeClock, Pair, Sandbox


@pytest.fixture(scope="session")
def old():
    return Pair("old")


@pytest.fixture(scope="session")
def new():
    return Pair("new")


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def org(clock, old):
    return seed_org({ACME: old.pem, GLOBEX: old.pem, DEPLOYER: old.pem}, clock_source=clock)


@pytest.fixture
def sandbox(org, clock, old, new):
    return Sandbox(org, clock, old, new)
