"""What a shell completes at TAB, and what is said to somebody who mistypes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rotator.cli.names import credential_names, nearest

PROGRAM = Path(sys.executable).with_name("rotator")

BASH = """\
source <("$1" completion bash)
shift
complete -p rotator > /dev/null || exit 9
COMP_WORDS=(rotator "$@") COMP_CWORD=$#
_rotator_completion "$PROGRAM"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(*words, config=None):
    """What bash offers for the last word."""
    env = {**os.environ, "PROGRAM": str(PROGRAM)}
    env.pop("ROTATOR_CONFIG", None)
    if config is not None:
        env["ROTATOR_CONFIG"] = str(config)
    command = ["bash", "--norc", "-c", BASH, "bash", str(PROGRAM), *map(str, words)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "rotator.yaml"
    path.write_text("credentials:\n  acme: {}\n  acme-emea: {users: [a]}\n  globex:\n    users: [b]\n")
    return path


def test_bash_completes_commands_and_options():
    assert sorted(completed("ro")) == ["rollback", "rotate"]
    assert "--compromised" in completed("rotate", "--c")


def test_bash_completes_names_from_the_configuration_wherever_it_is_named(config):
    assert completed("status", "ac", config=config) == ["acme", "acme-emea"]
    assert completed("-c", config, "rotate", "g") == ["globex"]
    assert completed("history", "-c", config, "g") == ["globex"]
    assert completed("status", "acme", "", config=config) == ["acme-emea", "globex"]


def test_without_a_configuration_no_name_is_completed_and_nothing_is_complained_of(tmp_path):
    assert completed("status", "ac") == []
    assert completed("status", "ac", config=tmp_path / "missing.yaml") == []


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_completed_by_the_same_means(config, shell):
    script = subprocess.run([PROGRAM, "completion", shell], capture_output=True, text=True, check=True).stdout
    assert f"_ROTATOR_COMPLETE={shell}_complete" in script
    env = {
        **os.environ,
        "ROTATOR_CONFIG": str(config),
        "_ROTATOR_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": "rotator status g",
        "COMP_CWORD": {"zsh": "2", "fish": "g"}[shell],
    }
    done = subprocess.run([PROGRAM], env=env, capture_output=True, text=True, check=True)
    assert "globex" in done.stdout


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("credentials: {a: {users: [x]}, b: }", ["a", "b"]),
        (
            "vault: {login: {credentials: {no: 1}}}\ncredentials:\n  a:\n    b: {c: d}\n  e: [f, {g: h}]\n",
            ["a", "e"],
        ),
        ("credentials:\n  a: {}\n  b: {}\n  c: [\n", ["a", "b", "c"]),
        ("credentials:\n  a: &x {}\n  b: *x\n  ? [complex]\n  : 1\n  c: 2\n", ["a", "b", "c"]),
        ("- a\n- b\n", []),
        ("", []),
        ("credentials: \tno\n  : [", []),
    ],
)
def test_names_are_read_from_what_can_be_read(tmp_path, text, names):
    file = tmp_path / "rotator.yaml"
    file.write_text(text)
    assert credential_names(file) == names


def test_names_of_included_files_are_read_too(tmp_path):
    (tmp_path / "config.d").mkdir()
    (tmp_path / "config.d" / "b.yaml").write_text("credentials: {b: {}}")
    (tmp_path / "config.d" / "c.yaml").write_bytes(b"\xff\xfe")
    file = tmp_path / "rotator.yaml"
    file.write_text("include: ['config.d/*.yaml']\ncredentials: {a: {}}\n")
    assert credential_names(file) == ["a", "b"]


def test_completing_imports_nothing_that_is_slow(config):
    program = """
import sys
from pathlib import Path
from rotator.cli import main
from click.shell_completion import ShellComplete
found = ShellComplete(main, {}, "rotator", "_ROTATOR_COMPLETE").get_completions(["status"], "g")
assert [one.value for one in found] == ["globex"], found
heavy = {"rich", "pydantic", "hvac", "requests", "cryptography", "structlog"}
print(sorted(heavy & set(sys.modules)))
"""
    env = {**os.environ, "ROTATOR_CONFIG": str(config)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_who_mistypes_is_told_the_nearest(rotator):
    ran = rotator("history", "gobex")
    assert ran.code == 2
    assert "Did you mean globex?\n" in ran.err
    assert "Did you mean 'status'?" in rotator("stauts").err
    assert rotator("history", "x").err.splitlines()[0].endswith("There are: acme, deployer, globex.")


def test_of_many_names_some_are_shown():
    known = [f"credential-{number:02}" for number in range(30)]
    assert nearest("x", known).endswith("credential-09 and 20 more.")
