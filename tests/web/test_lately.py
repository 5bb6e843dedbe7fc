"""However many look, a fleet is gone through once a second."""

from __future__ import annotations

import threading

from rotator.web.lately import Lately
from rotator.web.meter import Meter
from rotator.web.site import Site
from tests.web.conftest import PATIENCE_SECONDS


def test_what_was_made_a_moment_ago_is_given_again_and_what_is_a_second_old_is_not():
    now, made = [0.0], iter(range(9))
    lately = Lately(lambda: next(made), lambda: now[0])
    given = []
    for now[0] in (0.0, 0.5, 0.99, 1.0, 1.9, 2.0):
        given.append(lately.get())
    assert given == [0, 0, 0, 1, 1, 2]


def test_what_takes_longer_to_make_than_it_is_fresh_is_given_to_all_who_waited_for_it():
    now, made = [0.0], []

    def make():
        now[0] += 1.2
        made.append("one")
        return len(made)

    lately = Lately(make, lambda: now[0])
    assert [lately.get() for _ in range(3)] == [1, 1, 1]
    now[0] += 1.0
    assert lately.get() == 2


def test_an_error_is_given_to_whoever_asked_and_to_nobody_after():
    answers = iter([ZeroDivisionError(), "well"])

    def make():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    lately, given = Lately(make, lambda: 0.0), []
    for _ in range(2):
        try:
            given.append(lately.get())
        except ZeroDivisionError:
            given.append("error")
    assert given == ["error", "well"]


def test_those_who_come_together_are_given_the_same():
    began, go_on, made = threading.Event(), threading.Event(), []

    def make():
        began.set()
        assert go_on.wait(PATIENCE_SECONDS)
        made.append("one")
        return len(made)

    lately, given = Lately(make, lambda: 0.0), []
    threads = [threading.Thread(target=lambda: given.append(lately.get())) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert began.wait(PATIENCE_SECONDS)
    go_on.set()
    for thread in threads:
        thread.join()
    assert given == [1] * 4


def test_a_crowd_of_lookers_costs_one_look_for_the_page_and_one_for_the_metrics(fleet):
    looks, now = [], [0.0]

    def look():
        looks.append(now[0])
        return fleet.look()

    site = Site(Meter().registry, steady=lambda: now[0])
    site.look, site.alive = look, fleet.is_alive
    for now[0] in (0.0, 0.4, 0.8):
        for path, query in (("/", ""), ("/", "show=problems"), ("/metrics", "")):
            assert site.answer(asking(path, query)).status == 200
    assert looks == [0.0, 0.0]
    now[0] = 1.0
    site.answer(asking("/metrics"))
    assert looks == [0.0, 0.0, 1.0]


def test_whoever_looks_before_there_is_anything_is_told_so_also_a_moment_after_there_is(fleet):
    now = [0.0]
    site = Site(Meter().registry, steady=lambda: now[0])
    statuses = [site.answer(asking("/")).status]
    site.look, site.alive = fleet.look, fleet.is_alive
    for now[0] in (0.5, 1.0):
        statuses.append(site.answer(asking("/")).status)
    assert statuses == [503, 503, 200]


def asking(path: str, query: str = "") -> dict[str, str]:
    return {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": query, "HTTP_HOST": "localhost"}
