"""The workers come and go."""

from __future__ import annotations

import threading

import pytest

from rotator.run.crew import Crew
from rotator.run.ready import Ready


def test_a_thread_that_cannot_be_started_is_no_worker_and_is_tried_again(monkeypatch):
    ready = Ready(lambda _name: "", 1)
    crew = Crew(ready, lambda _name: None)

    def none_left(_thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        with pytest.raises(RuntimeError):
            crew.resize(2)
    assert (crew.threads, crew.whole()) == ([], True)
    crew.resize(2)
    assert (len(crew.threads), crew.whole()) == (2, True)
    ready.close()
    assert crew.join(20)
