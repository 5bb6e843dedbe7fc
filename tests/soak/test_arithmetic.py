"""The arithmetic behind the verdicts of the soak."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.soak.arithmetic import MOST_POINTS, growth, percentile, slope


@pytest.mark.parametrize("count", [2, 3, MOST_POINTS, MOST_POINTS + 1, 10 * MOST_POINTS])
def test_the_slope_of_a_line_is_found_however_many_points_there_are(count):
    line = [(x, 7 + 0.25 * x) for x in range(count)]
    assert slope(line) == pytest.approx(0.25)
    assert growth(line) == pytest.approx(0.25 * (count - 1))


def test_steps_up_and_down_and_a_fifth_of_wild_points_do_not_hide_or_feign_a_slope():
    chance = random.Random(1)  # noqa: S311 - repeatable
    for rise in (0.0, 3.0):
        points = [(float(x), 1000 + rise * x + chance.uniform(-5, 5)) for x in range(200)]
        for wild in chance.sample(range(200), 40):
            points[wild] = (points[wild][0], chance.uniform(0, 1e6))
        assert slope(points) == pytest.approx(rise, abs=0.5)


def test_what_has_no_two_points_has_no_slope():
    assert slope([]) == growth([]) == slope([(1.0, 2.0)]) == growth([(1.0, 2.0)]) == 0.0
    assert slope([(1.0, 2.0), (1.0, 9.0)]) == 0.0


@given(st.lists(st.floats(0, 1e6), min_size=2), st.integers(1, 99))
def test_a_percentile_lies_between_the_least_and_the_greatest_and_grows_with_the_share(values, percent):
    assert min(values) - 1e-6 <= percentile(values, percent) <= max(values) + 1e-6
    assert percentile(values, 1) <= percentile(values, 99) + 1e-6


def test_percentiles_of_a_hundred_and_one_steps_are_the_steps():
    steps = [float(number) for number in range(101)]
    assert [percentile(steps, share) for share in (1, 50, 99)] == [1.0, 50.0, 99.0]
    assert percentile([], 50) == 0.0
    assert percentile([4.0], 99) == 4.0
