"""Secrets stand beside the configuration, never in it: by ``{file: ...}`` or ``{env: ...}``."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from rotator.config.shape import Keys, mistake, place_of
from rotator.errors import Misconfigured
from rotator.secret import Secret

LARGEST_BYTES = 1 << 20
REFERENCE_KEYS = frozenset({"file", "env"})

_MEND = "Put the secret into a file that only rotator may read, and name it: {file: PATH} or {env: NAME}."
_OPEN_TO_OTHERS = stat.S_IWGRP | stat.S_IROTH | stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class SecretReference:
    """Where a secret is. It is read when it is needed, so that it may be renewed without a restart.

    Attributes:
        key: the key of the configuration that names it.
        folder: what a relative ``file`` starts from, unless systemd keeps it.
    """

    key: str
    folder: Path
    file: str | None = None
    env: str | None = None

    def path(self) -> Path | None:
        """Return the file that holds the secret; None when an environment variable does."""
        return None if self.file is None else place_of(self.folder, self.file)[0]

    def read(self) -> Secret:
        """Return the secret, without the newline that ends it. Raises Misconfigured, naming file and key.

        A file that others than its owner and group may read is refused. In systemd's credentials directory this is
        not looked at: there the mask of an access control list shows as the group's bits (systemd.exec(5)).
        """
        text = os.environ.get(self.env, "") if self.env is not None else self._text(self.file or "")
        text = text.removesuffix("\n").removesuffix("\r")
        if not text:
            raise self._wrong("is empty or not set", "Put the secret there.")
        return Secret(text)

    def _text(self, file: str) -> str:
        path, kept_by_systemd = place_of(self.folder, file)
        try:
            with path.open("rb") as stream:
                status = os.fstat(stream.fileno())
                if not kept_by_systemd and status.st_mode & _OPEN_TO_OTHERS:
                    raise self._wrong(
                        f"has mode {stat.S_IMODE(status.st_mode):04o}, so others can read or change it",
                        f"`chmod 600 {path}` (Kubernetes: defaultMode: 0440).",
                    )
                data = stream.read(LARGEST_BYTES + 1)
        except OSError as error:
            why = error.strerror or "it cannot be opened"
            raise self._wrong(
                f"cannot be read: {why}", "Create it, and let rotator's user read it."
            ) from None
        if len(data) > LARGEST_BYTES:
            raise self._wrong("has more than 1 MB, which no secret has", "Name the file of the secret.")
        try:
            return data.decode("utf-8-sig")  # editors of Windows put a mark before it
        except UnicodeDecodeError:
            raise self._wrong("is not text", "Write the secret as UTF-8 text.") from None

    def _wrong(self, what: str, mend: str) -> Misconfigured:
        where = f"environment variable {self.env}" if self.env is not None else str(self.path())
        return Misconfigured(f"{self.key}: {where} {what}", code="config.secret", hint=mend)


def _reference(value: object) -> SecretReference:
    if isinstance(value, SecretReference):
        return value
    if not isinstance(value, Keys):
        raise mistake("a secret must not stand in this file", _MEND)
    if len(value) != 1 or not value.keys() <= REFERENCE_KEYS:
        raise mistake("should have either `file` or `env`, and nothing else", _MEND)
    ((kind, target),) = value.items()
    if not isinstance(target, str) or not target or "\0" in target or (kind == "env" and "=" in target):
        raise mistake(f"`{kind}` should be a name that is not empty", _MEND)
    return SecretReference(value.path, value.folder, **{kind: target})


REFERENCE_SCHEMA = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
    "properties": {
        "file": {
            "type": "string",
            "description": "File that holds the secret. A relative path starts from systemd's credentials directory "
            "if the file is there (`/` is `_` in its name there), else from the folder of this file.",
        },
        "env": {"type": "string", "description": "Environment variable that holds the secret."},
    },
}

SecretField = Annotated[
    SecretReference,
    PlainValidator(_reference),
    PlainSerializer(lambda reference: {"file": reference.file} if reference.file else {"env": reference.env}),
    WithJsonSchema(REFERENCE_SCHEMA),
]
