"""A command on a terminal of a given size, as a person sees it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pyte

CEILING_SECONDS = 90.0
UNWANTED = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE")


class _Screen(pyte.Screen):
    """A screen that shows faint letters as slanted ones: pyte knows no faint ones, and rotator slants nothing."""

    FAINT, SLANTED = 2, 3

    def select_graphic_rendition(self, *attributes: int) -> None:
        slanted = (self.SLANTED if one == self.FAINT else one for one in attributes)
        super().select_graphic_rendition(*slanted)


class Terminal:
    """A process on a pseudo-terminal; what it writes is drawn on a screen."""

    def __init__(
        self,
        *command: object,
        columns: int = 80,
        rows: int = 40,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.screen = _Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.written = b""
        self._code: int | None = None
        clean = {name: value for name, value in os.environ.items() if name not in UNWANTED}
        self._pid, self._pty = pty.fork()
        if self._pid == 0:
            os.chdir(cwd or ".")
            os.execvpe(
                str(command[0]),
                [str(one) for one in command],
                clean | {"TERM": "xterm-256color"} | dict(env or {}),
            )
        fcntl.ioctl(self._pty, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @classmethod
    def rotator(cls, *arguments: object, config: Path, **more: object) -> Terminal:
        """Run a command of rotator."""
        env = {"ROTATOR_CONFIG": str(config)} | dict(more.pop("env", {}))
        return cls(sys.executable, "-m", "rotator", *arguments, env=env, **more)

    @property
    def lines(self) -> list[str]:
        """What is seen, without blanks at the ends of lines and empty lines at the end."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip().split("\n")

    def until(self, seen: Callable[[list[str]], bool]) -> list[str]:
        """Read until something is seen on the screen, and return the screen."""
        give_up = time.monotonic() + CEILING_SECONDS
        while not seen(self.lines):
            assert time.monotonic() < give_up, self.lines
            assert self._read(), f"it ended before that was seen: {self.lines}"
        return self.lines

    def send(self, number: signal.Signals) -> None:
        os.kill(self._pid, number)

    def press(self, keys: bytes) -> None:
        """Type something; ``\\x03`` is Ctrl-C."""
        os.write(self._pty, keys)

    def end(self) -> int:
        """Read until it ends, and return its exit code."""
        if self._code is None:
            while self._read():
                pass
            os.close(self._pty)
            self._code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return self._code

    def _read(self) -> bool:
        """Draw what was written since; False at its end."""
        ready, _, _ = select.select([self._pty], [], [], CEILING_SECONDS)
        assert ready, f"nothing was written for long: {self.lines}"
        try:
            data = os.read(self._pty, 65536)
        except OSError:  # how Linux says that nobody has the other side any more
            return False
        self.written += data
        self._stream.feed(data)
        return bool(data)
