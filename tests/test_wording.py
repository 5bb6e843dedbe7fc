"""Long lists, fit to stand in a message."""

from __future__ import annotations

import pytest

from rotator.wording import some


@pytest.mark.parametrize(
    ("names", "said"),
    [([], ""), (["a"], "a"), (["a", "b"], "a, b"), (["a", "b", "c"], "a, b and 1 more"), ([*"abcde"], "a, b and 3 more")],
)  # fmt: skip
def test_of_many_names_the_first_are_said_and_how_many_there_are_beyond(names, said):
    assert some(names, 2) == said
