"""An application of jsforce: config/consumers/node."""

from __future__ import annotations

import json
import re

import pytest

from tests.judges.tools import NODE_MODULES, ROOT, run
from tests.world.examples import EXAMPLES, Agent, adapt, node_app

pytestmark = pytest.mark.judge("jsforce")


@pytest.fixture
def start(node, env, tmp_path):
    return lambda **more: node_app(node.node, NODE_MODULES, {**env, **more}, tmp_path / "node")


@pytest.fixture
def app(start):
    with start() as app:
        app.wait_for("5 accounts")
        yield app


def test_a_session_that_was_killed_costs_no_call_once_its_successor_is_published(app, renew_session):
    app.freeze()
    killed = app.tokens()[-1]
    renew_session()
    app.wake()
    app.wait_for(f"token (?!{killed}$)")
    assert app.complained == [f"token {killed} was refused, reading again"]


def test_a_dead_token_without_a_successor_is_an_error_and_no_endless_loop(app, kill_session):
    kill_session()
    assert app.wait_to_end() == 1
    assert "INVALID_SESSION_ID, and no newer token is published" in "\n".join(app.complained)
    assert sum("reading again" in line for line in app.complained) == 2


def test_while_vault_is_sealed_the_token_at_hand_goes_on_serving(start, stage):
    with start(READ_AGAIN_SECONDS="0.2") as app:
        app.wait_for("5 accounts")
        stage.vault.seal()
        try:
            app.wait_for_complaint("the token at hand goes on serving: Vault answered 503")
            app.wait_for("5 accounts", since=len(app.said))
        finally:
            stage.vault.unseal()
        assert app.runs


def test_it_works_with_a_file_that_the_agent_renders(start, stage, env, tmp_path, renew_session):
    with Agent(stage, env, tmp_path, interval="300ms") as agent:
        agent.wait_for_reloads(1)
        with start(SALESFORCE_TOKEN_FILE=str(agent.file)) as app:
            app.wait_for("5 accounts")
            app.freeze()
            renew_session()
            agent.wait_for_reloads(2)
            app.wake()
            app.wait_for(f"token {agent.document['sequence']}$")


def test_its_lock_pins_by_hash_what_is_judged_here_and_names_no_address_of_a_registry():
    ours = json.loads((EXAMPLES / "node/package-lock.json").read_text())["packages"]
    judged = json.loads((ROOT / "tests/judges/node/package-lock.json").read_text())["packages"]
    jsforce = "node_modules/jsforce"
    assert ours[jsforce] == judged[jsforce]
    assert all(package["integrity"] for path, package in ours.items() if path)
    assert not any("resolved" in package for package in ours.values())


def test_an_old_node_is_told_at_the_installation(tmp_path):
    """Any Node is old when the example asks for one of the far future."""
    wanted = re.search(r">=[\d.]+", (EXAMPLES / "node/package.json").read_text())[0]
    for name in ("package.json", "package-lock.json"):
        adapt(f"node/{name}", tmp_path, {f'"{wanted}"': '">=999"'})
    adapt("node/.npmrc", tmp_path, {})
    done = run("npm", "ci", "--dry-run", "--offline", env={"HOME": str(tmp_path)}, cwd=tmp_path)
    assert done.returncode == 1
    assert 'Required: {"node":">=999"}' in done.stderr
