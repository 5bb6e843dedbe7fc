"""The sandbox as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rotator.cli.sandbox import _introduce


@pytest.fixture
def start(tmp_path):
    """Starts the sandbox with all its temporary files in one folder; ends what is left of it."""
    started = []

    def begin(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "rotator", "sandbox", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.terminate()
        process.communicate(timeout=20)


def test_it_tells_in_one_line_what_is_needed_and_leaves_nothing_behind(rotator, start, tmp_path):
    process = start("--json")
    said = json.loads(process.stdout.readline())
    assert {"login_url", "control_url", "consumer_key", "username", "app"} <= said["salesforce"].keys()
    assert {"address", "root_token", "role_id", "secret_id_file"} <= said["vault"].keys()
    assert said["in_trouble"] == []
    status = rotator("status", "--json", config=Path(said["config"]))
    assert status.code == 0
    assert [one["phase"] for one in status.json["credentials"]] == ["steady"] * 3
    process.send_signal(signal.SIGTERM)
    rest = process.communicate(timeout=20)
    assert (process.returncode, rest[0]) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_all_its_files_can_be_in_a_folder_that_is_known_before(rotator, start, tmp_path):
    folder = tmp_path / "mine"
    process = start("--json", "--directory", str(folder))
    said = json.loads(process.stdout.readline())
    assert (said["config"], folder.stat().st_mode & 0o777) == (str(folder / "rotator.yaml"), 0o700)
    assert rotator("status", config=folder / "rotator.yaml").code == 0
    again = start("--directory", str(folder))
    assert "Name an empty folder" in again.communicate(timeout=60)[1]
    assert again.returncode == 2
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert (process.returncode, folder.exists()) == (0, False)


def test_stopped_while_it_starts_it_leaves_nothing_behind_either(start, tmp_path):
    process = start()
    while not list(tmp_path.glob("rotator-*")) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_an_empty_one_tells_what_comes_next_and_plays_the_administrator(rotator, start, tmp_path):
    folder = tmp_path / "first"
    process = start("--empty", "--directory", str(folder))
    said = ""
    while "rotator rotate acme --wait" not in said:
        assert process.poll() is None
        said += process.stdout.readline()
    assert f"rotator init deployer acme --here --directory {folder}/apps\n" in said
    config = folder / "rotator.yaml"
    for name in ("deployer", "acme"):
        begun = rotator("init", name, "--here", "--directory", folder / name, config=config)
        assert begun.code == 0, begun.err
    ran = rotator("sandbox", "--administer", folder / "deployer", "--json", config=config)
    assert ran.code == 0, ran.err
    assert set(ran.json["consumer_keys"]) == {"Rotator_Deployer"}
    told = rotator("sandbox", "--administer", folder / "acme", config=config)
    assert "Rotator_Acme is in the org; its consumer key 3MVG9" in told.out
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert (process.returncode, folder.exists()) == (0, False)


@pytest.mark.parametrize(
    ("below", "why"), [("", "Directory not empty"), ("no/such", "No such file or directory")]
)
def test_a_folder_that_cannot_be_used_is_told(rotator, tmp_path, below, why):
    (tmp_path / "something").touch()
    ran = rotator.process("sandbox", "--directory", tmp_path / below)
    assert ran.code == 2
    assert f"cannot be used: {why}" in ran.err


def test_to_administer_a_sandbox_is_not_to_start_one(rotator, tmp_path):
    ran = rotator("sandbox", "--administer", tmp_path, "--empty")
    assert ran.code == 2
    assert "--empty and --directory start one" in ran.err


def test_where_no_sandbox_runs_there_is_no_administrator(rotator, tmp_path):
    ran = rotator("sandbox", "--administer", tmp_path, config=tmp_path / "rotator.yaml")
    assert ran.code == 1
    assert "did not take" in ran.err
    assert "Does `rotator sandbox` run" in ran.err


@pytest.mark.parametrize("command", ["sandbox", "demo"])
def test_without_the_extra_it_is_told_what_to_install(command):
    program = f"import sys; sys.modules['cheroot'] = None; from rotator.cli import main; main(['{command}'])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stderr.startswith("error: the sandbox needs cheroot")
    assert "pip install '.[sandbox]'" in ran.stderr


@pytest.mark.parametrize("in_checkout", [True, False])
def test_in_a_checkout_the_shell_is_told_how_it_finds_the_command(tmp_path, monkeypatch, capsys, in_checkout):
    environment = tmp_path / ".venv"
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "activate").touch()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(tmp_path if in_checkout else elsewhere)
    monkeypatch.setattr("sys.prefix", str(environment))
    org = {"login_url": "http://127.0.0.1:1", "control_url": "http://127.0.0.1:2"}
    vault = {"address": "http://127.0.0.1:3", "root_token": "root"}
    described = {"salesforce": org, "vault": vault, "config": tmp_path / "first" / "rotator.yaml"}
    _introduce(described, [("rotator status", "")])
    said = capsys.readouterr().out
    assert 'or in this one if this runs behind "&":' in said
    assert ("  . .venv/bin/activate\n" in said) is in_checkout
