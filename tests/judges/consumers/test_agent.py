"""``bao agent`` renders the token document with config/consumers/agent/agent.hcl."""

from __future__ import annotations

import stat
import time

import pytest

from tests.world.examples import TOKEN_PATH, Agent

pytestmark = pytest.mark.judge("bao agent")

INTERVAL_SECONDS = 0.3


@pytest.fixture
def agent(stage, env, tmp_path):
    with Agent(stage, env, tmp_path, interval=f"{INTERVAL_SECONDS}s") as agent:
        until(lambda: agent.reloads)
        yield agent


@pytest.fixture
def published(stage):
    return lambda: stage.vault.request("GET", f"secret/data/{TOKEN_PATH}")["data"]["data"]


def until(holds):
    give_up = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_it_renders_the_whole_document_for_its_owner_alone(agent, published):
    assert agent.document == published()
    assert stat.S_IMODE(agent.file.stat().st_mode) == 0o600


def test_a_new_token_is_rendered_before_the_command_runs(agent, published, renew_session):
    renew_session()
    until(lambda: len(agent.reloads) == 2)
    new = published()
    assert agent.document == new
    assert agent.reloads[-1] == f"try-reload-or-restart my-application.service {new['sequence']}"
    assert stat.S_IMODE(agent.file.stat().st_mode) == 0o600


def test_a_token_that_is_proved_again_is_rendered_and_no_command_runs(agent, published, prove_again):
    before = agent.document
    prove_again()
    until(lambda: agent.document == published())
    assert agent.document["sequence"] > before["sequence"]
    assert agent.document["access_token"] == before["access_token"]
    time.sleep(3 * INTERVAL_SECONDS)
    assert len(agent.reloads) == 1
