"""The files by which systemd runs rotator: what they say on this machine, and where they go."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from rotator.errors import Misconfigured

MODE: Final = 0o644
_PLACES: Final = {
    "etc/systemd/system/rotator.service": "rotator.service",
    "etc/systemd/system/rotator-once.service": "rotator-once.service",
    "etc/systemd/system/rotator-once.timer": "rotator-once.timer",
    "etc/tmpfiles.d/rotator.conf": "rotator.tmpfiles",
}
_USERS_PLACE: Final = {"etc/sysusers.d/rotator.conf": "rotator.sysusers"}

# What the files say as they are shipped.
_PROGRAM, _CONFIG = "/opt/rotator/bin/rotator", "/etc/rotator/rotator.yaml"
_CREDENTIALS = "/etc/rotator/credentials"
_OF_DYNAMIC_USER = re.compile(r"(# (?!---).*\n)*DynamicUser=yes\nUser=rotator\n")  # and the comment before it
_HIDDEN: Final = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - nothing is written there
"""Folders that the service does not see, by ProtectHome= and PrivateTmp=."""

_PLAIN: Final = re.compile(r"/[A-Za-z0-9/._@+-]*")  # needs no quoting in a unit
_USER: Final = re.compile(r"[a-z_][a-z0-9_-]{0,30}")  # as systemd wants it, without what it merely tolerates


def files(program: Path, config: Path, user: str | None = None, root: Path = Path("/")) -> dict[Path, str]:
    """Return the files, each with its text.

    Args:
        program: the command ``rotator``, as the service shall start it.
        config: the configuration. Secrets are loaded from the folder ``credentials`` beside it, which is root's alone;
            the folder of the configuration itself is left as it is, for it may be one such as ``/etc``.
        user: who runs it, always the same; None: a user that exists while the service runs.
        root: below it they go, as for ``systemctl --root``.

    Raises Misconfigured when a path cannot stand in a unit, or no user has such a name.
    """
    for path in _named(program, config):
        if _PLAIN.fullmatch(str(path)) is None:
            raise Misconfigured(
                f"{path} is no path that can stand in a unit",
                code="install.path",
                hint="Name an absolute path of letters, digits and `._@+-/`.",
            )
    if user is not None and (_USER.fullmatch(user) is None or user == "root"):
        raise Misconfigured(
            f"{user!r} cannot be the user of the service",
            code="install.user",
            hint="Name one of lower-case letters, digits, `-` and `_`, and not root.",
        )
    places = _PLACES if user is None else _PLACES | _USERS_PLACE
    return {root / place: _said(source, program, config, user) for place, source in places.items()}


def see_to_sight(program: Path, config: Path) -> None:
    """Raise Misconfigured when the service could not see the program or its configuration."""
    for path in _named(program, config):
        for folder in _HIDDEN:
            if any(one.is_relative_to(folder) for one in (path, path.resolve())):
                raise Misconfigured(
                    f"{path} leads into {folder}, which the service does not see",
                    code="install.path",
                    hint="Install rotator into a virtual environment such as /opt/rotator, with a Python of the system, "
                    "and keep the configuration in /etc/rotator.",
                )


def difference(path: Path, text: str) -> Iterator[str]:
    """Yield the lines of a unified diff from what is there, if anything is, to what shall be there."""
    try:
        there = path.read_text(errors="replace").splitlines()
        before = str(path)
    except FileNotFoundError:
        there, before = [], "/dev/null"
    yield from difflib.unified_diff(there, text.splitlines(), before, str(path), lineterm="")


def commands(user: str | None = None) -> Mapping[str, str]:
    """Return what to do next, command by command, and why."""
    users = {} if user is None else {"systemd-sysusers rotator.conf": f"makes the user {user}"}
    return {
        **users,
        "systemd-tmpfiles --create rotator.conf": "makes the folder of the secrets, for root alone",
        "systemctl daemon-reload": "lets systemd read the units",
        "systemctl enable --now rotator": "runs the daemon, now and after each boot",
        "systemctl enable --now rotator-once.timer": "or, instead of a daemon: does all that is due every five minutes",
        "journalctl -p warning -u rotator": "shows what went wrong",
    }


def _said(source: str, program: Path, config: Path, user: str | None) -> str:
    text = (_shipped() / source).read_text()
    paths = {
        _PROGRAM: str(program),
        _CONFIG: str(config),
        _CREDENTIALS: str(config.with_name(Path(_CREDENTIALS).name)),
    }
    # All at once: what was put in may hold what is looked for.
    text = re.sub("|".join(map(re.escape, paths)), lambda found: paths[found[0]], text)
    if user is not None:
        text = _OF_DYNAMIC_USER.sub(f"User={user}\n", text).replace("\nu rotator ", f"\nu {user} ")
    return text


def _shipped() -> Traversable:
    """Return the folder of the files: part of the package once that is built, beside it in a checkout."""
    package = resources.files("rotator")
    built = package / "units"
    return built if built.is_dir() else Path(str(package)).parent / "systemd"


def _named(program: Path, config: Path) -> tuple[Path, ...]:
    return program, program.with_name("python"), config  # a virtual environment has its Python beside it
