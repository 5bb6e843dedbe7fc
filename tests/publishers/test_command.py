"""The publisher that runs an operator's program; the programs here are real ones."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rotator.core.effects import Kind
from rotator.publishers import command as module
from rotator.publishers import supervisor
from rotator.publishers.command import CommandPublisher, _End, _supervised
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


def test_a_program_whose_end_nobody_saw_is_run_again_unless_that_comes_too_late(program, new_pem):
    publisher = program("exit 2")
    since = datetime.now(UTC)

    def poll(ticket, *, late=False):
        return publisher.poll(new_pem, ticket=ticket, since=since, cancel=late).kind

    assert poll(None) is Kind.ABSENT
    assert poll(None, late=True) is Kind.OK  # the proofs find out
    seen = publisher.deploy(new_pem, soon())
    assert poll(seen.ticket) is Kind.OK


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
    script = f"env > {tmp_path}/env; tr '\\0' '\\n' < /proc/$PPID/environ > {tmp_path}/parent"
    assert program(script).deploy(new_pem, soon()).kind is Kind.OK
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert {"ROTATOR_CREDENTIAL", "ROTATOR_CERTIFICATE_FILE", "ROTATOR_CERTIFICATE_SHA256", "PATH"} <= names
    seen = names | {line.partition("=")[0] for line in (tmp_path / "parent").read_text().splitlines()}
    assert not {"VAULT_TOKEN", "CREDENTIALS_DIRECTORY"} & seen


def test_a_program_that_does_not_read_the_certificate_does_not_hurt(program, new_pem):
    assert program("exec <&-; exit 0").deploy(new_pem, soon()).kind is Kind.OK


def test_a_program_that_hangs_is_killed_with_all_its_children_and_may_have_done_it(
    program, new_pem, tmp_path
):
    script = f"sleep 600 & echo $! > {tmp_path}/child; wait"
    answer = program(script, timeout_seconds=2).deploy(new_pem, soon())
    assert answer.kind is Kind.UNKNOWN
    assert "did not end in time" in answer.message
    assert_ends(int((tmp_path / "child").read_text()))


def test_a_program_is_killed_when_nothing_may_be_sent_any_more(program, new_pem):
    answer = program("sleep 600").deploy(new_pem, datetime.now(UTC) + timedelta(seconds=2))
    assert answer.kind is Kind.UNKNOWN


def test_what_a_program_leaves_behind_in_the_background_is_killed(program, new_pem, tmp_path):
    script = f"sleep 600 & echo $! > {tmp_path}/child; exit 0"
    assert program(script).deploy(new_pem, soon()).kind is Kind.OK
    assert_ends(int((tmp_path / "child").read_text()))


LEAVE_THE_SESSION = """setsid sh -c 'echo $$ > {folder}/gone; exec sleep 600' < /dev/null > /dev/null 2>&1 &
while [ ! -s {folder}/gone ]; do sleep 0.01; done"""


def test_what_a_program_leaves_behind_in_a_session_of_its_own_is_killed(program, new_pem, tmp_path):
    """What it did later could undo a later deploy."""
    script = LEAVE_THE_SESSION.format(folder=tmp_path)
    assert program(f"{script}\nexit 0").deploy(new_pem, soon()).kind is Kind.OK
    assert_ends(int((tmp_path / "gone").read_text()))


def test_nothing_is_run_once_the_time_to_send_is_over(program, new_pem, tmp_path):
    publisher = program(f"touch {tmp_path}/ran")
    assert publisher.deploy(new_pem, datetime.now(UTC)).kind is Kind.FAILED
    job = supervisor.Job(
        command=["/bin/touch", f"{tmp_path}/ran"], environment={}, certificate="", deadline=time.monotonic()
    )
    assert _supervised(job) == ({"late": True}, b"")
    assert not (tmp_path / "ran").exists()


# --- a daemon that can see to nothing any more -----------------------------------------------------

DAEMON = """\
import ctypes, os, sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from rotator.publishers import supervisor
from rotator.publishers.command import CommandPublisher, _End, _supervised

ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # orphans become ours, as in a container whose first process we are
program, certificate, seconds = sys.argv[1:]
publisher = CommandPublisher([program], credential="acme", timeout=timedelta(seconds=float(seconds)))
answer = publisher.deploy(Path(certificate).read_text(), datetime.now(UTC) + timedelta(minutes=3))
print(answer.kind, flush=True)
try:
    print("left:", os.waitpid(-1, os.WNOHANG))
except ChildProcessError:
    print("nobody is left")
"""


@pytest.fixture
def daemon(tmp_path, new_pem):
    """Starts a process that deploys with a program, and gives it; its temporary files are in ``tmp``."""
    started = []

    def start(script: str, seconds: float = 600) -> subprocess.Popen[str]:
        program, certificate = tmp_path / "install", tmp_path / "certificate"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        certificate.write_text(new_pem)
        (tmp_path / "tmp").mkdir()
        process = subprocess.Popen(
            [sys.executable, "-c", DAEMON, str(program), str(certificate), str(seconds)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=20)


def await_number(file: Path) -> int:
    """Wait for a process to write its number."""
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        if file.exists() and (text := file.read_text()).endswith("\n"):
            return int(text)
        time.sleep(0.01)
    raise AssertionError(f"{file} was not written")


def test_a_daemon_that_is_killed_takes_its_program_with_it(daemon, tmp_path):
    """Its lease ends, and another daemon takes over: nobody else may deploy then."""
    script = LEAVE_THE_SESSION.format(folder=tmp_path)
    process = daemon(f"{script}\necho $$ > {tmp_path}/program; exec sleep 600")
    pids = [await_number(tmp_path / name) for name in ("program", "gone")]
    assert list((tmp_path / "tmp").iterdir())
    process.kill()
    for pid in pids:
        assert_ends(pid)
    give_up = time.monotonic() + 10
    while list((tmp_path / "tmp").iterdir()) and time.monotonic() < give_up:
        time.sleep(0.01)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_daemon_that_hangs_does_not_prolong_the_time_of_its_program(daemon, tmp_path):
    process = daemon(f"echo $$ > {tmp_path}/program; exec sleep 600", seconds=3)
    pid = await_number(tmp_path / "program")
    process.send_signal(signal.SIGSTOP)
    assert_ends(pid)


def test_a_daemon_that_is_the_first_process_of_a_container_has_nobody_to_reap(daemon, tmp_path):
    sleeps = "sleep 600 > /dev/null 2>&1 &\n" * 3
    process = daemon(f"{LEAVE_THE_SESSION.format(folder=tmp_path)}\n{sleeps}exit 0")
    assert process.communicate(timeout=30)[0].splitlines() == ["ok", "nobody is left"]


def test_a_program_dies_with_its_supervisor_and_may_have_done_it(program, new_pem, tmp_path):
    answer = program(f"echo $$ > {tmp_path}/program; kill -9 $PPID; sleep 600").deploy(new_pem, soon())
    assert answer.kind is Kind.UNKNOWN
    assert "nobody can say" in answer.message
    assert_ends(int((tmp_path / "program").read_text()))


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP"])
def test_a_signal_to_all_processes_of_a_service_ends_no_deploy_in_its_middle(program, new_pem, name):
    """The daemon gets it as well, and finishes what is under way. The program itself does as it likes."""
    assert program(f"kill -{name} $PPID; sleep 0.2; exit 0").deploy(new_pem, soon()).kind is Kind.OK
    answer = program(f"kill -{name} $$; exit 0").deploy(new_pem, soon())
    assert f"signal {getattr(signal, f'SIG{name}'):d}" in answer.message


@pytest.mark.parametrize("status", [0, 1, 75])
def test_what_can_not_be_killed_may_still_do_something_whatever_the_program_says(program, status):
    answer = program("exit 0")._meaning(_End({"status": status, "all_ended": False}, ""))
    assert answer.kind is Kind.UNKNOWN


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


def test_where_there_is_no_room_for_the_certificate_the_program_was_surely_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr(supervisor, "_prctl", lambda *_: None)  # it runs in this process
    monkeypatch.setattr(supervisor.tempfile, "tempdir", "/proc")  # a folder in which nothing can be made
    ran = tmp_path / "ran"
    job = supervisor.Job(
        command=["/bin/touch", str(ran)], environment={}, certificate="", deadline=time.monotonic() + 60
    )
    assert supervisor.run(job) == {"error": "No such file or directory"}
    assert not ran.exists()


def test_a_machine_that_starts_no_process_is_tried_again_and_not_taken_for_a_wrong_setting(
    program, new_pem, monkeypatch
):
    def exhausted(*_any, **_more):
        raise OSError(errno.EMFILE, "Too many open files")

    publisher = program("exit 0")
    monkeypatch.setattr(module, "_supervised", exhausted)
    answer = publisher.deploy(new_pem, soon())
    assert (answer.kind, answer.code, answer.lasting) == (Kind.FAILED, "publisher.not_started", False)
    assert "Too many open files" in answer.message
