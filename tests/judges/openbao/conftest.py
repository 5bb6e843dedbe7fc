"""A cluster of three nodes, and the fixtures of tests/vault for it."""

from __future__ import annotations

import pytest

from rotator.vault.documents import Documents
from tests.vault.conftest import RealVault, bao, base, clock, connect, documents, real  # noqa: F401 - fixtures
from tests.vault.test_logins import approle, replace  # noqa: F401 - fixtures
from tests.world.bao import cluster


@pytest.fixture(scope="session")
def nodes(tmp_path_factory):
    with cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def reach(nodes):
    return {"ca_file": nodes.authority.ca_file}


@pytest.fixture
def vault(nodes, tmp_path):
    """What the suite of every server works with: it arranges by the leader, and clients get a standby."""
    return RealVault(nodes, tmp_path)


@pytest.fixture
def connect_to(connect):  # noqa: F811
    """Make documents that are reached through one node, whatever it is at the time."""
    return lambda node: Documents(connect(node, timeout_seconds=2))
