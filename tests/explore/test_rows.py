"""Nothing in the transition table is there for nothing: every row is reached, and every move, and each one matters."""

from __future__ import annotations

import random

import pytest

from tests.explore.explorer import Explorer
from tests.explore.mutants import AS_IT_IS, catch, fails_core_tests, mutants
from tests.explore.rows import WAYS, watched
from tests.explore.worlds import worlds

TOGETHER = ("faults", "init", "adopt", "adopt_abort", "reverted", "leaked", "called", "held", "gone")
"""Worlds that between them go every way; to go them all takes no more than their first states."""

SAMPLE = sorted(random.Random(4).sample(sorted(mutants()), 5))  # noqa: S311 - no secret
"""Some of the mutants; ``make model-check`` tries all of them."""


def test_every_row_is_reached_and_every_kind_of_answer_that_it_knows():
    with watched() as seen:
        for name in TOGETHER:
            Explorer(worlds()[name], lively=False).run(10_000)
    assert seen == WAYS


@pytest.mark.parametrize("name", SAMPLE)
def test_a_mutant_of_the_table_is_caught(name):
    """A row that is left out, applies always or never, has no intent, or follows another answer's move."""
    assert catch(name)


def test_the_table_as_it_is_passes_the_tests_of_the_core_that_catch_mutants():
    assert not fails_core_tests(AS_IT_IS)
