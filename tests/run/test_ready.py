"""The ready queue hands out the most urgent credential whose org has a free slot."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from rotator.run.ready import Ready

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


@pytest.fixture
def ready() -> Ready:
    """Names are `org/name`; two workers an org."""
    return Ready(lambda name: name.split("/")[0], most_per_host=2)


def test_the_most_urgent_goes_first(ready):
    for name, minutes in (("a/late", 30), ("b/soon", 1), ("c/middle", 10)):
        ready.offer(name, at(minutes))
    assert [ready.take() for _ in range(3)] == ["b/soon", "c/middle", "a/late"]


def test_offered_twice_is_handed_out_once_at_its_earlier_time(ready):
    ready.offer("a/one", at(30))
    ready.offer("b/two", at(10))
    ready.offer("a/one", at(5))
    ready.offer("a/one", at(40))
    assert [ready.take(), ready.take()] == ["a/one", "b/two"]
    assert ready.sizes() == (0, 2)


def test_an_org_that_holds_its_workers_does_not_hold_the_others(ready):
    for number in range(4):
        ready.offer(f"hung/{number}", at(0))
    ready.offer("well/one", at(60))
    assert [ready.take() for _ in range(3)] == ["hung/0", "hung/1", "well/one"]


def test_who_waited_for_a_slot_goes_when_one_is_free(ready):
    for number in range(3):
        ready.offer(f"slow/{number}", at(number))
    assert [ready.take(), ready.take()] == ["slow/0", "slow/1"]
    ready.done("slow/0")
    assert ready.take() == "slow/2"


def test_a_credential_is_never_with_two_workers_and_comes_back_afterwards(ready):
    ready.offer("a/one", at(0))
    assert ready.take() == "a/one"
    ready.offer("a/one", at(1))
    assert ready.sizes() == (0, 1)
    ready.done("a/one")
    assert ready.take() == "a/one"


def test_a_worker_that_waits_is_woken_by_an_offer_and_by_the_end(ready):
    taken: list[str | None] = []
    worker = threading.Thread(target=lambda: taken.extend([ready.take(), ready.take()]))
    worker.start()
    ready.offer("a/one", at(0))
    ready.offer("b/two", at(0))
    worker.join(5)
    assert sorted(map(str, taken)) == ["a/one", "b/two"]
    other = threading.Thread(target=lambda: taken.append(ready.take()))
    other.start()
    ready.close()
    other.join(5)
    assert taken[-1] is None


def test_many_workers_hand_out_everything_exactly_once_at_a_time():
    ready = Ready(lambda _name: "org", most_per_host=3)
    inside: set[str] = set()
    wrong: list[str] = []
    count = threading.Semaphore(0)
    lock = threading.Lock()

    def work() -> None:
        while (name := ready.take()) is not None:
            with lock:
                if name in inside or len(inside) >= 3:
                    wrong.append(name)
                inside.add(name)
            with lock:
                inside.discard(name)
            ready.done(name)
            count.release()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for number in range(300):
        ready.offer(f"c{number % 50}-{number}", at(number % 7))
    for _ in range(300):
        assert count.acquire(timeout=10)
    ready.close()
    for thread in threads:
        thread.join(5)
    assert wrong == []
    assert ready.sizes() == (0, 0)


def test_a_slot_is_given_back_to_the_org_from_which_it_was_taken():
    """The settings of a credential may change while a worker has it."""
    orgs = {"one": "before"}
    ready = Ready(lambda name: orgs[name], most_per_host=1)
    ready.offer("one", at(0))
    assert ready.take() == "one"
    orgs |= {"one": "after", "two": "before"}
    ready.done("one")
    ready.offer("two", at(0))
    assert ready.take(wait=False) == "two"


def test_more_slots_count_at_once_for_those_who_waited_for_one(ready):
    for name in ("a/one", "a/two", "a/three"):
        ready.offer(name, at(0))
    assert [ready.take(wait=False) for _ in range(3)] == ["a/one", "a/two", None]
    ready.most_per_host = 3
    ready.wake()
    assert ready.take(wait=False) == "a/three"


def test_who_is_not_wanted_any_more_gets_nothing(ready):
    ready.offer("a/one", at(0))
    assert ready.take(wanted=lambda: False) is None
    assert ready.take() == "a/one"
