"""Consumers count what they do not get."""

from __future__ import annotations

import time

import pytest

from rotator.app import application
from rotator.config import load
from rotator.demo.consumers import Consumer
from rotator.run.once import run_to_rest

USER = "integration@globex.example"


@pytest.fixture
def consumer(stage):
    consumer = Consumer(
        stage.vault.address, stage.consumer_token_file("globex"), ("globex", USER), lag_seconds=0.2
    )
    consumer.start()
    yield consumer
    consumer.stop()


def until(condition):
    give_up = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_a_consumer_waits_for_its_first_token_and_calls_the_org_with_it(stage, consumer):
    with application(load(stage.config)) as app:
        run_to_rest(app, ["globex"])
    until(lambda: consumer.calls >= 3)
    assert consumer.failed == 0
    assert consumer.held.key_serial == 1


def test_a_call_that_does_not_bring_the_accounts_counts_as_failed(stage, consumer):
    with application(load(stage.config)) as app:
        run_to_rest(app, ["globex"])
    until(lambda: consumer.calls)
    stage.control.kill_sessions(USER)
    until(lambda: consumer.failed)
    assert "401" in consumer.failures[0]
    assert "INVALID_SESSION_ID" in consumer.failures[0]


def test_a_call_without_an_answer_counts_as_failed(stage, consumer):
    with application(load(stage.config)) as app:
        run_to_rest(app, ["globex"])
    until(lambda: consumer.calls)
    stage.org.stop()
    until(lambda: consumer.failed)
