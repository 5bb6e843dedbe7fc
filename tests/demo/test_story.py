"""The whole story, with the real daemon; and how it ends when it ends otherwise."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

TELL = "import sys; from rotator.demo import run; sys.exit(run(as_json=True, seconds_limit=int(sys.argv[1])))"


@pytest.fixture
def tell(tmp_path):
    """Start the story in a process of its own; its temporary files go where they can be seen."""
    running = []

    def start(seconds_limit):
        command = [sys.executable, "-c", TELL, str(seconds_limit)]
        environment = {**os.environ, "TMPDIR": str(tmp_path)}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        running.append(process)
        return process

    yield start
    for process in running:
        with process:  # closes the pipe and waits
            process.terminate()


def processes_of(folder: Path):
    """What runs with this folder for its temporary files, as only a child of the story does."""
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if str(folder).encode() in environment.read_bytes():
                yield environment.parent.name
        except OSError:
            continue  # it ended, or is not ours


@pytest.mark.timeout(240)
def test_the_story_ends_well(tell, tmp_path):
    story = tell(120)
    lines = [json.loads(line) for line in story.communicate()[0].splitlines()]
    result = lines[-1]
    assert result["broken"] == []
    assert story.returncode == 0
    assert result["rotations"] >= result["unasked_rotations"] >= 2
    assert result["restores"] >= 1
    assert result["kills"] >= 1
    assert result["consumer_calls"] >= 500
    assert result["failed_consumer_calls"] == result["orphaned_keys"] == result["missing_keys"] == 0
    assert result["destroyed_keys"] >= 1
    assert [line["act"] for line in lines if line.get("kind") == "act"] == [1, 2, 3, 4, 5]
    assert {line["event"]: line for line in lines if line.get("event") == "change.restored"}
    assert list(tmp_path.iterdir()) == []
    assert list(processes_of(tmp_path)) == []


def test_what_did_not_happen_in_time_is_named_and_the_log_of_the_daemon_stays(tell, tmp_path):
    story = tell(1)
    result = json.loads(story.communicate()[0].splitlines()[-1])
    assert story.returncode == 1
    assert result["broken"][0] == "not in time: key pair 1 of acme was taken over"
    assert list(tmp_path.iterdir()) == [Path(result["log"])]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_it_and_leaves_nothing_behind(tell, tmp_path, number):
    story = tell(120)
    assert story.stdout.readline()
    story.send_signal(number)
    story.communicate()
    assert story.returncode == 128 + number
    assert list(tmp_path.iterdir()) == []
    assert list(processes_of(tmp_path)) == []
