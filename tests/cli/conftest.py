"""One sandbox for all tests of the commands, and a way to run them."""

from __future__ import annotations

import pytest

from tests.world.commands import Rotator, ready_stage


@pytest.fixture(scope="session")
def stage():
    with ready_stage() as stage:
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
