"""A shell script of curl and jq: config/consumers/curl/query.sh."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.world.examples import EXAMPLES, Program, run_query

pytestmark = pytest.mark.judge("curl + jq")

SOQL = "SELECT Name FROM Account WHERE Name = 'Account 1'"


def names(done):
    assert done.returncode == 0, done.stderr
    return [record["Name"] for record in json.loads(done.stdout)["records"]]


def test_it_reads_from_vault_and_prints_what_salesforce_answers(env):
    assert names(run_query(env, SOQL)) == ["Account 1"]


def test_a_refused_token_is_read_again_once(env, tmp_path, kill_session, prove_again, stage):
    """The first token comes from a pipe that holds the dead one; the second reading finds its successor."""
    ...


def test_what_salesforce_refuses_is_printed_and_the_exit_code_tells_it(env):
    done = run_query(env, "SELECT Nothing FROM Account")
    assert done.returncode == 1
    assert json.loads(done.stdout)[0]["errorCode"] == "INVALID_FIELD"


@pytest.mark.parametrize("change", ["VAULT_ADDR", "SALESFORCE_TOKEN_PATH", "VAULT_TOKEN_FILE"])
def test_without_a_token_nothing_is_asked_of_salesforce(env, stage, change):
    calls = stage.org.org.counts["REST calls"]
    done = run_query({**env, change: env[change] + "x"}, SOQL)
    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr
    assert stage.org.org.counts["REST calls"] == calls


def test_no_secret_stands_on_a_command_line(env, stage, tmp_path): ...


def test_shellcheck():
    ...
