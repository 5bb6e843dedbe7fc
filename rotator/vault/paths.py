"""Where the documents live below the mount, and how names become path segments.

::

    <base>/<credential>/tokens/<user>
    <base>/<credential>/record
    <base>/<credential>/keys/<serial>
    <base>/-/requests/<credential>

A name is one segment. Letters, digits and ``@ . _ - +`` stand for themselves; every other byte of its UTF-8 form
is written as ``%XX`` (``o'brien@acme.example`` is stored as ``o%27brien@acme.example``), as are characters that
Vault would read as syntax where they stand: ``+`` at the beginning (a wildcard in policies), a ``.`` at the
beginning, at the end or after another one (parent references), and the name ``-`` (ours). Policies, ``bao kv`` and
the configuration of Vault Agent name the stored form; in a URL its ``%`` is written as ``%25``.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from rotator.errors import Misconfigured

_NOT_ITSELF = re.compile(r"[^A-Za-z0-9@._+-]|^[.+]|(?<=\.)\.|\.$|^-$")


def segment(name: str) -> str:
    """Return the path segment for a name. Different names have different segments. Raises Misconfigured if empty."""
    if not name:
        raise Misconfigured(
            "an empty name cannot be a path in Vault",
            code="vault.path",
            hint="Give the credential or user a name.",
        )
    return _NOT_ITSELF.sub(lambda match: _percent(match[0]), name)


def name_of(path_segment: str) -> str:
    """Return the name that a segment stands for."""
    return unquote(path_segment)


def folder(setting: str, path: str) -> str:
    """Return a mount or base path without its outer slashes. Raises Misconfigured on what policies cannot express."""
    path = path.strip("/")
    if any(not part or part != segment(part) for part in path.split("/")):
        raise Misconfigured(
            f"{path!r} cannot be used as {setting}",
            code="vault.path",
            hint="Use segments of letters, digits and @ . _ - + separated by single slashes.",
        )
    return path


class Paths:
    """The paths of all documents, relative to the mount."""

    def __init__(self, base: str) -> None:
        self.base = folder("base_path", base)

    def record(self, credential: str) -> str:
        return f"{self.base}/{segment(credential)}/record"

    def token(self, credential: str, user: str) -> str:
        return f"{self.base}/{segment(credential)}/tokens/{segment(user)}"

    def key(self, credential: str, serial: int) -> str:
        return f"{self.base}/{segment(credential)}/keys/{serial:d}"

    def requests(self) -> str:
        return f"{self.base}/-/requests"

    def request(self, credential: str) -> str:
        return f"{self.base}/-/requests/{segment(credential)}"


def _percent(character: str) -> str:
    quoted = quote(character, safe="")
    return quoted if quoted != character else f"%{ord(character):02X}"
