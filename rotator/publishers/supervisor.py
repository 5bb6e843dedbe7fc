"""Runs one program, and sees to it that nothing of it is left: not when it ends, not when time or the daemon is over.

A process of its own between the daemon and the program, because a daemon that is killed can end nothing any more. On
Linux every orphan among the program's descendants becomes its child (PR_SET_CHILD_SUBREAPER), also one with a session
of its own; so it can kill and reap them all, and none is left to a PID 1 that reaps nobody. Elsewhere it ends the
program's process group, and what left that group lives on.

It is run by its path and imports the standard library alone. Standard input is a socket to the daemon: one line of
JSON comes in, a job, and one goes out, a report. That the daemon closes it, or is gone, ends the program.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, TypedDict

KILLING_SECONDS: Final = 5.0
"""So long is tried to end what is left. A process of another user, or one that waits for a dead disk, may stay."""

_DAEMON: Final = 0  # the socket
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_LOOK_EVERY_SECONDS = 0.05


class Job(TypedDict):
    """What is to be run. ``deadline`` is on the clock of ``time.monotonic()``, which all processes share."""

    command: list[str]
    environment: dict[str, str]
    certificate: str
    deadline: float


class Report(TypedDict, total=False):
    """What came of it.

    Attributes:
        status: negative after a signal; None for a program that did not end by itself.
        all_ended: nothing that the program started is left.
        error: why it could not be started.
        late: it was not started, because time was over.
    """

    status: int | None
    all_ended: bool
    error: str
    late: bool


def main() -> None:
    """Take the job, do it, and report."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # Sent to everybody at once, by systemd or a terminal. The daemon decides; and a handler, unlike SIG_IGN, is
        # not passed on to the program.
        signal.signal(number, lambda *_: None)
    line = bytearray()
    while not line.endswith(b"\n"):
        piece = os.read(_DAEMON, 1 << 16)
        if not piece:
            return
        line += piece
    report = run(json.loads(line))
    with suppress(OSError):  # the daemon may be gone
        os.write(_DAEMON, json.dumps(report).encode() + b"\n")


def run(job: Job) -> Report:
    """Run the program to its end, or to ours."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    with ExitStack() as ending:
        try:
            folder = ending.enter_context(
                tempfile.TemporaryDirectory(prefix="rotator-", ignore_cleanup_errors=True)
            )
            if time.monotonic() >= job["deadline"]:
                return {"late": True}
            process = _start(job, Path(folder) / "certificate.pem")
        except OSError as error:
            return {"error": error.strerror or str(error)}
        status = _await(process.pid, job["deadline"])
        # Not reaped yet, so the number is still that of this group and of no other.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        return {"status": status, "all_ended": _end_children()}


def _start(job: Job, file: Path) -> subprocess.Popen[bytes]:
    """Start the program with the certificate, in a session of its own. Raises OSError."""
    file.touch(mode=0o600)
    file.write_text(job["certificate"], encoding="ascii")
    with file.open("rb") as certificate:
        return subprocess.Popen(  # noqa: S603 - the operator's own program, without a shell
            job["command"],
            stdin=certificate,
            env={**job["environment"], "ROTATOR_CERTIFICATE_FILE": str(file)},
            start_new_session=True,
            # It dies with us, should somebody kill us. One thread runs here: nothing can be locked in the child.
            preexec_fn=lambda: _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509 - see above
        )


def _await(pid: int, deadline: float) -> int | None:
    """Return the status with which a child ended, and leave it to be reaped; None if time or the daemon ended first."""
    while True:
        end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if end is not None:
            return end.si_status if end.si_code == os.CLD_EXITED else -end.si_status
        left = deadline - time.monotonic()
        if left <= 0 or select.select([_DAEMON], [], [], min(left, _LOOK_EVERY_SECONDS))[0]:
            return None  # whatever can be read there: the daemon has nothing more to say than its end


def _end_children() -> bool:
    """Kill and reap children until there are none; orphans become children in turn. Return whether all are gone."""
    give_up = time.monotonic() + KILLING_SECONDS
    while time.monotonic() < give_up:
        for pid in _children():
            # Only we reap, so the number can't be another's by now.
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            return True
        time.sleep(0.01)
    return False


def _children() -> list[int]:
    me, found = str(os.getpid()), []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # gone meanwhile
            # The name, in parentheses, may hold anything; state and parent follow (proc_pid_stat(5)).
            if file.read_text(errors="replace").rpartition(")")[2].split()[1] == me:
                found.append(int(file.parent.name))
    return found


def _prctl(option: int, value: int) -> None:
    """Ask the kernel for something that only Linux has."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main()
