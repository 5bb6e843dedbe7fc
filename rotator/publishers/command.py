"""The publisher that is a program of the operator.

It gets the certificate (PEM) on standard input and as a file, and tells by its exit status what it did:

======================  =========================================================================================
0                       the certificate is in the app, or on its way there
75 (EX_TEMPFAIL)        surely nothing was done; to be tried again
1, 65 (EX_DATAERR)      refused: the app is as it was
anything else, timeout  perhaps done: the proofs find out, and the old certificate is brought back if need be
======================  =========================================================================================

It must be safe to run again with the same certificate. Processes that it leaves behind are killed when it ends: what
they did later could undo a later deploy.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from rotator.core.effects import Answer, Kind
from rotator.errors import Misconfigured
from rotator.finding import Finding
from rotator.publishers import failed
from rotator.salesforce.appxml import certificate_der
from rotator.salesforce.refusals import quote
from rotator.show.logs import redactor

MEANINGS: Final = {0: Kind.OK, 75: Kind.FAILED, 1: Kind.REFUSED, 65: Kind.REFUSED}
PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""What the program sees of the daemon's environment, which may hold credentials of Vault."""

_TAIL_BYTES = 4096
_LOOK_EVERY_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class _End:
    """How a program ended. ``status`` is None after a timeout, negative after a signal."""

    status: int | None
    tail: str


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
        if left <= 0:
            message = "there is no time left to run the program"
            return Answer(Kind.FAILED, self._clock(), code="publisher.too_late", message=message)
        try:
            end = self._run(certificate_pem, left)
        except Misconfigured as problem:
            return failed(problem, self._clock())
        return self._meaning(end)

    def poll(self, certificate_pem: str, *, ticket: str | None, since: datetime, cancel: bool) -> Answer:  # noqa: ARG002 - the protocol's
        """A program that has ended can't be asked; whether the certificate is in, the proofs find out."""
        return Answer(Kind.OK, self._clock(), message="what the program did is for the proofs to find out")

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
        said = f"; its last words: {quote(end.tail)}" if end.tail else ""
        if end.status is None:
            return self._answer(Kind.UNKNOWN, f"the program did not end in time and was killed{said}")
        kind = MEANINGS.get(end.status, Kind.UNKNOWN)
        if end.status < 0:
            return self._answer(kind, f"the program was killed by signal {-end.status}{said}")
        return self._answer(kind, f"the program ended with status {end.status}{said if end.status else ''}")

    def _answer(self, kind: Kind, message: str) -> Answer:
        hint = "" if kind is Kind.OK else "See the program's own log."
        return Answer(kind, self._clock(), code=f"publisher.command.{kind}", message=message, hint=hint)

    def _run(self, certificate_pem: str, seconds: float) -> _End:
        """Run the program with the certificate. Raises Misconfigured when it can't be started."""
        deadline = time.monotonic() + seconds
        with (
            tempfile.TemporaryDirectory(prefix="rotator-", ignore_cleanup_errors=True) as folder,
            self._started(certificate_pem, Path(folder)) as process,
        ):
            try:
                tail = _watch(process, certificate_pem.encode("ascii"), deadline)
                in_time = _has_ended(process)
            finally:
                # Not reaped yet, so the number is still that of this group and of no other.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            status = process.wait()
        said = redactor.text(tail.decode("utf-8", "replace"))
        return _End(status if in_time else None, said.strip().rpartition("\n")[2])

    def _started(self, certificate_pem: str, folder: Path) -> subprocess.Popen[bytes]:
        file = folder / "certificate.pem"
        try:
            file.touch(mode=0o600)
            file.write_text(certificate_pem, encoding="ascii")
            return subprocess.Popen(  # noqa: S603 - the operator's own program, without a shell
                self._command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=self._environment(file, certificate_pem),
                start_new_session=True,
            )
        except OSError as error:
            raise self._unfit(error.strerror or str(error)) from None

    def _environment(self, file: Path, certificate_pem: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        fingerprint = hashlib.sha256(certificate_der(certificate_pem)).hexdigest()
        return {
            **kept,
            "ROTATOR_CREDENTIAL": self._credential,
            "ROTATOR_CERTIFICATE_FILE": str(file),
            "ROTATOR_CERTIFICATE_SHA256": fingerprint,
        }


def _watch(process: subprocess.Popen[bytes], given: bytes, deadline: float) -> bytes:
    """Feed a program and read what it says until it ends or time is over; return the end of that."""
    tail = b""
    if process.stdin is None or process.stdout is None:
        raise ValueError("a process with pipes is needed")
    # It may not care, or be gone already. A pipe holds more than a certificate has: this does not wait.
    with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
        pipe.write(given)
    os.set_blocking(process.stdout.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            # A process that it left behind may hold the pipe open: its end alone is waited for.
            ended = _has_ended(process)
            ready = selector.select(0 if ended else min(left, _LOOK_EVERY_SECONDS))
            piece = process.stdout.read(_TAIL_BYTES) if ready else None
            if piece:
                tail = (tail + piece)[-_TAIL_BYTES:]
            elif ended:
                break
            elif ready:  # closed, but still running
                time.sleep(min(left, _LOOK_EVERY_SECONDS))
    return tail


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether a child has ended, and leave it to be reaped."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
