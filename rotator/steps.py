"""One step: one decision and at most one effect on the world, for one credential.

A step does no I/O of its own: it yields what it wants done and is sent what came of it. The daemon answers from
the adapters, a simulator in virtual time, an explorer from every possible answer; all drive this same order of
load, intent, effect and outcome.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from rotator.core.effects import Call, Do, Load, Perform, Save, Wait
from rotator.core.machine import decide, settle


def step(name: str) -> Generator[Call, Any, Do | Wait]:
    """Decide and do one thing for a credential; return what was decided.

    The intent is recorded before its effect, the outcome after it: no record, no transition. Whoever drives it
    throws :class:`~rotator.errors.Conflict` in where somebody else wrote first; then the step is over, and the
    next one loads again. After a crash, too, the next step reads the record and goes on.
    """
    snapshot, now = yield Load(name)
    decision = decide(snapshot, now)
    if isinstance(decision, Wait):
        return decision
    record, version = snapshot.record, snapshot.version
    if decision.intent is not None and decision.intent != record:
        record, version = decision.intent, (yield Save(name, decision.intent, version))
    # Only a lease taken for this very effect bounds it: tokens are looked after while somebody else's runs.
    busy_until = record.busy_until if decision.intent is not None else None
    answer = yield Perform(name, decision.action, busy_until)
    after = settle(record, decision.action, answer, snapshot.terms)
    if after != record:
        yield Save(name, after, version)
    return decision
