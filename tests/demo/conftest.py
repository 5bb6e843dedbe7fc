"""A stage without a daemon, and somebody to whom the story is told."""

from __future__ import annotations

import io
import threading
import time
from dataclasses import replace

import pytest

from rotator.app import application
from rotator.config import load
from rotator.demo.daemon import Daemon
from rotator.demo.policies import sandbox_policies
from rotator.demo.scene import Scene
from rotator.demo.tellers import PlainTeller
from rotator.sandbox.lifetimes import DEMO
from rotator.sandbox.stage import Stage


@pytest.fixture
def stage():
    with Stage(sandbox_policies(), replace(DEMO, proofs=2, proof_span_seconds=0)) as stage:
        yield stage


@pytest.fixture
def told():
    return io.StringIO()


@pytest.fixture
def scene(stage, told, tmp_path):
    """Nobody works here: the daemon is not started, and there are no consumers."""
    with application(load(stage.config), stage.operator_token_file) as operator:
        now = time.monotonic()
        daemon = Daemon(stage.config, tmp_path / "log")
        yield Scene(
            stage, daemon, operator, [], PlainTeller(told), threading.Event(), began=now, ends_at=now + 30
        )
        daemon.stop()
