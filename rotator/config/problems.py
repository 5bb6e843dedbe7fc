"""What is wrong with a configuration, where, and how to mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rotator.errors import Misconfigured

Loc = tuple[str | int, ...]
"""A key path in parts."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in the configuration. Never shows a value that may be secret.

    Attributes:
        line: counted from 1; None if it is about the file as a whole.
        key: key path as it is written in the file, such as ``credentials.acme.rotation.renew_before``.
        credential: the credential that the mistake is confined to; None if it concerns all, or all of an included file.
        written_in: where line and key are, if that is not the file that does not hold: it may not be there.
        follows_from: the credential whose mistakes are all that is wrong.
    """

    file: Path
    line: int | None
    key: str
    message: str
    mend: str
    credential: str | None = None
    written_in: Path | None = None
    follows_from: str | None = None

    @property
    def what(self) -> str:
        """File, line, key and message."""
        file = self.written_in or self.file
        where = str(file) if self.line is None else f"{file}:{self.line}"
        return f"{where}: {self.key}: {self.message}" if self.key else f"{where}: {self.message}"

    def __str__(self) -> str:
        return f"{self.what}\n  mend: {self.mend}"


class ConfigurationError(Misconfigured):
    """The configuration has mistakes; ``problems`` holds all of them, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(
            "\n".join(map(str, self.problems)),
            code="config.mistakes",
            hint="Mend the configuration; `rotator check` tells when it holds.",
        )


def problem_at(file: Path, line: int | None, path: Loc, message: str, mend: str) -> Problem:
    """Return the problem of the value at a key path."""
    credential = str(path[1]) if len(path) > 1 and path[0] == "credentials" else None
    return Problem(file, line, dotted(path), message, mend, credential)


def dotted(path: Loc) -> str:
    """Return a key path as text, such as ``credentials.acme.users[1]``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{_printable(part)}" for part in path)
    return text.removeprefix(".")


def _printable(key: str) -> str:
    return key if key.isprintable() else key.encode("unicode_escape").decode()
