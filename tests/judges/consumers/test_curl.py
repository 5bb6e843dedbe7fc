"""A shell script of curl and jq: config/consumers/curl/query.sh."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from tests.world.examples import TOKEN_PATH, run_query

pytestmark = pytest.mark.judge("curl + jq")

SOQL = "SELECT Name FROM Account WHERE Name = 'Account 1'"


def names(done):
    assert done.returncode == 0, done.stderr
    return [record["Name"] for record in json.loads(done.stdout)["records"]]


def test_it_reads_from_vault_and_prints_what_salesforce_answers(env):
    assert names(run_query(env, SOQL)) == ["Account 1"]


def install(program, script):
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def published(stage):
    return stage.vault.request("GET", f"secret/data/{TOKEN_PATH}")["data"]["data"]


@pytest.fixture
def dead(stage, renew_session):
    """A document whose token is refused; its successor is published."""
    document = published(stage)
    renew_session()
    return document


def test_a_refused_token_is_read_again_and_the_query_repeated(stage, env, tmp_path, dead):
    """The successor is rendered while the first call is under way."""
    (tmp_path / "token.json").write_text(json.dumps(dead))
    (tmp_path / "next.json").write_text(json.dumps(published(stage)))
    install(tmp_path / "curl", f'{shutil.which("curl")} "$@"; mv next.json token.json 2>&- || :')
    on_the_way = {"SALESFORCE_TOKEN_FILE": "token.json", "PATH": f"{tmp_path}{os.pathsep}{env['PATH']}"}
    assert names(run_query({**env, **on_the_way}, SOQL, cwd=tmp_path)) == ["Account 1"]


def test_a_token_that_is_refused_twice_is_an_error(stage, env, tmp_path, dead):
    (tmp_path / "token.json").write_text(json.dumps(dead))
    refusals = stage.org.org.counts["refused: INVALID_SESSION_ID"]
    done = run_query({**env, "SALESFORCE_TOKEN_FILE": str(tmp_path / "token.json")}, SOQL)
    assert done.returncode == 1
    assert json.loads(done.stdout)[0]["errorCode"] == "INVALID_SESSION_ID"
    assert stage.org.org.counts["refused: INVALID_SESSION_ID"] == refusals + 2


def test_the_answer_is_printed_also_when_vault_is_sealed_at_the_second_reading(
    stage, env, tmp_path, kill_session
):
    """It is sealed once the first call is over, whose token was refused."""
    kill_session()
    real = shutil.which("curl")
    (tmp_path / "root").write_text(f"X-Vault-Token: {stage.vault.root_token}")
    seal = f"{real} --silent -X PUT --header @{tmp_path / 'root'} {stage.vault.address}/v1/sys/seal"
    install(tmp_path / "curl", f'{real} "$@" || exit; case "$*" in */query*) {seal} >&2;; esac')
    try:
        done = run_query({**env, "PATH": f"{tmp_path}{os.pathsep}{env['PATH']}"}, SOQL)
    finally:
        stage.vault.unseal()
    assert done.returncode == 1
    assert json.loads(done.stdout)[0]["errorCode"] == "INVALID_SESSION_ID"
    assert "503" in done.stderr
    assert done.stderr.endswith("query.sh: no token could be read\n")


def test_a_token_file_that_is_empty_is_an_error(env, tmp_path):
    (tmp_path / "token.json").touch()
    done = run_query({**env, "SALESFORCE_TOKEN_FILE": str(tmp_path / "token.json")}, SOQL)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "query.sh: no token could be read\n"


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


def test_no_secret_stands_on_a_command_line(env, stage, tmp_path):
    notes = tmp_path / "notes"
    for name in ("curl", "jq", "cat", "sed", "tail"):
        install(tmp_path / name, f'echo "$0 $@" >> {notes}; exec {shutil.which(name)} "$@"')
    done = run_query({**env, "PATH": f"{tmp_path}{os.pathsep}{env['PATH']}"}, SOQL)
    assert names(done) == ["Account 1"]
    noted = notes.read_text()
    assert "/query" in noted
    assert published(stage)["access_token"] not in noted
    assert stage.consumer_token_file("acme").read_text() not in noted
