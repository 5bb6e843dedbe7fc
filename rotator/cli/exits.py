"""The exit codes of every command, in one place."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from rotator.errors import RotatorError, Transient


class Exit(IntEnum):
    """What a script can tell from the exit status."""

    OK = 0
    PROBLEM = 1
    USAGE = 2
    UNAVAILABLE = 3
    UNANSWERED = 4
    UNFORESEEN = 70  # EX_SOFTWARE of sysexits.h
    INTERRUPTED = 130  # 128 + SIGINT, as shells have it


MEANINGS: Final = {
    Exit.OK: "all is well",
    Exit.PROBLEM: "something is wrong, failed or was refused",
    Exit.USAGE: "the command line or the configuration is wrong",
    Exit.UNAVAILABLE: "Vault or Salesforce cannot be reached at the moment",
    Exit.UNANSWERED: "nobody answered the request in time; it waits in Vault",
    Exit.UNFORESEEN: "an error that nobody foresaw: a mistake of rotator",
    Exit.INTERRUPTED: "interrupted; what is half-way is in the record, and goes on",
}


def exit_of(error: RotatorError) -> Exit:
    """Return the exit code that an error stands for."""
    if error.code.startswith("config."):
        return Exit.USAGE
    return Exit.UNAVAILABLE if isinstance(error, Transient) else Exit.PROBLEM
