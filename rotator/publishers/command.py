"""The publisher that is a program of the operator.

It gets the certificate (PEM) on standard input and as a file, and tells by its exit status what it did:

======================  =========================================================================================
0                       the certificate is in the app, or on its way there
75 (EX_TEMPFAIL)        surely nothing was done; to be tried again
1, 65 (EX_DATAERR)      refused: the app is as it was
anything else, timeout  perhaps done: the proofs find out, and the old certificate is brought back if need be
======================  =========================================================================================

It must be safe to run again with the same certificate: that is done where the daemon was killed meanwhile, for nobody
knows then how far the program came. Processes that it leaves behind are killed when it ends: what they did later could
undo a later deploy. It is killed with all of them when its time is over, and also when the daemon is gone: another one
takes over then. :mod:`rotator.publishers.supervisor` sees to that.
"""

from __future__ import annotations

import hashlib
import json
import os
import selectors
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from rotator.core.effects import Answer, Kind
from rotator.errors import Misconfigured, RotatorError, Transient
from rotator.finding import Finding
from rotator.publishers import TOO_LATE, failed, supervisor
from rotator.salesforce.appxml import certificate_der
from rotator.show.logs import redactor
from rotator.show.quoting import quote

MEANINGS: Final = {0: Kind.OK, 75: Kind.FAILED, 1: Kind.REFUSED, 65: Kind.REFUSED}
PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""What the program sees of the daemon's environment, which may hold credentials of Vault."""

ENDED: Final = "ended"
"""The ticket of a program whose end was seen, whatever it may mean. One without it was cut off with its daemon."""

_SUPERVISOR = (sys.executable, "-I", "-S", supervisor.__file__)
_GRACE_SECONDS = supervisor.KILLING_SECONDS + 10
"""So long after the deadline a supervisor that does not come to its end is waited for."""

_TAIL_BYTES = 4096
_LOOK_EVERY_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class _End:
    """How a program ended, and its last words."""

    report: supervisor.Report
    said: str


class CommandPublisher:
    """Runs a program for each deploy."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        credential: str,
        timeout: timedelta,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Prepare; ``command`` is the program and its arguments, which no shell reads."""
        self._command, self._credential = tuple(command), credential
        self._timeout, self._clock = timeout, clock

    def validate(self, certificate_pem: str, ticket: str | None) -> Answer:  # noqa: ARG002 - the protocol's
        """Look whether there is such a program; nothing more can be known without running it."""
        if (problem := self._missing()) is not None:
            return failed(problem, self._clock())
        return Answer(Kind.OK, self._clock(), message=f"{self._command[0]} can be run")

    def deploy(self, certificate_pem: str, send_before: datetime) -> Answer:
        """Run the program. It is killed at ``send_before`` at the latest."""
        left = min(self._timeout, send_before - self._clock()).total_seconds()
        try:
            return self._meaning(self._run(certificate_pem, left))
        except RotatorError as problem:
            return failed(problem, self._clock())

    def poll(self, certificate_pem: str, *, ticket: str | None, since: datetime, cancel: bool) -> Answer:  # noqa: ARG002 - the protocol's
        """A program that has ended can't be asked; whether the certificate is in, the proofs find out.

        One that was killed with its daemon is run again, unless that comes too late: most likely it did nothing.
        """
        if ticket is None and not cancel:
            return Answer(Kind.ABSENT, self._clock(), message="nobody saw the program end: it is run again")
        return Answer(Kind.OK, self._clock(), message="what the program did is for the proofs to find out")

    def certificate_shown(self) -> None:
        """Nobody who could look at the slot is known."""

    def verify(self) -> Iterator[Finding]:
        """Look whether the program can be run."""
        problem = self._missing()
        subject = f"{self._credential}: deploy"
        if problem is None:
            yield Finding(True, subject, f"{self._command[0]} can be run")
        else:
            yield Finding(False, subject, problem.message, problem.hint)

    def _missing(self) -> Misconfigured | None:
        found = shutil.which(self._command[0])
        return None if found else self._unfit("there is no such program, or it may not be run")

    def _unfit(self, why: str) -> Misconfigured:
        return Misconfigured(
            f"{self._command[0]} can't be run: {why}",
            code="publisher.command",
            hint="Check `deploy.command`: a list of the program and its arguments, executable for rotator's user.",
        )

    def _meaning(self, end: _End) -> Answer:
        said = f"; its last words: {quote(end.said)}" if end.said else ""
        if "status" not in end.report:
            return self._answer(Kind.UNKNOWN, f"nobody can say how the program ended{said}")
        status = end.report["status"]
        if status is None:
            return self._answer(Kind.UNKNOWN, f"the program did not end in time and was killed{said}")
        if not end.report["all_ended"]:
            return self._answer(Kind.UNKNOWN, f"what the program left behind can't be killed{said}")
        kind = MEANINGS.get(status, Kind.UNKNOWN)
        if status < 0:
            return self._answer(kind, f"the program was killed by signal {-status}{said}")
        return self._answer(kind, f"the program ended with status {status}{said if status else ''}")

    def _answer(self, kind: Kind, message: str) -> Answer:
        return Answer(
            kind,
            self._clock(),
            code=f"publisher.command.{kind}",
            message=message,
            hint="" if kind is Kind.OK else "See the program's own log.",
            ticket=ENDED if kind is Kind.UNKNOWN else None,
        )

    def _run(self, certificate_pem: str, seconds: float) -> _End:
        """Run the program with the certificate. Raises Misconfigured when it can't be started, Transient if too late."""
        job: supervisor.Job = {
            "command": list(self._command),
            "environment": self._environment(certificate_pem),
            "certificate": certificate_pem,
            "deadline": time.monotonic() + seconds,
        }
        try:
            report, tail = _supervised(job) if seconds > 0 else (supervisor.Report(late=True), b"")
        except (
            OSError
        ) as error:  # of our own interpreter; what is wrong with the program stands in the report
            raise Transient(
                f"no process could be started: {error.strerror or error}",
                code="publisher.not_started",
                hint="Are there too many processes or open files on this machine?",
            ) from None
        if "late" in report:
            raise Transient(
                "there is no time left to run the program", code="publisher.too_late", hint=TOO_LATE
            )
        if "error" in report:
            raise self._unfit(report["error"])
        said = redactor.text(tail.decode("utf-8", "replace"))
        return _End(report, said.strip().rpartition("\n")[2])

    def _environment(self, certificate_pem: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        fingerprint = hashlib.sha256(certificate_der(certificate_pem)).hexdigest()
        return {
            **kept,
            "ROTATOR_CREDENTIAL": self._credential,
            "ROTATOR_CERTIFICATE_SHA256": fingerprint,
        }


def _supervised(job: supervisor.Job) -> tuple[supervisor.Report, bytes]:
    """Have a job done, and return the report, empty if there is none, and the end of what the program said."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - a module of ours
                _SUPERVISOR,
                bufsize=0,
                stdin=theirs.fileno(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=job["environment"],
                start_new_session=True,
            )
        line = b""
        # Our end is closed before the process is waited for, whatever happens: that ends the program.
        with process, ours, ours.makefile("rb") as answer:
            with suppress(OSError):  # a job is shorter than what a socket holds: this does not wait
                ours.sendall(json.dumps(job).encode() + b"\n")
            tail = _watch(process, job["deadline"] + _GRACE_SECONDS)
            process.kill()  # it has ended, or hangs
            process.wait()
            with suppress(OSError):
                line = answer.read()
    return (json.loads(line) if line.endswith(b"\n") else {}), tail


def _watch(process: subprocess.Popen[bytes], until: float) -> bytes:
    """Read what a supervisor's program says until the supervisor ends; return the end of that."""
    tail = b""
    if process.stdout is None:
        raise ValueError("a process with a pipe is needed")
    os.set_blocking(process.stdout.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while (left := until - time.monotonic()) > 0:
            # What could not be killed may hold the pipe open: the supervisor's end alone is waited for.
            ended = process.poll() is not None
            ready = selector.select(0 if ended else min(left, _LOOK_EVERY_SECONDS))
            piece = process.stdout.read(_TAIL_BYTES) if ready else None
            if piece:
                tail = (tail + piece)[-_TAIL_BYTES:]
            elif ended:
                break
            elif ready:  # closed, but still running
                time.sleep(min(left, _LOOK_EVERY_SECONDS))
    return tail
