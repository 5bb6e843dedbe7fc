"""Every reachable state of every world keeps the promises, and finds its way back to steady."""

from __future__ import annotations

import pytest

from rotator.core.model import Phase
from tests.explore.explorer import Explorer
from tests.explore.worlds import worlds

SEEN_BY = {
    "faults": {*Phase} - {Phase.EMPTY},
    "init": {*Phase},
    "two": {*Phase} - {Phase.EMPTY},
}
"""Phases that a world must come through: a world in which nothing happens proves nothing."""


@pytest.mark.parametrize("name", sorted(worlds(), key=lambda name: name != "two"))
def test_no_reachable_state_breaks_a_promise(name, record_property):
    """Invariants 1 to 4, one deploy at a time, leaked keys, requests once, and the way back to steady."""
    report = Explorer(worlds()[name]).run()
    record_property("explored", name)
    record_property("states", report.states)
    record_property("transitions", report.transitions)
    record_property("calm", report.calm)
    assert not report.violation, "\n".join([report.violation, *report.story])
    assert report.phases >= SEEN_BY.get(name, set())
