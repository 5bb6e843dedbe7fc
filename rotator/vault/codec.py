"""The documents as JSON: strict, versioned, and with errors that name path, key and mend.

Every document has a ``schema`` number. Unknown keys are refused: they come from a typing hand or a newer rotator,
and writing the document back would lose them. Times are RFC 3339, and UTC as all times of rotator.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, PlainSerializer, PlainValidator, TypeAdapter, ValidationError

from rotator.core.model import Record, Request, Serial
from rotator.errors import Misconfigured
from rotator.secret import Secret

SCHEMA = 1

T = TypeVar("T")


def _hide(value: object) -> Secret:
    if not isinstance(value, str) or not value:
        raise ValueError("should be a text that is not empty")
    return Secret(value)


SecretText = Annotated[Secret, PlainValidator(_hide), PlainSerializer(lambda secret: secret.reveal())]


@dataclass(frozen=True, slots=True)
class TokenDocument:
    """What consumers read: a working access token and how to use it.

    Attributes:
        expires_at: how far the token's life is proved, never more.
        refresh_after: when the next one is due; consumers should have read again by ``expires_at``.
        prolongable: a call extends the session (opaque token, not JWT format).
        sequence: counts publications.
    """

    access_token: SecretText
    token_type: str
    instance_url: str
    org_id: str
    username: str
    issued_at: datetime
    verified_at: datetime
    expires_at: datetime
    refresh_after: datetime
    api_version: str
    key_serial: Serial
    key_fingerprint: str
    sequence: int
    prolongable: bool
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class KeyDocument:
    """A key pair as it is stored."""

    private_key_pem: SecretText
    certificate_pem: str
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class RequestDocument:
    """A request of an operator as it is stored. ``payload`` holds what `adopt` brings."""

    request: Request
    payload: dict[str, SecretText]
    schema: int = SCHEMA


class _Strict(BaseModel, Generic[T]):
    """Carries the strict settings down to the plain dataclasses within."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)
    document: T


class Codec(Generic[T]):
    """Turns one kind of document into JSON data and back. ``mend`` is what a person does about a malformed one."""

    def __init__(self, kind: type[T], mend: str) -> None:
        self._mend = mend
        self._reader = _Strict[kind]  # type: ignore[valid-type] # a generic model is made at run time
        self._writer = TypeAdapter(kind)

    def encode(self, document: T) -> dict[str, Any]:
        """Return the JSON data of a document."""
        data: dict[str, Any] = self._writer.dump_python(document, mode="json")
        return data

    def decode(self, data: dict[str, Any], path: str) -> T:
        """Return the document. Raises Misconfigured, naming path and key."""
        schema = data.get("schema")
        if isinstance(schema, int) and schema > SCHEMA:
            raise Misconfigured(
                f"{path} was written by a newer rotator (schema {schema}; this one knows {SCHEMA})",
                code="vault.document.newer",
                hint="Upgrade this rotator, or stop it: two versions must not write the same documents.",
            )
        try:
            document = self._reader.model_validate_json(json.dumps({"document": data})).document
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False, include_context=False)[0]
            raise self._malformed(path, ".".join(map(str, first["loc"][1:])), first["msg"]) from None
        for key, time in _times(document):
            if time.utcoffset() is None:
                raise self._malformed(path, key, "a time without time zone")
        return document

    def _malformed(self, path: str, key: str, what: str) -> Misconfigured:
        return Misconfigured(
            f"{path}: {key or 'the document'}: {what[:200]}", code="vault.document.malformed", hint=self._mend
        )


RECORD = Codec(
    Record, "Restore the last good version: `bao kv metadata get`, then `bao kv rollback -version=N`."
)
TOKEN = Codec(TokenDocument, "Delete it (`bao kv delete`): it is published anew.")
KEY = Codec(KeyDocument, "Restore it from a backup of Vault, or rotate to a new key.")
REQUEST = Codec(
    RequestDocument, "Remove it (`bao kv metadata delete`), and ask again with a command of rotator."
)


def _times(value: object, key: str = "") -> Iterator[tuple[str, datetime]]:
    """Yield every time within a document, with the key that leads to it."""
    if isinstance(value, datetime):
        yield key, value
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            yield from _times(item, f"{key}.{number}")
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _times(getattr(value, field.name), f"{key}.{field.name}".lstrip("."))
