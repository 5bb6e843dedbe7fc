"""Files that are handed to people: whole or not at all, and never over what somebody edited."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Collection, Mapping
from operator import eq
from pathlib import Path

from rotator.errors import Misconfigured


def write_files(
    files: Mapping[Path, bytes],
    *,
    code: str,
    private: Collection[Path] = (),
    public: Collection[Path] = (),
    overwrite: bool = False,
    alike: Callable[[bytes, bytes], bool] = eq,
    hint: str = "Name another folder, or remove the file.",
) -> None:
    """Write files, and make their folders.

    Args:
        code: of the errors.
        private: files that nobody but their owner may read (mode 0600), whatever stood there before.
        public: files that everybody may read (mode 0644), whatever the umask.
        overwrite: write also over what differs.
        alike: tells whether a file that is there (first) may be taken for the one to be written.
        hint: what to do about a file that is there already.

    Raises Misconfigured, before anything is written, when a file is there with other content: it may have been
    edited. Also when a file can't be read or written.
    """
    path = next(iter(files))
    try:
        for path, content in files.items():
            if not overwrite and path.exists() and not alike(path.read_bytes(), content):
                raise Misconfigured(
                    f"{path} is there already and is not what would be written", code=code, hint=hint
                )
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, content, 0o600 if path in private else 0o644 if path in public else None)
    except OSError as error:
        raise Misconfigured(
            f"{path} can't be written: {error.strerror or error}",
            code=code,
            hint="Name a folder that rotator may write to.",
        ) from None


def _write(path: Path, content: bytes, mode: int | None) -> None:
    """Write a file under another name first: mode and content are right from the first moment on.

    Without a mode it has what the umask leaves of 0666.
    """
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        least = 0o666 if mode is None else mode & 0o600
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, least), "wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(content)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
