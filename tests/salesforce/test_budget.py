"""The login budget."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from rotator.errors import Transient
from rotator.salesforce.budget import LoginBudget


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def spent(budget: LoginBudget, user: str = "a@acme.example") -> int:
    """Spend all there is, and return how much it was."""
    count = 0
    while True:
        try:
            budget.spend(user)
        except Transient:
            return count
        count += 1


def test_an_hour_never_sees_half_of_what_salesforce_takes() -> None:
    clock = Clock()
    budget = LoginBudget(clock=clock)
    total = spent(budget)
    for _ in range(3600):
        clock.seconds += 1
        total += spent(budget)
    assert 1200 <= total <= 1800


def test_an_empty_budget_says_when_the_next_login_is_there() -> None:
    clock = Clock()
    budget = LoginBudget(per_hour=60, burst=2, clock=clock)
    assert spent(budget) == 2
    clock.seconds += 15
    with pytest.raises(Transient) as caught:
        budget.spend("a@acme.example")
    assert caught.value.code == "salesforce.login_budget"
    assert caught.value.retry_after_seconds == pytest.approx(45)
    clock.seconds += 45
    assert spent(budget) == 1


def test_a_user_that_rests_saves_no_more_than_the_burst() -> None:
    clock = Clock()
    budget = LoginBudget(burst=5, clock=clock)
    assert spent(budget) == 5
    clock.seconds += 1e6
    assert spent(budget) == 5


def test_each_user_has_a_budget_of_its_own_however_it_is_written() -> None:
    budget = LoginBudget(burst=3, clock=Clock())
    assert spent(budget, "a@acme.example") == 3
    assert spent(budget, "A@Acme.example") == 0
    assert spent(budget, "b@acme.example") == 3


def test_threads_cannot_spend_a_login_twice() -> None:
    budget = LoginBudget(burst=20_000, clock=Clock())
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(lambda _: spent(budget), range(8))) == 20_000
    finally:
        sys.setswitchinterval(before)
