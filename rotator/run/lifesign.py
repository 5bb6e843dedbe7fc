"""The sign of life: a file that the daemon touches as long as all of it moves, for `rotator alive` to look at.

It says nothing of Vault or Salesforce. Imports little, for it is asked often.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

FRESH_SECONDS = 30.0
"""The daemon touches it every second."""

_MODE = 0o600
_SERVICE = Path("/run/rotator")  # RuntimeDirectory= of the unit, which is there as long as the service runs


def place(config: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the daemon of a configuration leaves its sign of life.

    In the runtime directory: that of the service (systemd sets RUNTIME_DIRECTORY), else that of the user
    (XDG_RUNTIME_DIR), else the system's folder for temporary files. Each configuration, by its path, has its own.
    """
    folder = environment.get("RUNTIME_DIRECTORY", "").partition(":")[0] or environment.get("XDG_RUNTIME_DIR")
    return Path(folder or tempfile.gettempdir()) / _name(config)


def seen_at(config: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Return where to look for the sign of life of a daemon that may have another environment than who looks.

    Without a RUNTIME_DIRECTORY that is the one of the service, if a sign is there and we may see it: systemd removes
    the folder when the service ends, so none is left there by a daemon of the past. Else as in :func:`place`.
    """
    of_service = _SERVICE / _name(config)
    if not environment.get("RUNTIME_DIRECTORY") and os.path.lexists(of_service):
        return of_service
    return place(config, environment)


def _name(config: Path) -> str:
    return f"rotator-{hashlib.sha256(os.fsencode(config.absolute())).hexdigest()[:12]}.alive"


def give(file: Path) -> None:
    """Touch the file, which is made for us alone. Raises OSError, also for one that somebody else put there."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(file, flags, _MODE)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_nlink != 1:
            raise PermissionError(errno.EPERM, "it is no file of ours", str(file))
        os.fchmod(descriptor, _MODE)
        os.utime(descriptor)
    finally:
        os.close(descriptor)


def withdraw(file: Path) -> None:
    """Remove the file: the daemon has ended as it was told to."""
    with suppress(OSError):
        file.unlink()


def age_seconds(file: Path) -> float:
    """Return how long ago the last sign of life was given; below 0 if the clock was set back since.

    Raises FileNotFoundError, and PermissionError for a file that is not the asker's, unless root asks.
    """
    status = file.lstat()
    if not stat.S_ISREG(status.st_mode) or os.geteuid() not in (0, status.st_uid):
        raise PermissionError(errno.EPERM, "it belongs to somebody else", str(file))
    return time.time() - status.st_mtime


def is_fresh(seconds: float) -> bool:
    """Tell whether a daemon that gave its last sign so long ago is alive."""
    return -1 < seconds <= FRESH_SECONDS
