"""The examples for the journal, run as they stand in the runbook, on the log of a daemon at work."""

from __future__ import annotations

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
        log = tmp_path / "log"
        log.write_text("".join(here.journal.text))
    journal = tmp_path / "journalctl"
    journal.write_text(f"#!/bin/sh\ncat {log}\n")
    journal.chmod(0o755)
    assert len(EXAMPLES) == len(EXPECTED)
    for line, expected in zip(EXAMPLES, EXPECTED, strict=True):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line],
            env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), line
        assert expected in done.stdout, (line, done.stdout)
    figures(journal_examples=len(EXAMPLES), log_lines=len(log.read_text().splitlines()))
