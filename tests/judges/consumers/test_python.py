"""An application of hvac and simple-salesforce: config/consumers/python."""

from __future__ import annotations

import pytest

from tests.world.examples import EXAMPLES, Agent, Program, python_app

pytestmark = [
    pytest.mark.judge("hvac + simple-salesforce"),
    pytest.mark.timeout(300),  # the first test waits for pip
]

THREADS = """
import threading
from salesforce_token import FreshToken, from_vault

token = FreshToken(from_vault("salesforce/acme/tokens/integration@acme.example"))
meet = threading.Barrier(9)

def work():
    client = token.client()
    client.query("SELECT Id FROM Account")
    meet.wait()
    meet.wait()
    client.query("SELECT Id FROM Account")

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
meet.wait()
print("all have called", flush=True)
input()
meet.wait()
for thread in threads:
    thread.join()
print("all have called again", flush=True)
"""
BULK = """
import requests
from salesforce_token import FreshToken

document = {"token_type": "Bearer", "access_token": "new", "refresh_after": "2100-01-01T00:00:00Z"}
request = requests.Request("GET", "https://example.com", headers={"X-SFDC-Session": "old"}).prepare()
print(FreshToken(lambda: document)(request).headers["X-SFDC-Session"])
"""


@pytest.fixture
def app(python, env):
    with python_app(python, env) as app:
        app.wait_for(r"5 accounts, token \d+")
        yield app


@pytest.fixture
def script(python, env):
    return lambda text: Program(python, "-c", text, env={**env, "PYTHONPATH": str(EXAMPLES / "python")})


def test_a_session_that_was_killed_costs_no_call_once_its_successor_is_published(app, renew_session):
    app.freeze()
    killed = app.tokens()[-1]
    renew_session()
    app.wake()
    app.wait_for(f"token (?!{killed}$)")
    assert app.complained == [f"WARNING:salesforce_token:token {killed} was refused, reading again"]


def test_a_dead_token_without_a_successor_is_an_error_after_one_more_reading(app, kill_session):
    kill_session()
    assert app.wait_to_end() == 1
    assert "SalesforceExpiredSession" in "\n".join(app.complained)
    assert sum("reading again" in line for line in app.complained) == 1


def test_many_threads_whose_token_is_refused_read_once(script, renew_session):
    with script(THREADS) as threads:
        threads.wait_for("all have called$")
        renew_session()
        threads.enter()
        threads.wait_for("all have called again")
    assert len(threads.complained) == 1


def test_while_vault_is_sealed_the_token_at_hand_goes_on_serving(python, env, stage):
    with python_app(python, {**env, "READ_AGAIN_SECONDS": "0.2"}) as app:
        app.wait_for(r"5 accounts, token \d+")
        stage.vault.seal()
        try:
            app.wait_for_complaint("the token at hand goes on serving")
            app.wait_for("5 accounts", since=len(app.said))
        finally:
            stage.vault.unseal()
        assert app.runs


def test_it_works_with_a_file_that_the_agent_renders(python, stage, env, tmp_path, renew_session):
    with Agent(stage, env, tmp_path, interval="300ms") as agent:
        agent.wait_for_reloads(1)
        with python_app(python, {**env, "SALESFORCE_TOKEN_FILE": str(agent.file)}) as app:
            app.wait_for("5 accounts")
            app.freeze()
            renew_session()
            agent.wait_for_reloads(2)
            app.wake()
            app.wait_for(f"token {agent.document['sequence']}$")


def test_the_bulk_api_is_given_the_new_token_as_well(script):
    with script(BULK) as bulk:
        bulk.wait_for("^new$")
