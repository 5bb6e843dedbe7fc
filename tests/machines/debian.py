"""Debian to build machines and images on: one tree for all, made by debootstrap and kept for later runs.

A tree that is kept is never written to. Whoever wants to change something lays a layer of his own over it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

SUITE, PYTHON = "bookworm", "3.11"  # the oldest release with a Python that is new enough
PACKAGES = ("ca-certificates", "python3", "python3-venv", "systemd", "systemd-sysv")
"""What the tree holds beside what every Debian has."""

_UNUSED = (
    "var/cache/apt/archives",
    "var/lib/apt/lists",
    "usr/share/doc",
    "usr/share/locale",
    "usr/share/man",
)
_MOUNT = 'mount -t overlay overlay -o "$1" "$2"; shift 2; exec "$@"'


def base() -> Path:
    """Return the tree; the first call of all makes it, in some minutes. Others wait meanwhile.

    Raises AssertionError when apt knows no mirror of the release, or when debootstrap fails.
    """
    return kept("debian", [SUITE, *PACKAGES, *_UNUSED], _bootstrap)


def kept(kind: str, made_of: Sequence[str], make: Callable[[Path], None]) -> Path:
    """Return a folder that is made once for what it is made of, and kept in the user's cache.

    Args:
        kind: its name. One that was made of something else is removed.
        make: fills an empty folder.
    """
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rotator-tests"
    caches.mkdir(parents=True, exist_ok=True)
    folder = caches / f"{kind}-{hashlib.sha256(repr(made_of).encode()).hexdigest()[:12]}"
    with (caches / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            for old in caches.glob(f"{kind}-*"):
                shutil.rmtree(old)
            new = caches / f"{kind}-new"
            new.mkdir()
            make(new)
            new.rename(folder)
    return folder


@contextmanager
def layered(*lower: Path, upper: Path) -> Iterator[tuple[list[object], Path]]:
    """Lay a folder over trees, the first on top: yields the beginning of a command, and where it sees all as one tree.

    Nobody else sees it there, and it is gone with the command. What is written comes into ``upper``; the trees stay as
    they are.
    """
    work, at = (upper.with_name(f"{upper.name}.{name}") for name in ("work", "at"))
    for folder in (upper, work, at):
        folder.mkdir(parents=True, exist_ok=True)
    options = f"lowerdir={':'.join(map(str, lower))},upperdir={upper},workdir={work}"
    try:
        yield ["unshare", "--mount", "--", "sh", "-ec", _MOUNT, "sh", options, at], at
    finally:
        shutil.rmtree(work)
        at.rmdir()


def _bootstrap(folder: Path) -> None:
    # What it mounts in the tree is seen by nobody else, and gone with it.
    command = [
        "unshare",
        "--mount",
        "--",
        "debootstrap",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
    ]
    done = subprocess.run(
        [*command, SUITE, folder, _mirror()],
        env={**os.environ, **_proxy()},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    for unused in _UNUSED:
        shutil.rmtree(folder / unused)
        (folder / unused).mkdir()


def _mirror() -> str:
    """Return where apt gets this release from on this machine."""
    command = ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages", f"Release: {SUITE}"]
    sites = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert sites, f"apt knows no mirror of {SUITE}: add one to its sources"
    return sites[0]


def _proxy() -> Mapping[str, str]:
    """Return what debootstrap's wget has to know of a proxy that apt uses."""
    command = ["apt-config", "shell", "proxy", "Acquire::http::Proxy"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    return {"http_proxy": said.removeprefix("proxy=").strip("'")} if said else {}
