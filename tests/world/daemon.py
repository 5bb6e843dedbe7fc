"""The real daemon as a process: started, listened to, stopped, killed. What all daemons of a test say is one journal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

Line = dict[str, Any]
COMMAND = (sys.executable, "-m", "rotator", "run", "--config")
STOP_WITHIN_SECONDS = 30.0


SENT = "deploy.sent|deploy.unknown"
"""A deploy was handed over; the answer of a rude org may be lost on the way."""


class Journal:
    """The log lines of all daemons, in the order in which they came.

    Attributes:
        lines: those that are JSON.
        text: every line as it came, for whoever searches it.
    """

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.text: list[str] = []
        self._ended = False
        self._changed = threading.Condition()

    def write(self, raw: str) -> None:
        try:
            line = json.loads(raw)
        except ValueError:
            line = {}
        with self._changed:
            self.text.append(raw)
            if isinstance(line, dict) and "event" in line:
                self._note(line)
            self._changed.notify_all()

    def _note(self, line: Line) -> None:
        """Take a line that is an event. Nobody else reads or writes meanwhile."""
        self.lines.append(line)

    def end(self) -> None:
        """Note that a daemon ended that nobody ended: nothing is worth waiting for any more."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def mark(self) -> int:
        """Return where the journal ends now, to look at what comes after."""
        with self._changed:
            return len(self.lines)

    def find(self, event: str, since: int = 0, **fields: object) -> list[Line]:
        """Return the lines of an event that carry these fields."""
        with self._changed:
            return [line for line in self.lines[since:] if _matches(line, event, fields)]

    def alerts(self, since: int = 0) -> list[Line]:
        """Return the lines by which a person is called."""
        with self._changed:
            return [line for line in self.lines[since:] if line.get("alert")]

    def wait_for(self, event: str, since: int = 0, *, within_seconds: float = 60.0, **fields: object) -> Line:
        """Return the first such line, as soon as it is there. Raises AssertionError when it does not come.

        Events are separated by ``|`` where any of them will do.
        """
        give_up = time.monotonic() + within_seconds
        with self._changed:
            seen = since
            while True:
                for line in self.lines[seen:]:
                    if _matches(line, event, fields):
                        return line
                seen = len(self.lines)
                if self._ended or not self._changed.wait(max(0.0, give_up - time.monotonic())):
                    said = "".join(self.text[-25:])
                    raise AssertionError(
                        f"no {event} {fields} within {within_seconds:.0f} s; the last lines:\n{said}"
                    )


def _matches(line: Line, event: str, fields: dict[str, object]) -> bool:
    return line["event"] in event.split("|") and all(
        line.get(name) == value for name, value in fields.items()
    )


class Daemon:
    """One daemon at a time, which may be started again after its end. As a context manager it leaves no process.

    ``environment`` is what it is given beside ours.
    """

    def __init__(self, config: Path, journal: Journal, environment: Mapping[str, str] | None = None) -> None:
        self._config, self._journal = config, journal
        self._environment = {"RUNTIME_DIRECTORY": str(config.parent), **(environment or {})}
        self._process: subprocess.Popen[str] | None = None
        self._listener: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process is not None:
            self._end(subprocess.Popen.kill)

    @property
    def pid(self) -> int:
        assert self._process is not None, "the daemon does not run"
        return self._process.pid

    def start(self) -> None:
        assert self._process is None, "the daemon runs already"
        self._process = subprocess.Popen(
            [*COMMAND, str(self._config)],
            env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._listener = threading.Thread(target=self._listen, args=[self._process], daemon=True)
        self._listener.start()

    def freeze(self) -> None:
        """Let it stand still, as on a machine that is suspended, until :meth:`wake`."""
        os.kill(self.pid, signal.SIGSTOP)

    def wake(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def reload(self) -> None:
        """Let it read its configuration again."""
        os.kill(self.pid, signal.SIGHUP)

    def kill(self) -> None:
        """End it with SIGKILL. Raises AssertionError when it had ended by itself."""
        code = self._end(subprocess.Popen.kill)
        assert code == -signal.SIGKILL, f"the daemon had ended by itself with exit code {code}"

    def stop(self) -> tuple[int, float]:
        """Ask it to stop with SIGTERM; return its exit code and the seconds that it took."""
        began = time.monotonic()
        code = self._end(subprocess.Popen.terminate)
        return code, time.monotonic() - began

    def _end(self, how: Callable[[subprocess.Popen[str]], None]) -> int:
        process, self._process = self._process, None
        assert process is not None, "the daemon does not run"
        assert self._listener is not None
        how(process)
        try:
            process.wait(STOP_WITHIN_SECONDS)
        finally:
            process.kill()
            process.wait()
            self._listener.join()
        return process.returncode

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as stream:
            for raw in stream:
                self._journal.write(raw)
        if self._process is process:
            self._journal.end()
