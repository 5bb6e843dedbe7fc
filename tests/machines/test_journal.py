"""The examples for the journal, run as they stand in the runbook, on the log of a daemon at work."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from rotator.core.model import Ask
from tests.world.rude import CALM
from tests.world.site import site

RUNBOOK = (Path(__file__).parents[2] / "docs" / "runbook.md").read_text()
EXAMPLES = [line for line in re.findall(r"^(journalctl .+)$", RUNBOOK, re.MULTILINE) if "jq" in line]
EXPECTED = ("locked-out", "locked-out", "credential.locked_out", "integration@acme.example", "rotation")
"""What the output of each example holds after a rotation and a certificate that somebody replaced."""


@pytest.mark.timeout(300)
def test_each_example_finds_what_it_is_for(tmp_path, figures):
    with site(weather=CALM, names=["acme"]) as here:
        here.journal.text.append("Started rotator.service.\n")
        since = here.journal.mark()
        here.ask("acme")
        steps = here.journal.wait_for("change.waiting", since, credential="acme", target=2)
        here.control.put_certificate("Rotator_Acme", steps["certificate"])
        here.ask("acme", Ask.DEPLOYED)
        here.journal.wait_for("key.promoted", since, credential="acme", serial=2)
        here.await_steady()
        here.control.clear_certificate("Rotator_Acme")
        here.journal.wait_for("credential.locked_out", since, credential="acme")
        here.daemon.stop()
        log = "".join(here.journal.text)
    write_journal(tmp_path, log)
    assert len(EXAMPLES) == len(EXPECTED)
    for line, expected in zip(EXAMPLES, EXPECTED, strict=True):
        assert expected in printed(line, tmp_path), line
    figures(journal_examples=len(EXAMPLES), log_lines=len(log.splitlines()))


def test_who_calls_a_person_is_shown_with_all_fields_and_no_empty_ones(tmp_path):
    """Not every alert has a message."""
    seen = {
        "event": "clock.skewed",
        "alert": True,
        "peer": "vault",
        "seconds": 90,
        "runbook": "clocks-differ",
    }
    others = {"event": "token.published", "credential": "acme"}
    write_journal(tmp_path, f"{json.dumps({**seen, 'credential': None, 'hint': ''})}\n{json.dumps(others)}\n")
    assert json.loads(printed(EXAMPLES[0], tmp_path)) == seen


def write_journal(folder: Path, log: str) -> None:
    """Let journalctl, where a folder comes first, print a log."""
    (folder / "log").write_text(log)
    journal = folder / "journalctl"
    journal.write_text(f"#!/bin/sh\ncat {folder / 'log'}\n")
    journal.chmod(0o755)


def printed(line: str, folder: Path) -> str:
    """Return what an example prints of the log in a folder."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line],
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), line
    return done.stdout
