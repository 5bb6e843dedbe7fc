"""The documents as JSON: strict, versioned, and with errors that name path, key and mend.

Every document has a ``schema`` number. Unknown keys are refused: they come from a typing hand or a newer rotator,
and writing the document back would lose them. Times are RFC 3339, and UTC as all times of rotator.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, PlainSerializer, PlainValidator, TypeAdapter, ValidationError

from rotator.core.model import Record, Request, Serial
from rotator.core.soundness import Flaw, flaw_of
from rotator.errors import Misconfigured
from rotator.secret import Secret
from rotator.wording import one_line

SCHEMA = 1
MOST_VALUES = 50_000
"""A record with a hundred users, fifty changes and as many keys has some thousands. A mistake in each takes memory."""
YEARS = range(1900, 9000)
"""Of what has happened or is waited for, so that sums of times and durations are times as well."""

_SHOWN = 100  # characters of a key that is wrong
_MOST_COUNTED = 10**12

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

    def __init__(
        self,
        kind: type[T],
        mend: str,
        *,
        needed: Collection[str] = (),
        flaw_of: Callable[[T], Flaw | None] = lambda _document: None,
    ) -> None:
        """Prepare.

        Args:
            needed: keys without which a document would mean something else; other absent ones have their defaults.
            flaw_of: tells what cannot be in a document although each value by itself can.
        """
        self._mend, self._needed, self._flaw_of = mend, ("schema", *needed), flaw_of
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
                f"{path} was written by a newer rotator (schema {str(schema)[:_SHOWN]}; this one knows {SCHEMA})",
                code="vault.document.newer",
                hint="Upgrade this rotator, or stop it: two versions must not write the same documents.",
            )
        try:
            text = json.dumps({"document": data})
        except RecursionError:
            raise self._malformed(path, "", "is nested without end") from None
        if text.count(",") > MOST_VALUES:
            raise self._malformed(path, "", f"holds more than {MOST_VALUES} values")
        try:
            document = self._reader.model_validate_json(text).document
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False, include_context=False)[0]
            raise self._malformed(path, ".".join(map(str, first["loc"][1:])), first["msg"]) from None
        for key in self._needed:
            if key not in data:
                raise self._malformed(path, key, "is missing")
        for key, time in times(document):
            if time.utcoffset() is None:
                raise self._malformed(path, key, "a time without time zone")
            forever = key.startswith("keys.") and time.year >= YEARS.stop  # so certificates may say
            if time.year not in YEARS and not forever:
                raise self._malformed(path, key, f"the year {time.year}")
        if (flaw := self._flaw_of(document)) is not None:
            raise self._malformed(path, *flaw)
        return document

    def _malformed(self, path: str, key: str, what: str) -> Misconfigured:
        return Misconfigured(
            f"{path}: {one_line(key, _SHOWN) or 'the document'}: {one_line(what, 200)}",
            code="vault.document.malformed",
            hint=self._mend,
        )


def times(value: object, key: str = "") -> Iterator[tuple[str, datetime]]:
    """Yield every time within a document, with the key that leads to it."""
    if isinstance(value, datetime):
        yield key, value
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            yield from times(item, f"{key}.{number}")
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from times(getattr(value, field.name), f"{key}.{field.name}".lstrip("."))


def _token_flaw(document: TokenDocument) -> Flaw | None:
    for key, number in (("sequence", document.sequence), ("key_serial", document.key_serial)):
        if not 0 <= number <= _MOST_COUNTED:
            return key, f"should be a number from 0 to {_MOST_COUNTED}"
    return None


RECORD = Codec(
    Record,
    "Restore the last good version: `bao kv metadata get`, then `bao kv rollback -version=N`.",
    needed=("phase", "newest", "current", "keys"),
    flaw_of=flaw_of,
)
TOKEN = Codec(TokenDocument, "Delete it (`bao kv delete`): it is published anew.", flaw_of=_token_flaw)
KEY = Codec(KeyDocument, "Restore it from a backup of Vault, or rotate to a new key.")
REQUEST = Codec(
    RequestDocument, "Remove it (`bao kv metadata delete`), and ask again with a command of rotator."
)
