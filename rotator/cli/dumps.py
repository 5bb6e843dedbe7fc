"""Private keys and tokens are in memory: the system is told to write that nowhere."""

from __future__ import annotations

import ctypes
import resource
import sys
from contextlib import suppress

_PR_SET_DUMPABLE = 4  # linux/prctl.h


def keep_out_of_dumps() -> None:
    """Let no core dump of this process be written, and no other process of the same user read its memory.

    A limit of 0 does not count where a program takes the dumps, as systemd-coredump does (core(5)), so on Linux the
    process is not dumpable either. That also keeps debuggers of anybody but root away. Programs that it starts inherit
    the limit alone.
    """
    with suppress(OSError, ValueError):  # where a filter of system calls refuses even that
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # a libc without it
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
