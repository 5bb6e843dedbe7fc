"""Whether the daemon is alive, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from rotator.cli import main
from rotator.run import lifesign

HEAVY = ("rich", "pydantic", "structlog", "yaml", "requests", "hvac", "cryptography", "apscheduler")


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The path of a configuration. There is no such file: it is not needed."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    return tmp_path / "rotator.yaml"


def alive(*arguments):
    return CliRunner().invoke(main, ["alive", *map(str, arguments)])


def test_a_daemon_that_moves_is_alive(config):
    lifesign.give(lifesign.place(config))
    ran = alive("-c", config)
    assert ran.exit_code == 0
    assert ran.stdout.startswith("alive: the last sign of life is 0.")
    told = json.loads(alive("-c", config, "--json").stdout)
    assert told["alive"] is True
    assert told["age_seconds"] < lifesign.FRESH_SECONDS


def test_a_daemon_that_moved_long_ago_is_not(config):
    file = lifesign.place(config)
    lifesign.give(file)
    long_ago = file.stat().st_mtime - 120
    os.utime(file, (long_ago, long_ago))
    ran = alive("-c", config)
    assert ran.exit_code == 1
    assert ran.stdout.startswith("not alive: the last sign of life is 12")
    assert "hint: " in ran.stderr


def test_a_daemon_that_never_gave_a_sign_is_not(config):
    ran = alive("-c", config)
    assert ran.exit_code == 1
    assert str(config.parent) in ran.stdout
    told = json.loads(alive("-c", config, "--json").stdout)
    assert (told["alive"], told["age_seconds"]) == (False, None)


def test_a_sign_that_cannot_be_believed_is_none(config):
    lifesign.place(config).symlink_to("/dev/null")
    ran = alive("-c", config)
    assert (ran.exit_code, "belongs to somebody else" in ran.stdout) == (1, True)


def test_of_the_service_it_can_be_asked_without_its_environment(config, monkeypatch):
    lifesign.give(lifesign.place(config))
    monkeypatch.delenv("RUNTIME_DIRECTORY")
    assert alive("-c", config).exit_code == 1
    monkeypatch.setattr(lifesign, "_SERVICE", config.parent)
    assert alive("-c", config).exit_code == 0


def test_without_a_configuration_it_is_not_known_which_daemon_is_meant(monkeypatch):
    monkeypatch.delenv("ROTATOR_CONFIG", raising=False)
    assert alive().exit_code == 2


def test_it_is_cheap_to_ask(config):
    lifesign.give(lifesign.place(config))
    program = f"""
import sys
from rotator.cli import main
try:
    main(["alive", "-c", {str(config)!r}])
except SystemExit as end:
    print(end.code, sorted(name for name in {HEAVY!r} if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"
