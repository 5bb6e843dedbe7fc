"""A shell script of curl and jq: config/consumers/curl/query.sh."""

from __future__ import annotations

import json
import os
import shutil
import threading
from contextlib import contextmanager

import pytest

from tests.world.examples import TOKEN_PATH, run_query

pytestmark = pytest.mark.judge("curl + jq")

SOQL = "SELECT Name FROM Account WHERE Name = 'Account 1'"


def names(done):
    assert done.returncode == 0, done.stderr
    return [record["Name"] for record in json.loads(done.stdout)["records"]]


def test_it_reads_from_vault_and_prints_what_salesforce_answers(env):
    assert names(run_query(env, SOQL)) == ["Account 1"]


@pytest.fixture
def pipe(tmp_path, env):
    """A file that holds another document at each reading."""
    os.mkfifo(tmp_path / "token.json")

    @contextmanager
    def filled(*documents):
        left = list(documents)

        def fill():
            while left:
                (tmp_path / "token.json").write_text(json.dumps(left[0]))
                left.pop(0)

        writer = threading.Thread(target=fill)
        writer.start()
        yield {**env, "SALESFORCE_TOKEN_FILE": str(tmp_path / "token.json")}
        writer.join(10)
        assert not left

    return filled


def published(stage):
    return stage.vault.request("GET", f"secret/data/{TOKEN_PATH}")["data"]["data"]


def test_a_refused_token_is_read_again_and_the_query_repeated(stage, pipe, renew_session):
    dead = published(stage)
    renew_session()
    with pipe(dead, published(stage)) as env:
        assert names(run_query(env, SOQL)) == ["Account 1"]


def test_a_token_that_is_refused_twice_is_an_error(stage, pipe, renew_session):
    dead = published(stage)
    renew_session()
    with pipe(dead, dead) as env:
        done = run_query(env, SOQL)
    assert done.returncode == 1
    assert json.loads(done.stdout)[0]["errorCode"] == "INVALID_SESSION_ID"


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
        spy = tmp_path / name
        spy.write_text(f'#!/bin/sh\necho "$0 $@" >> {notes}\nexec {shutil.which(name)} "$@"\n')
        spy.chmod(0o755)
    done = run_query({**env, "PATH": f"{tmp_path}{os.pathsep}{env['PATH']}"}, SOQL)
    assert names(done) == ["Account 1"]
    noted = notes.read_text()
    assert "/query" in noted
    assert published(stage)["access_token"] not in noted
    assert stage.consumer_token_file("acme").read_text() not in noted
