"""The crash matrix finds what it is there to find: ``make crash`` runs the whole of it."""

from __future__ import annotations

import os

import pytest

from tests.crash.paths import PATHS
from tests.crash.run import run
from tests.crash.wire import Point

pytestmark = pytest.mark.timeout(600)

AT = Point.read("before:vault/data/acme/record:steady:1#1")
FORGETFUL = '''\
"""Takes a request away as soon as it is read: whoever is killed before the record tells of it has lost it."""
from rotator.vault.documents import Documents

read = Documents.read_request


def take(self, name):
    waiting = read(self, name)
    if waiting is not None and not waiting.payload:
        self._kv.forget(self._paths.request(name))
    return waiting


Documents.read_request = take
'''


def test_a_daemon_that_takes_requests_away_before_they_are_on_record_is_caught(tmp_path, monkeypatch):
    path = PATHS["pause"]
    undisturbed = run(path)
    assert undisturbed.wrong == []
    killed = run(path, AT, undisturbed.state)
    assert (killed.wrong, killed.missed) == ([], False)

    (tmp_path / "sitecustomize.py").write_text(FORGETFUL)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    assert run(path, wanted=undisturbed.state).wrong == []
    caught = run(path, AT, undisturbed.state, within_seconds=30)
    assert any("the script is not over" in one for one in caught.wrong)
