"""The rule of config/consumers/README.md: for how long an old token outlives its successor's publication.

Tokens in JWT format are the hard case: each refresh brings another one, and nothing prolongs the old. All times of the
rule are shortened by one factor, and three rotations go through meanwhile. Consumers are the examples themselves, and
one that reads as often as an operator of Kubernetes does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import pytest

from rotator.sandbox.org.seed import ACME
from tests.judges.tools import NODE_MODULES
from tests.world.commands import Rotator
from tests.world.consumer import Consumer
from tests.world.examples import USER, Agent, Program, environment, node_app, python_app, run_query
from tests.world.rude import CALM
from tests.world.site import FAST, Site, site

pytestmark = pytest.mark.timeout(300)  # the first test waits for all of it

SHORTER = 300


def shortened(*, hours: float = 0, minutes: float = 0) -> float:
    """Return the seconds that a time takes here."""
    return (hours * 60 + minutes) * 60 / SHORTER


LIFE = shortened(hours=2)
LIVES = replace(
    FAST,
    session_timeout_seconds=LIFE,
    refresh_seconds=shortened(minutes=30),
    verify_seconds=shortened(minutes=10),
    consumer_lag_seconds=shortened(minutes=5),
    proof_span_seconds=shortened(minutes=10),
    proof_deadline_seconds=shortened(minutes=30),
    deploy_deadline_seconds=shortened(minutes=15),
    slow_servers_seconds=shortened(minutes=30),
    read_timeout_seconds=1.5,
    lease_seconds=5.5,
)
AGENT, OPERATOR, TOO_SELDOM = shortened(minutes=5), shortened(hours=1), shortened(hours=2.5)
PAUSE = shortened(minutes=0.5)
LASTS = TOO_SELDOM + 2
ROTATIONS = 3


class ReadsAtReload(Consumer):
    """Holds what the agent's file said when its command ran last."""

    def __init__(self, agent: Agent, site: Site) -> None:
        super().__init__(site.stage.vault.address, "", "acme", USER)
        self._agent, self._reloads = agent, 0

    def _is_due(self) -> bool:
        return len(self._agent.reloads) > self._reloads

    def _read(self) -> None:
        self._reloads = len(self._agent.reloads)
        self._document = self._agent.document
        self.serials.add(self._document["key_serial"])


@dataclass
class Seen:
    """What became of the consumers of one run."""

    python: Program
    node: Program
    curl: list[Any]
    at_reload: Consumer
    hourly: Consumer
    too_seldom: Consumer
    site: Site


def expect_jwt_tokens(said: dict[str, Any], lag_seconds: float = OPERATOR) -> None:
    """Let rotator know what the app of acme issues, and how late its consumers may be."""
    said["credentials"]["acme"]["session"] = {"format": "jwt", "consumer_lag": f"{lag_seconds:.0f}s"}


def issue_jwt_tokens(here: Site) -> None:
    root = here.stage.org.org.app(ACME).documents["ExtlClntAppGlobalOauthSettings"].root
    setting = root.makeelement("isNamedUserJwtEnabled", {})
    setting.text = "true"
    root.append(setting)
    here.stage.control.knobs(jwt_timeout_seconds=LIFE)


@pytest.fixture(scope="module")
def seen(tls, python, node, tmp_path_factory) -> Iterator[Seen]:
    folder = tmp_path_factory.mktemp("overlap")
    with (
        pytest.MonkeyPatch.context() as patch,
        site(LIVES, edit=expect_jwt_tokens, tls=tls, adopt=False, weather=CALM) as here,
        ExitStack() as ending,
    ):
        patch.setenv("REQUESTS_CA_BUNDLE", str(tls.authority))
        issue_jwt_tokens(here)
        here.adopt()
        env = environment(here.stage, folder, tls) | {"READ_AGAIN_SECONDS": str(PAUSE)}
        token = here.stage.consumer_token_file("acme").read_text()

        def reads_every(seconds: float) -> Consumer:
            return Consumer(here.stage.vault.address, token, "acme", USER, read_every_seconds=seconds)

        agent = ending.enter_context(Agent(here.stage, env, folder, interval=f"{AGENT}s"))
        seen = Seen(
            ending.enter_context(python_app(python, env)),
            ending.enter_context(node_app(node.node, NODE_MODULES, env, folder / "node")),
            [],
            ending.enter_context(ReadsAtReload(agent, here)),
            ending.enter_context(reads_every(OPERATOR)),
            ending.enter_context(reads_every(TOO_SELDOM)),
            here,
        )
        ends = time.monotonic() + LASTS
        for left in range(ROTATIONS, 0, -1):
            seen.site.rotate("acme")
            pause = (ends - time.monotonic()) / left
            until = time.monotonic() + max(pause, 0)
            while time.monotonic() < until:
                seen.curl.append(run_query(env, "SELECT Id FROM Account"))
        yield seen


@pytest.mark.judge("hvac + simple-salesforce")
def test_the_python_application_has_no_failed_call_and_is_never_refused(seen):
    never_failed(seen.python)


@pytest.mark.judge("jsforce")
def test_the_node_application_has_no_failed_call_and_is_never_refused(seen):
    never_failed(seen.node)


def never_failed(app: Program) -> None:
    assert app.runs
    assert app.complained == []
    assert len(app.said) == len(app.tokens()) > LASTS
    assert len(set(app.tokens())) > ROTATIONS


@pytest.mark.judge("curl + jq")
def test_the_script_has_no_failed_call(seen):
    assert len(seen.curl) > ROTATIONS
    assert [
        done.stderr for done in seen.curl if done.returncode or json.loads(done.stdout)["totalSize"] != 5
    ] == []


@pytest.mark.judge("bao agent")
def test_who_reads_the_agents_file_only_when_told_to_has_no_failed_call(seen):
    holds(seen.at_reload)


@pytest.mark.judge("requests")
def test_who_reads_once_an_hour_has_no_failed_call_with_a_consumer_lag_of_an_hour(seen):
    holds(seen.hourly)


def holds(consumer: Consumer) -> None:
    assert consumer.failed == 0, consumer.words
    assert consumer.calls > LASTS
    assert len(consumer.serials) > 1


@pytest.mark.judge("requests")
def test_who_reads_less_often_than_the_rule_allows_works_with_a_dead_token(seen):
    assert seen.too_seldom.failed
    assert "INVALID_SESSION_ID" in seen.too_seldom.words[0]


@pytest.mark.judge("requests")
def test_a_lag_that_fails_here_is_one_that_check_refuses(seen, tmp_path):
    rotator = Rotator(seen.site.stage)
    said = rotator.settings()
    assert rotator("check").code == 0
    expect_jwt_tokens(said, TOO_SELDOM)
    checked = rotator("check", config=rotator.variant(tmp_path, credentials=said["credentials"]))
    assert checked.code == 2
    assert "consumers would hold tokens past what is proved of them" in checked.out + checked.err
