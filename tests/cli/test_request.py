"""Commands that ask the daemon, with and without one."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from rotator.cli.exits import Exit
from rotator.cli.requests.asking import verdict
from rotator.core.model import Ask, Entry, Phase, Reason, Record
from rotator.core.outcome import Outcome


@contextlib.contextmanager
def daemon(config):
    """A real daemon, as a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "rotator", "run", "-c", str(config)], stderr=subprocess.PIPE, text=True
    )
    try:
        assert '"daemon.started"' in process.stderr.readline()
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=20)[1]
    assert process.returncode == 0, said


def outcomes(ran):
    return [(one["reason"], one["outcome"]) for one in ran.json["changes"]]


def test_a_daemon_answers_an_operator_who_may_do_nothing_but_ask(rotator, stage, knobs):
    knobs(deploy_seconds=1)  # so that it is seen under way
    before = rotator.status("globex")["current"]["serial"]
    with daemon(stage.config):
        rotated = rotator.operator("rotate", "globex", "--wait")
        assert rotated.code == 0, rotated.err
        assert f"globex: rotating to key pair {before + 1}\n" in rotated.out
        assert f"globex: rotation to key pair {before + 1} promoted after" in rotated.out
        assert "deploying: the certificate of key pair" in rotated.err
        again = rotator.operator("rollback", "globex", "--wait", "--json")
        assert (again.code, outcomes(again)) == (0, [("rollback", "promoted")])
        refused = rotator.operator("abort", "globex")
        assert refused.code == 1
        assert refused.err.startswith("error: globex: no change is under way")


def test_without_a_daemon_the_command_does_it_and_stays_until_it_is_over(rotator):
    before = rotator.status("acme")["current"]["serial"]
    ran = rotator("rotate", "acme", "--within", "100ms")
    assert ran.code == 0
    assert "no daemon answered within 0.1 s, so it is done here" in ran.err
    after = rotator.status("acme")
    assert after["current"]["serial"] > before
    assert after["previous"] == before
    assert rotator("history", "acme", "--json").json["history"][-1]["outcome"] == "promoted"


def test_a_request_that_nobody_answers_waits_and_ends_with_4(rotator):
    ran = rotator.operator("pause", "globex", "--within", "100ms")
    assert ran.code == 4
    assert "no daemon seems to run" in ran.err
    assert "`rotator withdraw globex`" in ran.err
    second = rotator.operator("resume", "globex", "--within", "100ms")
    assert second.code == 1
    assert "a request for globex waits already" in second.err
    once = rotator.process("once", "globex")
    assert once.code == 0
    assert rotator.status("globex")["paused"]["kind"] == "operator"
    left = rotator("resume", "globex", "--within", "100ms", "--ask-only", "--json")
    assert (left.code, left.json["answered"]) == (4, None)
    assert rotator.process("once", "globex", "--json").json["credentials"][0]["well"]
    assert rotator.status("globex")["paused"] is None


def test_a_paused_credential_is_not_rotated(rotator):
    assert rotator("pause", "acme", "--here").code == 0
    refused = rotator("rotate", "acme", "--wait", "--here")
    assert refused.code == 1
    assert "paused: by " in refused.err
    assert "resume it first" in refused.err
    resumed = rotator("resume", "acme", "--here", "--json")
    assert (resumed.code, resumed.json["accepted"], resumed.json["sentence"]) == (0, True, "resumed")


def test_a_certificate_that_is_not_proved_is_restored_and_told_with_1(rotator, knobs):
    before = rotator.status("acme")["current"]["serial"]
    knobs(stall_certificate=1)
    ran = rotator("rotate", "acme", "--wait", "--here", "--json")
    assert ran.code == 1
    assert outcomes(ran)[0] == ("rotation", "failed")
    assert outcomes(ran)[-1] == ("restore", "restored")
    assert ran.json["current"] == before


def test_a_refused_deploy_is_told_with_1_and_its_reason(rotator, knobs):
    knobs(fail_deploys=1)
    ran = rotator("rehearse", "acme", "--wait", "--here")
    assert ran.code == 1
    assert "acme: rehearsal to key pair" in ran.out
    assert "refused after" in ran.out
    assert "the deploy failed" in ran.out
    assert rotator("status", "acme").code == 1, "what a person must mend stays on record"
    assert rotator("rehearse", "acme", "--wait", "--here").code == 0
    assert rotator("status", "acme").code == 0


def test_a_rehearsal_where_a_person_brings_certificates_in_is_not_said_to_deploy_anything(rotator, tmp_path):
    credentials = rotator.settings()["credentials"]
    credentials["acme"]["deploy"] = {"publisher": "manual"}
    config = rotator.variant(tmp_path, credentials=credentials)
    ran = rotator("rehearse", "acme", "--wait", "--here", config=config)
    note = "note: acme: rotator deploys nothing here, for a person brings certificates in: upload this one once more"
    assert (ran.code, note in ran.err) == (0, True)
    assert "deploys nothing" not in rotator("rehearse", "acme", "--wait", "--here").err


def test_once_can_be_stopped_half_way_and_the_next_one_goes_on(rotator, stage, knobs):
    knobs(propagation_seconds=2)
    before = rotator.status("acme")["current"]["serial"]
    assert rotator.operator("rotate", "acme", "--within", "1ms").code == 4
    command = [sys.executable, "-m", "rotator", "once", "acme", "-c", str(stage.config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while '"deploy.sent"' not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert process.returncode == 130
    assert rotator.status("acme")["under_way"]["change"]["target"] > before
    assert rotator.process("once", "acme").code == 0
    assert rotator.status("acme")["previous"] == before


@pytest.mark.parametrize("text", ["soon", "5", "-1s"])
def test_a_length_of_time_is_written_with_its_unit(rotator, text):
    ran = rotator("rotate", "acme", "--within", text)
    assert ran.code == 2
    assert "write it as 90s, 15m or 1h30m" in ran.err


@pytest.mark.parametrize(("what", "code"), [(Ask.DEPLOYED, Exit.OK), (Ask.ROTATE, Exit.PROBLEM)])
def test_a_certificate_that_was_put_back_is_what_was_meant_by_who_brought_it_and_not_by_who_wanted_another(
    what, code
):
    asked_at = datetime(2026, 3, 1, tzinfo=UTC)
    restored = Entry(
        1, Reason.RESTORE, Outcome.RESTORED, asked_at, asked_at + timedelta(minutes=9), deployed=True
    )
    record = Record(phase=Phase.STEADY, newest=1, current=1, history=(restored,))
    assert verdict(what, record, asked_at, wanted_to_wait=True) == code
