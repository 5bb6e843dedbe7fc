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
    folder = tmp_path / "of" / "mine"
    process = start("--json", "--folder", str(folder))
    said = json.loads(process.stdout.readline())
    assert (said["config"], folder.stat().st_mode & 0o777) == (str(folder / "rotator.yaml"), 0o700)
    assert rotator("status", config=folder / "rotator.yaml").code == 0
    again = start("--folder", str(folder))
    assert "Name an empty folder" in again.communicate(timeout=60)[1]
    assert again.returncode == 1
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert (process.returncode, list(folder.iterdir())) == (0, [])


def test_stopped_while_it_starts_it_leaves_nothing_behind_either(start, tmp_path):
    process = start()
    while not list(tmp_path.glob("rotator-*")) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["sandbox", "demo"])
def test_without_the_extra_it_is_told_what_to_install(command):
    program = f"import sys; sys.modules['cheroot'] = None; from rotator.cli import main; main(['{command}'])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stderr.startswith("error: the sandbox needs cheroot")
    assert "pip install '.[sandbox]'" in ran.stderr
