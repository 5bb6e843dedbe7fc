"""The explorer is worth its time: bugs that are planted in the table are found, with a story that shows them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rotator import steps
from rotator.core import guards, machine, moves, requests, upkeep
from rotator.core.model import Phase
from rotator.core.slot import RESTORING, change_of, kept
from rotator.core.verdicts import Go
from tests.explore.explorer import Explorer
from tests.explore.worlds import worlds


@pytest.fixture
def plant(monkeypatch):
    """Return a function that puts another function in the place of one, in every row that names it."""

    def planted(old, new):
        for table in ("TOKENS", "ROWS"):
            rows = tuple(changed(row, old, new) for row in getattr(machine, table))
            monkeypatch.setattr(machine, table, rows)

    return planted


def changed(row, old, new):
    """Return a row with one function replaced."""
    return replace(
        row,
        guard=new if row.guard is old else row.guard,
        intent=new if row.intent is old else row.intent,
        moves={kind: new if move is old else move for kind, move in row.moves.items()},
    )


def explored(world, **more):
    """Return what breaks in a world and how it came about."""
    report = Explorer(worlds()[world], **more).run()
    return report.violation, "\n".join(report.story)


def test_one_proof_that_is_taken_for_all_of_them_is_found(plant):
    """Half-way through the spreading of a certificate one server takes the key already: that promotes it."""
    plant(moves.counted, lambda record, _a, answer, terms: moves.promote(record, answer.at, terms))
    broken, story = explored("faults")
    assert "current replaced without its proofs" in broken
    assert "wants to prove" in story


def test_a_publisher_that_is_believed_without_proof_is_found(plant):
    """The deploy is reported done, and that alone promotes the key."""
    plant(moves.proving, lambda record, _a, answer, terms: moves.promote(record, answer.at, terms))
    assert "current replaced without its proofs" in explored("faults")[0]


def test_a_restore_that_is_believed_without_proof_is_found(plant):
    """The new key is not taken in time, the old certificate is sent, and the answer OK is taken for the truth."""

    def hasty(record, action, answer, terms):
        if change_of(record).reason in RESTORING:
            return moves.promote(record, answer.at, terms)
        return moves.proving(record, action, answer, terms)

    plant(moves.proving, hasty)
    assert "a restore ended without proofs" in explored("faults")[0]


def test_proofs_that_go_on_counting_after_a_refusal_are_found(plant):
    """A slow server refuses the key between two proofs, and the proofs count as if they came in a row."""
    plant(moves.reset, lambda record, _action, _answer, _terms: record)
    assert "current replaced without its proofs" in explored("faults")[0]


def test_a_proof_that_does_not_ask_whether_the_other_key_is_refused_is_found(monkeypatch):
    """Half of the servers still take the old key, and nobody looks."""
    monkeypatch.setattr(moves, "rival", lambda _record, _target: None)
    assert "current replaced without its proofs" in explored("faults")[0]


def test_a_deploy_without_a_session_that_carries_the_consumers_is_found(monkeypatch):
    """The certificate is replaced although nobody knows whether the published token still works."""
    monkeypatch.setattr(guards, "_carried", lambda *_any: True)
    assert "no live session carries the consumers" in explored("held")[0]


def test_a_token_that_is_minted_with_one_key_alone_during_a_change_is_found(monkeypatch):
    """The sessions died with the swap, and only the old key is tried."""
    monkeypatch.setattr(machine, "signers", lambda record, _terms, _now: (record.current,))
    assert "minted is with (1,)" in explored("swap")[0]


def test_a_deploy_that_is_sent_before_its_intent_is_recorded_is_found(plant):
    """The certificate is sent while the record says that nothing was: after a crash nobody would look for it."""
    plant(machine._lease, None)
    broken, story = explored("faults")
    assert "which the record does not want" in broken
    assert "brought into the org" in story


def test_a_key_that_is_destroyed_before_its_quarantine_is_over_is_found(plant):
    """A deploy that was given up lands late, and the key of its certificate is gone."""

    def hasty(snapshot, _now):
        retired = snapshot.record.retired
        return Go("not needed", retired[0].serial) if retired else None

    plant(guards.disposable, hasty)
    broken, story = explored("late")
    assert "invariant 2" in broken
    assert "wants to destroy key pair" in story


def test_a_quarantine_that_does_not_ask_the_org_is_found(plant):
    """Somebody put the old certificate back, unseen; its time is over, and its key is destroyed."""

    def blind(snapshot, now):
        for retired in snapshot.record.retired:
            if now >= guards.quarantine_ends(snapshot, retired):
                return Go("its time is over", retired.serial)
        return None

    plant(guards.disposable, blind)
    broken, story = explored("reverted")
    assert "invariant 2" in broken
    assert "Somebody puts certificate" in story


def test_a_sender_that_does_not_honour_its_own_lease_is_found():
    """A daemon stalls between intent and effect; the other one goes on; the first wakes up and sends."""
    broken, story = explored("two", honour_lease=False)
    assert "lease: key pair" in broken or "two deploys" in broken
    assert "A minute passes" in story


def test_a_daemon_that_does_not_wait_for_the_lease_of_the_other_is_found(monkeypatch):
    """While one daemon is sending, the other sees nothing in the org and sends as well."""

    def rude(snapshot, now):
        return machine.decide(replace(snapshot, record=replace(snapshot.record, busy_until=None)), now)

    monkeypatch.setattr(steps, "decide", rude)
    broken, story = explored("two")
    assert "two deploys are under way" in broken or "lease: key pair" in broken
    assert "Daemon 2" in story


def test_a_retired_key_that_is_dropped_from_the_record_is_found(plant):
    """After a promotion the record knows the current and the previous key only: the rest is never destroyed."""

    def forgetful(record, action, answer, terms):
        after = moves.counted(record, action, answer, terms)
        if after.phase is not Phase.STEADY:
            return after
        needed = tuple(facts for facts in after.keys if facts.serial in (after.current, after.previous))
        return replace(after, retired=(), keys=needed)

    plant(moves.counted, forgetful)
    assert "no record names them" in explored("faults")[0]


def test_a_previous_key_that_is_destroyed_is_found(plant):
    """A key is kept to go back to, and is destroyed as if it was not."""

    def greedy(snapshot, _now):
        previous = snapshot.record.previous
        return Go("old", previous) if previous is not None and not snapshot.record.shredding else None

    plant(guards.disposable, greedy)
    assert "invariant 2" in explored("faults")[0]


def test_a_request_that_is_answered_twice_is_found(monkeypatch):
    """The record does not remember the request that it answered, so it answers again and again."""
    forget = requests.consider

    def forgetful(snapshot, now):
        return forget(replace(snapshot, record=replace(snapshot.record, answered=None)), now)

    monkeypatch.setattr(machine, "consider", forgetful)
    assert "answered twice" in explored("asks", lively=False)[0]


def test_a_dead_token_that_goes_unrecorded_is_found(plant):
    """The org refuses the published token, nothing is written, and no new one is ever minted."""
    plant(upkeep.session_died, lambda record, _action, _answer, _terms: record)
    broken, story = explored("sessions")
    assert "found dead, and the record does not say so" in broken
    assert "An admin kills the session" in story


def test_a_token_that_nobody_calls_is_found(plant):
    """Tokens are refreshed and never verified: a session that was ended stays published."""
    plant(guards.touch_due, lambda _snapshot, _now: None)
    assert "invariant 1" in explored("sessions", lively=False)[0]


def test_a_lock_out_without_a_way_out_is_found(plant):
    """Somebody put in a certificate whose key we never had: waiting alone does not bring ours back."""
    plant(guards.again_due, lambda _snapshot, _now: None)
    assert "liveness: stays locked_out" in explored("reverted")[0]


def test_a_leaked_key_that_goes_on_signing_is_found(monkeypatch):
    """The leaked key was replaced, and is still among those that tokens are minted with."""
    monkeypatch.setattr(machine, "signers", lambda record, _terms, _now: kept(record))
    assert "are replaced and signed with" in explored("leaked")[0]


def test_a_session_behind_a_leaked_key_that_is_left_alone_is_found(plant):
    """The leaked key is replaced, and whoever holds a token of it goes on using it."""

    def lenient(record, action, answer, terms):
        return replace(moves.counted(record, action, answer, terms), revoke=())

    plant(moves.counted, lenient)
    assert "are not revoked" in explored("leaked")[0]
