"""How the org's REST face answers: JSON, errors as arrays, dates, and who is calling."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from flask import Response, request

from rotator.sandbox.org.apps import API_ENABLED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rotator.sandbox.org.apps import User
    from rotator.sandbox.org.model import Org
    from rotator.sandbox.org.sessions import Session

_BEARER = re.compile(r"(?:Bearer|OAuth) ([\x21-\x7e]+)", re.IGNORECASE)
_JWT_SEGMENTS = 3


class ApiError(Exception):
    """An answer of the REST API that is no success."""

    def __init__(self, status: int, code: str, message: str, **more: object) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.more = status, code, message, more


def answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(body), status, headers, content_type="application/json;charset=UTF-8")


def error_answer(error: ApiError) -> Response:
    return answer([{"message": error.message, "errorCode": error.code, **error.more}], error.status)


def date_text(moment: datetime) -> str:
    """A date as the REST API writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+0000"


def xsd_date_text(moment: datetime) -> str:
    """A date as SOAP writes it (xsd:dateTime, which knows no +0000)."""
    return date_text(moment).replace("+0000", "Z")


SESSION_DEAD = ("INVALID_SESSION_ID", "Session expired or invalid")


def caller(org: Org) -> tuple[Session, User]:
    """The session and user of the request. Raises ApiError 401."""
    header = request.headers.get("Authorization", "")
    if not header:
        raise ApiError(401, *SESSION_DEAD)
    found = _BEARER.fullmatch(header)
    if not found:
        raise ApiError(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
    session = living_session(org, found[1], request.remote_addr or "")
    if session is None:
        if not found[1].startswith("00D") and len(found[1].split(".")) != _JWT_SEGMENTS:
            raise ApiError(401, "INVALID_JWT_FORMAT", "Invalid JWT format")
        raise ApiError(401, *SESSION_DEAD)
    return session, org.users[session.username]


def may_call_api(user: User, session: Session) -> bool:
    """Whether the user's profile and the token's scope open the API."""
    return API_ENABLED in user.permissions and bool({"api", "full"} & set(session.scope.split()))


def living_session(org: Org, token: str, address: str) -> Session | None:
    """The session behind a token that may be used from `address`, its activity counted."""
    session = org.sessions.find(token, org.elapsed())
    user = org.users.get(session.username) if session else None
    if session is None or user is None or not user.active:
        return None
    if org.knobs.lock_sessions_to_ip and address != session.address:
        return None
    session.touch(org.elapsed())
    return session
