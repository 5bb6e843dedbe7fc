"""The publisher that runs an operator's program; the programs here are real ones."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rotator.core.effects import Kind
from rotator.publishers.command import CommandPublisher
from rotator.show.logs import redactor


@pytest.fixture
def program(tmp_path):
    """Write a shell script and give a publisher that runs it."""

    def make(script: str, *arguments: str, timeout_seconds: float = 30) -> CommandPublisher:
        path = tmp_path / "install"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return CommandPublisher(
            [str(path), *arguments], credential="acme", timeout=timedelta(seconds=timeout_seconds)
        )

    return make


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(minutes=3)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (0, Kind.OK),
        (75, Kind.FAILED),
        (65, Kind.REFUSED),
        (1, Kind.REFUSED),
        (2, Kind.UNKNOWN),
        (126, Kind.UNKNOWN),
        (255, Kind.UNKNOWN),
    ],
)
def test_the_exit_status_tells_what_was_done(program, new_pem, status, kind):
    assert program(f"exit {status}").deploy(new_pem, soon()).kind is kind


def test_a_program_that_is_killed_may_have_done_it(program, new_pem):
    answer = program("kill -9 $$").deploy(new_pem, soon())
    assert answer.kind is Kind.UNKNOWN
    assert "signal 9" in answer.message


def test_the_certificate_comes_on_standard_input_and_as_a_private_file(program, new_pem, tmp_path):
    script = f"""cat > {tmp_path}/stdin
cp "$ROTATOR_CERTIFICATE_FILE" {tmp_path}/file
stat -c %a "$ROTATOR_CERTIFICATE_FILE" > {tmp_path}/mode
echo "$ROTATOR_CERTIFICATE_FILE" > {tmp_path}/where"""
    assert program(script).deploy(new_pem, soon()).kind is Kind.OK
    assert (tmp_path / "stdin").read_text() == new_pem
    assert (tmp_path / "file").read_text() == new_pem
    assert (tmp_path / "mode").read_text() == "600\n"
    assert not Path((tmp_path / "where").read_text().strip()).exists()


def test_arguments_are_handed_over_as_they_are_and_no_shell_reads_them(program, new_pem, tmp_path):
    script = f"""printf '%s|' "$@" > {tmp_path}/arguments"""
    assert program(script, "--org", "$(id) ; *").deploy(new_pem, soon()).kind is Kind.OK
    assert (tmp_path / "arguments").read_text() == "--org|$(id) ; *|"


def test_the_program_sees_its_own_variables_and_little_of_the_daemons(
    program, new_pem, tmp_path, monkeypatch
):
    monkeypatch.setenv("VAULT_TOKEN", "hvs.secret")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/rotator")
    assert program(f"env > {tmp_path}/env").deploy(new_pem, soon()).kind is Kind.OK
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert {"ROTATOR_CREDENTIAL", "ROTATOR_CERTIFICATE_FILE", "ROTATOR_CERTIFICATE_SHA256", "PATH"} <= names
    assert not {"VAULT_TOKEN", "CREDENTIALS_DIRECTORY"} & names


def test_a_program_that_does_not_read_the_certificate_does_not_hurt(program, new_pem):
    assert program("exec <&-; exit 0").deploy(new_pem, soon()).kind is Kind.OK


def test_a_program_that_hangs_is_killed_with_all_its_children_and_may_have_done_it(
    program, new_pem, tmp_path
):
    script = f"sleep 600 & echo $! > {tmp_path}/child; wait"
    answer = program(script, timeout_seconds=0.3).deploy(new_pem, soon())
    assert answer.kind is Kind.UNKNOWN
    assert "did not end in time" in answer.message
    assert_ends(int((tmp_path / "child").read_text()))


def test_a_program_is_killed_when_nothing_may_be_sent_any_more(program, new_pem):
    answer = program("sleep 600").deploy(new_pem, datetime.now(UTC) + timedelta(seconds=0.3))
    assert answer.kind is Kind.UNKNOWN


def test_what_a_program_leaves_behind_in_the_background_is_killed(program, new_pem, tmp_path):
    script = f"sleep 600 & echo $! > {tmp_path}/child; exit 0"
    assert program(script).deploy(new_pem, soon()).kind is Kind.OK
    assert_ends(int((tmp_path / "child").read_text()))


def test_nothing_is_run_once_the_time_to_send_is_over(program, new_pem, tmp_path):
    publisher = program(f"touch {tmp_path}/ran")
    assert publisher.deploy(new_pem, datetime.now(UTC)).kind is Kind.FAILED
    assert not (tmp_path / "ran").exists()


def test_a_flood_of_output_is_cut_to_its_last_words(program, new_pem):
    answer = program("yes 'so much to say' | head -c 3000000; echo; echo the end; exit 65").deploy(
        new_pem, soon()
    )
    assert answer.kind is Kind.REFUSED
    assert answer.message.endswith(": the end")
    assert len(answer.message) < 400


@pytest.mark.parametrize(
    "said", ["session 00Dxx0000001gPL!AQoAQGd83hfj8sjfhs8372hfjs83hfjs83", "client_secret=hunter2hunter2"]
)
def test_a_secret_in_the_output_is_not_repeated(program, new_pem, said):
    answer = program(f"echo '{said}' >&2; exit 65").deploy(new_pem, soon())
    assert "hunter2" not in answer.message
    assert "AQoAQGd8" not in answer.message


def test_a_secret_that_the_log_hides_is_hidden_in_the_last_words_as_well(program, new_pem):
    """They go into the record and the history, which operators read."""
    redactor.remember("wrapped-by-nobody-7d2f")
    answer = program("echo cannot log in with wrapped-by-nobody-7d2f; exit 65").deploy(new_pem, soon())
    assert answer.message.endswith("its last words: cannot log in with [redacted]")


@pytest.mark.parametrize("mode", [None, 0o644])
def test_a_program_that_is_missing_or_not_executable_is_for_a_person_to_mend(tmp_path, new_pem, mode):
    path = tmp_path / "install"
    if mode is not None:
        path.write_text("#!/bin/sh\n")
        path.chmod(mode)
    publisher = CommandPublisher([str(path)], credential="acme", timeout=timedelta(seconds=5))
    for answer in (publisher.validate(new_pem, None), publisher.deploy(new_pem, soon())):
        assert (answer.kind, answer.lasting) == (Kind.FAILED, True)
        assert answer.hint
    assert [finding.ok for finding in publisher.verify()] == [False]


def test_a_file_that_is_no_program_is_for_a_person_to_mend(tmp_path, new_pem):
    path = tmp_path / "install"
    path.write_bytes(b"\x00\x01\x02")
    path.chmod(0o755)
    publisher = CommandPublisher([str(path)], credential="acme", timeout=timedelta(seconds=5))
    answer = publisher.deploy(new_pem, soon())
    assert (answer.kind, answer.lasting) == (Kind.FAILED, True)


def assert_ends(pid: int) -> None:
    """Wait until a killed process is gone (it may stay a zombie until its new parent looks)."""
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    raise AssertionError("the process lives on")
