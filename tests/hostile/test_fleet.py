"""One daemon, some credentials whose documents are nonsense: each is told of by its name, and the others go on."""

from __future__ import annotations

import copy
from typing import Any

from rotator.core.model import Phase, Record
from tests.world.daemon import Daemon, Journal
from tests.world.lab import ACME

BROKEN: dict[str, tuple[str, dict[str, Any]]] = {
    "bad-record": ("bad-record/record", {"schema": 1}),
    "bad-token": (f"bad-token/tokens/{ACME[0]}", {"schema": 1, "access_token": ["x"]}),
    "bad-key": ("bad-key/keys/1", {"schema": 1, "private_key_pem": "\x1b[31m", "certificate_pem": "none"}),
    "bad-request": ("-/requests/bad-request", {"schema": 1, "request": {"ask": "rm -rf /"}, "payload": []}),
}
"""Credential -> the document of it that is broken, and what it holds."""

TOLD = {
    "bad-record": ("vault.document_unusable", "vault.document.malformed"),
    "bad-token": ("vault.document_unusable", "vault.document.malformed"),
    "bad-key": ("token.refused", "key.unreadable"),
    "bad-request": ("vault.document_unusable", "vault.document.malformed"),
}
"""Credential -> the event that tells of it, and the code of the error."""


def with_broken_ones(said: dict[str, Any]) -> None:
    """Add credentials that are like ``acme``, each with a consumer key of its own."""
    for name in BROKEN:
        like = copy.deepcopy(said["credentials"]["acme"])
        said["credentials"][name] = {**like, "consumer_key": f"3MVG9{name}"}


def test_broken_documents_are_told_by_credential_and_keep_no_other_from_its_time(lab):
    lab.steady()
    for name, (path, data) in BROKEN.items():
        lab.write_key(name, 1, lab.servers.pairs["acme"])
        facts = lab.facts("acme")
        lab.edit_record(name, Record(phase=Phase.STEADY, newest=1, current=1, keys=(facts,)))
        lab.put(path, data)
    journal = Journal()
    with Daemon(lab.configuration(with_broken_ones).file, journal) as daemon:
        daemon.start()
        for name, (event, code) in TOLD.items():
            line = journal.wait_for(event, credential=name, code=code)
            assert line["hint"], line
        mark = journal.mark()
        for name in ("acme", "globex"):
            journal.wait_for("token.published", since=mark, credential=name)
        assert not journal.find("step.failed")
        assert not journal.find("round.failed")
