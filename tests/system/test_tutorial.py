"""The tutorial, followed word by word in a clean folder and shell, with the sandbox standing in for the org."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, blocks, code

pytestmark = pytest.mark.timeout(600)

PAGE = (ROOT / "docs" / "tutorial.md").read_text()
MOST_COMMANDS = 8
ENDING = "kill %2 %1"
ON_YOUR_ORG = "on your org"  # the mark of what is not for the sandbox
SEEN_WITHIN_SECONDS = 180.0
LENGTH_OF_TIME = r"[\d.]+ [smhd](?: \d+ [smhd])?"


def steps():
    """Return each command of the page, with the lines that the page says are seen after it."""
    found: list[tuple[str, list[str]]] = []
    for block in blocks(PAGE):
        if block.language == "sh" and block.mark != ON_YOUR_ORG:
            found += [(command, []) for command in block.commands]
        elif block.language == "text":
            found[-1][1].extend(line for line in block.text.splitlines() if line.strip() not in ("", "..."))
    return found


def pattern(line: str) -> re.Pattern[str]:
    """Match a line of the page: numbers and lengths of time may be others, and ``...`` stands for anything."""
    parts = re.split(r"(\.\.\.|\d+ [smhd]\b(?: \d+ [smhd]\b)?|(?<!\w)\d+(?!\w))", line.strip())
    free = {"...": ".*"}
    return re.compile(
        "".join(
            re.escape(part)
            if index % 2 == 0
            else free.get(part, r"\d+" if part.isdecimal() else LENGTH_OF_TIME)
            for index, part in enumerate(parts)
        )
    )


class Shell:
    """One bash that does nothing but what is typed, and whose output is read as it comes."""

    def __init__(self, folder: Path, output: Path) -> None:
        self._output = output
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "PYTHONPATH": str(ROOT)}
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                ["bash", "--noprofile", "--norc", "-m"],  # with jobs, as a person has them
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment,
                text=True,
                bufsize=1,
                start_new_session=True,
            )

    def type(self, command: str, seen: list[str]) -> None:
        """Type a command; wait until it has ended well and all lines were seen, in their order."""
        begin = len(self.text)
        print(command, 'echo "it ended with $?"', sep="\n", file=self.process.stdin, flush=True)
        wanted = [pattern(line) for line in seen]
        give_up = time.monotonic() + SEEN_WITHIN_SECONDS
        while True:
            said = self.text[begin:]
            ended = re.search(r"^it ended with (\d+)$", said, re.MULTILINE)
            missing = first_missing(wanted, said)
            if ended and missing is None:
                assert ended[1] == "0", said
                return
            assert not (ended and ended[1] != "0"), said
            assert time.monotonic() < give_up, f"not seen: {missing}\n{said}"
            time.sleep(0.1)

    @property
    def text(self) -> str:
        return self._output.read_text()

    def end(self) -> None:
        """End what was started, as the page says, and wait for it."""
        print(ENDING, "wait", "exit", sep="\n", file=self.process.stdin, flush=True)
        self.process.wait(60)
        self.process.stdin.close()


def first_missing(wanted: list[re.Pattern[str]], said: str) -> str | None:
    """Return what is not found behind what was found before it."""
    at = 0
    for one in wanted:
        found = one.search(said, at)
        if found is None:
            return one.pattern
        at = found.end()
    return None


@pytest.fixture
def checkout(tmp_path):
    """What `make` needs of a checkout. The environment is taken as it is: `.ci/run` proves that it can be made."""
    environment = Path(sys.prefix)
    assert (environment / ".ready").exists(), "make the environment first: make help"
    folder = tmp_path / "checkout"
    (folder / ".ci").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", ".ci/requirements-dev.txt"):
        shutil.copy(ROOT / name, folder / name)
        os.utime(folder / name, (0, 0))  # older than the environment, which is then not made anew
    (folder / ".venv").symlink_to(environment)
    return folder


def test_word_by_word_it_leads_to_the_first_rotation_with_eight_commands(checkout, tmp_path, figures):
    commands = steps()
    assert len(commands) <= MOST_COMMANDS
    assert not any(sign in command for command, _seen in commands for sign in ("&&", ";", "|"))
    began = time.monotonic()
    shell = Shell(checkout, tmp_path / "output")
    try:
        for command, seen in commands:
            shell.type(command, seen)
        seconds = time.monotonic() - began
        acme = status(checkout, "acme")
        assert (acme["phase"], acme["current"]["serial"], acme["previous"]) == ("steady", 2, 1)
        assert acme["tokens"]
    finally:
        shell.end()
    assert ENDING in code(PAGE)
    assert not (checkout / "first-hour").exists()
    figures(commands=len(commands), seconds=round(seconds, 1))


def status(checkout: Path, name: str):
    done = subprocess.run(
        [checkout / ".venv/bin/rotator", "status", name, "--json"],
        cwd=checkout,
        env={**os.environ, "ROTATOR_CONFIG": "first-hour/rotator.yaml", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)["credentials"][0]
