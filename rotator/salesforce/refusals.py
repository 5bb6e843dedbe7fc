"""Reads a refusal, and returns the error that it means by the table."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from http import HTTPStatus

from rotator.errors import RotatorError
from rotator.salesforce.addresses import host_of
from rotator.salesforce.http import Reply
from rotator.salesforce.refusal_table import (
    NO_WORDS,
    OVERRIDING,
    REST,
    SECRET_HOLDER,
    TOKEN,
    UNKNOWN_WORDS,
    WORDLESS,
    Row,
)
from rotator.secret import Secret
from rotator.show.quoting import quote

_LONGEST_REFUSAL_BYTES = 1 << 16
_PLAIN = re.compile(r"(Bad|Missing)_OAuth_Token")  # what /services/oauth2/userinfo says, without JSON


def token_refusal(reply: Reply, hide: Iterable[Secret] = ()) -> RotatorError:
    """Return the error that a refusal of the token endpoint means.

    Args:
        hide: secrets that went out with the request, in case the answer repeats them.
    """
    return _refusal(reply, TOKEN, hide)


def secret_holder_refusal(reply: Reply, hide: Iterable[Secret] = ()) -> RotatorError:
    """Return the error that a refusal of introspection or revocation means. It never speaks of the key."""
    return _refusal(reply, SECRET_HOLDER, hide)


def rest_refusal(reply: Reply, hide: Iterable[Secret] = ()) -> RotatorError:
    """Return the error that a refusal of the REST API means."""
    return _refusal(reply, REST, hide)


def error_code(reply: Reply) -> str:
    """Return the error code of a refusal, such as ``NOT_FOUND``; empty where the answer holds none."""
    return _words(reply)[0]


def _refusal(reply: Reply, table: tuple[Row, ...], hide: Iterable[Secret]) -> RotatorError:
    error, words = _words(reply)
    row = _row(reply.status, error, words, table)
    reason = quote(": ".join(part for part in (error, words) if part), hide)
    wait = reply.retry_after_seconds
    return row.raises(
        f"{host_of(reply.url)} answered with status {reply.status}" + (f' and "{reason}"' if reason else ""),
        code=f"salesforce.{row.code}",
        hint=row.hint,
        maybe_done=reply.maybe_done,
        retry_after_seconds=row.retry_after_seconds if wait is None else wait,
        date=reply.date,
    )


def _row(status: int, error: str, words: str, table: tuple[Row, ...]) -> Row:
    if row := _find(OVERRIDING, str(status), ""):
        return row
    if table is REST and status == HTTPStatus.UNAUTHORIZED:
        error = "INVALID_SESSION_ID"  # whatever it is called, another token is the cure
    if error or words:
        return _find(table, error, words) or UNKNOWN_WORDS
    return _find(WORDLESS, str(status), "") or NO_WORDS


def _find(table: tuple[Row, ...], error: str, words: str) -> Row | None:
    for row in table:
        if re.fullmatch(row.error, error, re.IGNORECASE) and re.search(row.words, words, re.IGNORECASE):
            return row
    return None


def _words(reply: Reply) -> tuple[str, str]:
    """Return error code and description; both empty where the answer holds none."""
    try:
        found = json.loads(reply.body) if len(reply.body) <= _LONGEST_REFUSAL_BYTES else None
    except (ValueError, RecursionError):
        text = reply.text.strip()
        return (text, "") if _PLAIN.fullmatch(text) else ("", "")
    if isinstance(found, list) and found:  # the REST API sends a list; the first names the reason
        found = found[0]
    if not isinstance(found, dict):
        return "", ""
    error = found.get("error") or found.get("errorCode")
    words = found.get("error_description") or found.get("message")
    return (error if isinstance(error, str) else ""), (words if isinstance(words, str) else "")
