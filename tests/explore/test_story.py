"""A promise that is broken is told in sentences, by a shortest way: who did what, what was answered, what is recorded."""

from __future__ import annotations

from rotator.core import moves
from tests.explore.explorer import Explorer
from tests.explore.worlds import worlds

TOLD = [
    "Daemon 1 decides: key pair 1 is due since 2026-01-01 00:00Z. It records that. The record: creating, current 1, rotation to 2.",
    "Daemon 1 wants to make key pair 2 and write it to Vault (key pair 2 is to be written): done. The record: staged, current 1, rotation to 2.",
    "Daemon 1 wants to have the deploy of certificate 2 validated (the deploy of key pair 2 is to be validated): done.",
    "Daemon 1 is about to have certificate 2 brought into the org: the certificate of key pair 2 is to be brought into the org (rotation). The record: deploying, current 1, rotation to 2.",
    "Daemon 1 wants to have certificate 2 brought into the org: done. The record: proving, current 1, rotation to 2.",
    "Daemon 1 wants to prove as ann that the org takes key pair 2 (proof 1 of key pair 2): done. The record: proving, current 1, rotation to 2, proofs: 1.",
    "A minute passes.",
    "Daemon 1 wants to prove as ann that the org takes key pair 2 (proof 2 of key pair 2): done.",
    "That breaks invariant 4: current replaced without its proofs.",
]


def test_a_counterexample_is_told_in_sentences(monkeypatch):
    """The old key is not among those that a proof must see refused: half of the servers may still take it."""
    monkeypatch.setattr(moves, "rival", lambda _record, _target: None)
    report = Explorer(worlds()["faults"]).run()
    assert report.violation == "invariant 4: current replaced without its proofs"
    assert report.story == TOLD
