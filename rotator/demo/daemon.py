"""The real daemon, as a process of its own: started, listened to, killed."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

COMMAND = (sys.executable, "-m", "rotator.cli", "run", "--config")
_STOP_WITHIN_SECONDS = 20.0

LogLine = dict[str, Any]


def _environment() -> dict[str, str]:
    """Return our environment without what would speak to another daemon than this one."""
    foreign = {"NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY"}
    return {
        name: value
        for name, value in os.environ.items()
        if name not in foreign and not name.startswith(("ROTATOR_", "WATCHDOG_"))
    }


class Daemon:
    """One daemon at a time. What it logs is kept in a file and comes out of ``lines``."""

    def __init__(self, config: Path, log: Path, command: Sequence[str] = COMMAND) -> None:
        self.lines: queue.SimpleQueue[LogLine] = queue.SimpleQueue()
        self._command = [*command, str(config)]
        self._log = log
        self._process: subprocess.Popen[str] | None = None
        self._listener: threading.Thread | None = None

    @property
    def ended(self) -> int | None:
        """The exit code of a daemon that ended; None while it runs, or when none should."""
        return self._process.poll() if self._process else None

    def start(self) -> int:
        """Start it and return its process id."""
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            self._command,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C in the terminal is ours to handle
        )
        assert self._process.stderr is not None  # noqa: S101 - tells mypy of stderr=PIPE
        self._listener = threading.Thread(target=self._listen, args=[self._process.stderr], daemon=True)
        self._listener.start()
        return self._process.pid

    def kill(self) -> None:
        """Kill it with SIGKILL: it has no time for anything."""
        if self._process:
            self._process.kill()
            self._reap()

    def stop(self) -> int | None:
        """Ask it to stop (SIGTERM), and return its exit code; None when it did not run."""
        if self._process is None:
            return None
        self._process.terminate()
        return self._reap()

    def _reap(self) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        try:
            process.wait(_STOP_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._listener:
            self._listener.join()
        return process.returncode

    def _listen(self, stream: TextIO) -> None:
        with stream, self._log.open("a") as log:
            for line in stream:
                log.write(line)
                log.flush()
                try:
                    said = json.loads(line)
                except ValueError:
                    continue  # a traceback before logging is set up: it is in the file
                if isinstance(said, dict) and "event" in said:
                    self.lines.put(said)
