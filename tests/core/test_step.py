"""One step: load, decide, record the intent, act, record the outcome - in this order and no other."""

from __future__ import annotations

import pytest

from rotator.core import slot
from rotator.core.effects import Deploy, Load, Mint, Nothing, Perform, Save, Wait
from rotator.core.model import Phase, Record
from rotator.core.moves import give_up, lose
from rotator.errors import Conflict
from rotator.steps import step
from tests.core.given import MINUTE, NOW, TERMS, answer, changing, key, snapshot, steady, token

STAGED = changing(Phase.STAGED, validated=True)


def begun(record, **more):
    steps = step("acme")
    assert next(steps) == Load("acme")
    return steps, steps.send((snapshot(record, **more), NOW))


def end(steps, said):
    with pytest.raises(StopIteration) as stop:
        steps.send(said)
    return stop.value.value


def test_a_deploy_is_recorded_before_it_is_sent_and_settled_after_it():
    steps, save = begun(STAGED)
    assert isinstance(save, Save)
    assert (save.name, save.record.phase, save.version) == ("acme", Phase.DEPLOYING, 9)
    perform = steps.send(10)
    assert perform == Perform("acme", Deploy(3, by_hand=False), NOW + TERMS.lease)
    settled = steps.send(answer("pending", ticket="0Af"))
    assert (settled.name, settled.record.change.ticket, settled.version) == ("acme", "0Af", 10)
    assert end(steps, 11).action == perform.action


def test_a_conflict_at_the_intent_ends_the_step_before_anything_is_sent():
    steps, _save = begun(STAGED)
    with pytest.raises(Conflict):
        steps.throw(Conflict("somebody else wrote first", code="some.code", hint="Mend it."))


def test_what_needs_no_intent_is_done_without_a_write():
    steps, perform = begun(steady(), tokens=())
    assert perform == Perform("acme", Mint("ann", (2,)), None)
    assert end(steps, answer("ok", serial=2)).action == perform.action


def test_the_lease_of_another_deploy_does_not_bound_a_token():
    busy = changing(Phase.DEPLOYING, asked=1, busy_until=NOW + MINUTE)
    _steps, perform = begun(busy, tokens=(token(verified_at=NOW - 60 * MINUTE),))
    assert perform.busy_until is None


def test_an_intent_alone_is_one_write():
    steps, save = begun(steady(doubts=3))
    assert save.record.phase is Phase.LOCKED_OUT
    assert steps.send(10) == Perform("acme", Nothing(), None)
    assert end(steps, answer("ok")).action == Nothing()


def test_a_wait_ends_the_step_at_once():
    steps = step("acme")
    next(steps)
    assert isinstance(end(steps, (snapshot(steady()), NOW)), Wait)


class TestSlot:
    def test_the_likeliest_key_comes_first(self):
        assert slot.kept(changing(Phase.PROVING)) == (3, 2, 1)

    def test_what_is_being_destroyed_is_not_kept(self):
        assert slot.kept(steady(shredding=1)) == (2,)

    def test_of_a_record_without_a_change_there_is_none_to_move(self):
        with pytest.raises(ValueError, match="holds no change"):
            give_up(steady(), TERMS, NOW)

    def test_without_a_current_key_there_is_none_to_lose(self):
        with pytest.raises(ValueError, match="only a current key"):
            lose(Record(keys=(key(1),)), TERMS, NOW)
