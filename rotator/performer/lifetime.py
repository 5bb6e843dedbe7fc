"""How far the life of a session is proved."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rotator import events
from rotator.config import SecretReference
from rotator.errors import RotatorError, Transient
from rotator.events import Event
from rotator.performer.station import Station
from rotator.performer.toolbox import Toolbox
from rotator.salesforce.oauth import introspect
from rotator.secret import Secret
from rotator.show.logs import emit, redactor

MARGIN = 0.1  # for clocks that differ, and for how Salesforce counts


def proved_until(tools: Toolbox, station: Station, user: str, token: Secret, at: datetime) -> datetime:
    """Return how far a session will live whose token worked at a time.

    What introspection says (RFC 7662) where a client secret is given; else half the session timeout, because a call
    in the first half does not extend a session (Salesforce help 000383251). An introspection that fails takes
    nothing from consumers: it is told, and the setting counts.
    """
    half = station.terms.session_timeout / 2
    reference = station.config.session.client_secret
    if reference is None:
        return at + half
    try:
        ends = _introspected(tools, station, user, token, reference)
        if ends is None or ends <= at:
            raise _silent(user)
    except RotatorError as error:
        said: dict[str, Any] = {"code": error.code, "message": error.message, "hint": error.hint}
        _tell(station, events.INTROSPECTION_FAILED, user, error.code, said)
        return at + half
    station.warned.pop((events.INTROSPECTION_FAILED.name, user), None)
    if ends < at + half * (1 - MARGIN):
        said = {"seconds": (ends - at).total_seconds(), "expected_seconds": half.total_seconds()}
        _tell(station, events.SESSION_SHORT, user, "", said)
    else:
        station.warned.pop((events.SESSION_SHORT.name, user), None)
    return ends


def _introspected(
    tools: Toolbox, station: Station, user: str, token: Secret, reference: SecretReference
) -> datetime | None:
    """Return the end of a session as the org tells it; None where it does not. Raises RotatorError."""
    login, secret = station.login(user), reference.read()
    redactor.remember(secret, reference)
    said = introspect(
        tools.wires(),
        login.login_url,
        token,
        consumer_key=login.consumer_key,
        client_secret=secret,
        now=tools.clock(),
    )
    return said.expires_at if said.active else None


def _silent(user: str) -> Transient:
    return Transient(
        f"introspection does not tell how long the session of {user} lives, although its token works",
        code="salesforce.introspection_silent",
        hint="Does the client secret belong to consumer_key? Without session.client_secret half of session.timeout counts.",
    )


def _tell(station: Station, event: Event, user: str, code: str, said: dict[str, Any]) -> None:
    """Tell something on its edge: the same again is not told again."""
    if station.warned.get((event.name, user)) != code:
        station.warned[event.name, user] = code
        emit(event, credential=station.name, user=user, **said)
