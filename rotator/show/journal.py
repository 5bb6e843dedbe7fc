"""The journal of systemd: whether it listens, and how it is told the level of a line.

A number in angle brackets before a line is its priority (sd-daemon(3)). The journal takes it off, so that
``journalctl -p warning`` picks by level and ``journalctl -o cat`` shows the bare line.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, TextIO

_PRIORITIES: Final = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
"""Those of syslog(3). Where a library has a level of its own, it was worth a line and is worth a look: a warning."""


def listens(stream: TextIO, environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a stream leads to the journal: JOURNAL_STREAM names its device and inode (systemd.exec(5)).

    The variable alone says nothing: a stream that was led elsewhere inherits it.
    """
    with suppress(OSError, ValueError):  # no file, or closed
        status = os.fstat(stream.fileno())
        return environment.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
    return False


def marked(text: str, level: str) -> str:
    """Return a text whose lines each carry a level, by its name in the event catalogue."""
    priority = _PRIORITIES.get(level, _PRIORITIES["warning"])
    return "\n".join(f"<{priority}>{line}" for line in text.split("\n"))
