"""Which examples can be tried on `rotator sandbox`, which speaks plain http, as their READMEs tell."""

from __future__ import annotations

import json

import pytest

from tests.judges.tools import NODE_MODULES
from tests.world.commands import ready_stage
from tests.world.examples import node_app, python_app, run_query


@pytest.fixture(scope="module")
def stage():
    with ready_stage() as stage:
        yield stage


@pytest.mark.judge("jsforce")
def test_the_node_example_works(node, env, tmp_path):
    with node_app(node.node, NODE_MODULES, env, tmp_path / "node") as app:
        app.wait_for("5 accounts")


@pytest.mark.judge("curl + jq")
def test_the_curl_example_works(env):
    done = run_query(env, "SELECT Id FROM Account")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["totalSize"] == 5


@pytest.mark.timeout(300)  # waits for pip
@pytest.mark.judge("hvac + simple-salesforce")
def test_the_python_example_speaks_https_all_the_same_and_says_what_came_of_it(python, env):
    with python_app(python, env) as app:
        assert app.wait_to_end() == 1
    (complaint,) = app.complained
    assert complaint.startswith("SSLError: ")
