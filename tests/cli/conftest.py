"""One sandbox for all tests of the commands, and a way to run them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rotator.app import application
from rotator.config import load
from rotator.demo.policies import sandbox_policies
from rotator.run.ask import acquaint
from rotator.run.once import run_to_rest
from rotator.sandbox.lifetimes import SANDBOX
from rotator.sandbox.stage import Stage
from tests.world.commands import Rotator

# Nothing comes due by itself, and changes take a second.
LIVES = replace(
    SANDBOX,
    first_due_seconds=3600,
    certificate_seconds=7200,
    proofs=2,
    proof_span_seconds=0.2,
    proof_retry_seconds=0.1,
    proof_deadline_seconds=3,
    slow_servers_seconds=3,
    backoff_seconds=1,
    poll_seconds=0.1,
    retry_seconds=0.1,
    reconcile_seconds=0.2,
    propagation_seconds=0,
    deploy_seconds=0,
)


@pytest.fixture(scope="session")
def stage():
    with Stage(sandbox_policies(), LIVES) as stage:
        with application(load(stage.config)) as app:
            acquaint(app)
            assert run_to_rest(app) == []
        yield stage


@pytest.fixture(scope="session")
def rotator(stage):
    return Rotator(stage)


@pytest.fixture
def knobs(stage):
    """Turns knobs of the org, and turns them back."""
    before = stage.control.knobs()
    yield stage.control.knobs
    stage.control.knobs(**{name: value for name, value in before.items() if name != "seed"})
