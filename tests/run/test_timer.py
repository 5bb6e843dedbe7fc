"""The timer on the real APScheduler, and a clock that is set."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.base import STATE_STOPPED

from rotator.run.timer import Timer
from rotator.show import logs

OFTEN = timedelta(milliseconds=100)
PATIENCE_SECONDS = 20.0
STILL_SECONDS = 1.0  # long enough for many rounds
HOUR = timedelta(hours=1)


@contextmanager
def ticking():
    """A timer with something that comes round often, and what is set each time it does."""
    rang = threading.Event()
    timer = Timer(lambda _name: None)
    timer.every(OFTEN, rang.set, executor="rounds")
    timer.start()
    try:
        assert rang.wait(PATIENCE_SECONDS)
        yield timer, rang
    finally:
        timer.stop()


@contextmanager
def clock_set_by(span):
    with time_machine.travel(datetime.now(UTC) + span, tick=True):
        yield


def goes_on(rang: threading.Event) -> bool:
    rang.clear()
    return rang.wait(PATIENCE_SECONDS)


def test_apscheduler_alone_stands_still_after_the_clock_was_set_back():
    with ticking() as (_timer, rang), clock_set_by(-HOUR):
        for _ in range(5):  # what was due before may still ring
            rang.clear()
            if not rang.wait(STILL_SECONDS):
                return
        raise AssertionError("it goes on")


@pytest.mark.parametrize("span", [-HOUR, HOUR, timedelta(0)], ids=["back", "forward", "not at all"])
def test_what_comes_round_goes_on_however_the_clock_is_set(span):
    with ticking() as (timer, rang), clock_set_by(span):
        timer.follow_clock()
        assert goes_on(rang)
        assert goes_on(rang)


def test_a_clock_that_is_slewed_a_little_moves_nothing(monkeypatch):
    with ticking() as (timer, _rang), clock_set_by(timedelta(milliseconds=-100)):
        planned = []
        monkeypatch.setattr(timer, "every", lambda *job, **_more: planned.append(job))
        timer.follow_clock()
        assert planned == []


def test_a_stop_in_the_moment_in_which_something_is_fired_is_no_crash(monkeypatch):
    crashed = []
    monkeypatch.setattr(threading, "excepthook", lambda args: crashed.append(args.exc_type))
    timer = Timer(lambda _name: None)
    timer.start()
    scheduler, stopping = timer._scheduler, threading.Thread(target=timer.stop)

    def stop_first(_job, _times):
        stopping.start()
        end = time.monotonic() + PATIENCE_SECONDS
        while scheduler.state != STATE_STOPPED:
            assert time.monotonic() < end
            time.sleep(0.001)

    monkeypatch.setattr(scheduler._executors["default"], "submit_job", stop_first)
    timer.arm("acme", datetime.now(UTC))
    end = time.monotonic() + PATIENCE_SECONDS
    while stopping.ident is None or stopping.is_alive():
        assert time.monotonic() < end
        time.sleep(0.001)
    assert crashed == []


def test_a_time_that_is_left_out_because_the_last_one_is_not_over_is_an_event_of_ours_and_nothing_else():
    began, over = threading.Event(), threading.Event()

    def slow() -> None:
        began.set()
        over.wait(PATIENCE_SECONDS)

    timer = Timer(lambda _name: None)
    timer.every(OFTEN, slow, executor="rounds")
    with logs.capture() as lines:
        timer.start()
        try:
            assert began.wait(PATIENCE_SECONDS)
            end = time.monotonic() + PATIENCE_SECONDS
            while not lines and time.monotonic() < end:
                time.sleep(0.01)
        finally:
            over.set()
            timer.stop()
    assert {(line["event"], line.get("job")) for line in lines} == {("timer.overrun", "every:rounds")}


def test_while_it_runs_a_job_that_is_not_there_is_told():
    with ticking() as (timer, _rang), pytest.raises(JobLookupError):
        timer._scheduler.remove_job("at:nobody")
