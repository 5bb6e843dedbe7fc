"""An application of hvac and simple-salesforce: config/consumers/python."""

from __future__ import annotations

import re

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

REDIRECT = """
import http.server
import threading
import requests
from salesforce_token import FreshToken

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.headers["Host"].partition(":")[0], self.headers["Authorization"], flush=True)
        here = self.headers["Host"].startswith("127.0.0.1")
        self.send_response(302 if here else 401)
        self.send_header("Location", f"http://localhost:{self.server.server_port}/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

document = {"token_type": "Bearer", "access_token": "ours", "refresh_after": "2100-01-01T00:00:00Z", "sequence": 1}
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
answer = requests.get(f"http://127.0.0.1:{server.server_port}/", auth=FreshToken(lambda: document))
print("answered", answer.status_code, flush=True)
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


@pytest.mark.parametrize(
    ("netrc", "sent"),
    [("", "None"), ("machine localhost login its password own", "Basic aXRzOm93bg==")],
    ids=["unknown host", "host with a password in netrc"],
)
def test_a_host_to_which_a_call_is_redirected_is_never_given_the_token(python, env, tmp_path, netrc, sent):
    (tmp_path / "netrc").write_text(netrc)
    more = {"PYTHONPATH": str(EXAMPLES / "python"), "NETRC": str(tmp_path / "netrc")}
    with Program(python, "-c", REDIRECT, env={**env, **more}) as call:
        assert call.wait_to_end() == 0, call.complained
    assert call.said == ["127.0.0.1 Bearer ours", f"localhost {sent}", "answered 401"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"VAULT_ADDR": "http://127.0.0.1:1"}, "ConnectionError: .*Connection refused"),
        ({"VAULT_ROLE_ID": "nobody"}, "InvalidRequest: "),
        ({"SALESFORCE_TOKEN_PATH": "salesforce/acme/tokens/nobody"}, "Forbidden: .*permission denied"),
    ],
    ids=["no Vault", "unknown role", "forbidden path"],
)
def test_a_first_failure_is_told_in_one_line(python, env, change, told):
    with python_app(python, {**env, **change}) as app:
        assert app.wait_to_end() == 1
    assert len(app.complained) == 1
    assert re.match(told, app.complained[0])
