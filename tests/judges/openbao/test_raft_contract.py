"""What tests/vault demands of every server, of a standby of OpenBao."""

from __future__ import annotations

import inspect

import pytest

from tests.vault import test_documents, test_logins

pytestmark = pytest.mark.judge("OpenBao raft, 3 nodes")


def contract(module):
    """Return the tests of a module that are meant for every server."""
    return {
        name: test
        for name, test in vars(module).items()
        if name.startswith("test_")
        and {"documents", "vault"} & (asked := set(inspect.signature(test).parameters))
        and not {"fake", "real", "bao"} & asked
    }


OF_DOCUMENTS, OF_LOGINS = contract(test_documents), contract(test_logins)
globals().update(OF_DOCUMENTS | OF_LOGINS)


def test_the_suite_of_every_server_is_found():
    assert len(OF_DOCUMENTS) >= 20
    assert len(OF_LOGINS) >= 10
