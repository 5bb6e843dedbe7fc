"""Mint, verify and publish access tokens."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from rotator import events
from rotator.core.effects import Answer, Kind, Mint, Touch
from rotator.core.model import Serial
from rotator.errors import Conflict, KeyRefused, RotatorError, SessionDead
from rotator.performer.identity import identity_of, mismatch, stopped
from rotator.performer.station import Station
from rotator.performer.tell import iso
from rotator.performer.toolbox import Toolbox, is_about_document, refused
from rotator.salesforce.oauth import Grant, introspect, revoke
from rotator.salesforce.rest import Org, query_accounts
from rotator.show.logs import emit, redactor
from rotator.vault.codec import TokenDocument


def perform_mint(tools: Toolbox, station: Station, action: Mint) -> Answer:
    """Trade an assertion for a token and publish it. With ``revoke`` the present session is ended first."""
    known, version = published(tools, station, action.user)
    if action.revoke:
        _end_session(tools, station, action, known)
    try:
        grant, serial = tools.mint_first(station, action.user, action.serials)
    except KeyRefused as error:
        return refused(error, tools.clock())
    if (differs := mismatch(station, grant)) is not None:
        return stopped(station, differs, tools.clock())
    document = _document(tools, station, action.user, (grant, serial), known)
    if document is None:
        return Answer(
            Kind.FAILED,
            tools.clock(),
            code="salesforce.dead_token_again",
            message=f"the org gave {action.user} a token that it does not take",
            hint="Its session is ending; a new one is minted in a while.",
        )
    publish(tools, station, action.user, document, version)
    _tell(station, document, known)
    identity = identity_of(station, grant) if station.record.identity is None else None
    return Answer(Kind.OK, tools.clock(), serial=serial, identity=identity)


def _end_session(tools: Toolbox, station: Station, action: Mint, known: TokenDocument | None) -> None:
    """End the session that a leaked key may have opened.

    Repeated grants share one session, so a mint finds the one of a token that is not published (any more).
    """
    if known is not None:
        revoke(tools.wires(), known.instance_url, known.access_token)
    else:
        try:
            grant, _serial = tools.mint_first(station, action.user, action.serials)
        except KeyRefused:
            return
        if mismatch(station, grant) is not None:
            return
        revoke(tools.wires(), grant.instance_url, grant.access_token)
    serial = known.key_serial if known else None
    emit(events.TOKEN_REVOKED, credential=station.name, user=action.user, key_serial=serial)


def _document(
    tools: Toolbox, station: Station, user: str, taken: tuple[Grant, Serial], known: TokenDocument | None
) -> TokenDocument | None:
    """Return what is to be published; None when the org gave a token that is dead."""
    grant, serial = taken
    org, now = tools.org(station, grant), tools.clock()
    unchanged = known is not None and known.access_token == grant.access_token
    if (
        known is None
        or not unchanged
        or station.record.trouble_of(f"token:{user}")
        or now >= known.expires_at
    ):
        proved = _proved(tools, station, user, grant, org)
        if proved is None:
            return None
        verified_at, expires_at = proved
    else:
        verified_at, expires_at = known.verified_at, grant.expires_at or known.expires_at
    facts = station.record.key(serial)
    refresh_after = now + station.terms.refresh_every
    if grant.is_jwt:  # it ends when it says so, however the settings are
        refresh_after = min(refresh_after, now + (expires_at - now) / 2)
    return TokenDocument(
        access_token=grant.access_token,
        token_type=grant.token_type,
        instance_url=grant.instance_url,
        org_id=grant.org_id,
        username=user,
        issued_at=known.issued_at if known is not None and unchanged else now,
        verified_at=verified_at,
        expires_at=expires_at,
        refresh_after=refresh_after,
        api_version=org.api_version or "",
        key_serial=serial,
        key_fingerprint=facts.fingerprint if facts else "",
        sequence=next_sequence(station, user),
        prolongable=not grant.is_jwt,
    )


def _proved(
    tools: Toolbox, station: Station, user: str, grant: Grant, org: Org
) -> tuple[datetime, datetime] | None:
    """Return when a token was proved, and how far its life is; None if it is dead.

    A token in JWT format begins with its grant and names its end. Any other may belong to a session that somebody
    else opened long ago (grants of one app and user share it, and a mint may not count as a call), so it is called.
    """
    if not grant.is_jwt:
        try:
            query_accounts(tools.wires(), org, station.config.proof.query)
        except SessionDead:
            return None
    at = tools.clock()
    return at, proved_until(tools, station, user, grant, at)


def proved_until(tools: Toolbox, station: Station, user: str, grant: Grant, at: datetime) -> datetime:
    """Return how far the life of a token is proved that worked at a time.

    What the token, the answer or introspection (RFC 7662) says of it; else half the session timeout, because a call
    in the first half does not extend a session (Salesforce help 000383251).
    """
    if grant.expires_at is not None:
        return grant.expires_at
    reference = station.config.session.client_secret
    if reference is not None:
        login, client_secret = station.login(user), reference.read()
        redactor.remember(client_secret, reference)
        said = introspect(
            tools.wires(),
            login.login_url,
            grant.access_token,
            consumer_key=login.consumer_key,
            client_secret=client_secret,
        )
        if said.active and said.expires_at is not None:
            return said.expires_at
    return at + station.terms.session_timeout / 2


def perform_touch(tools: Toolbox, station: Station, action: Touch) -> Answer:
    """Query Accounts with the published token, and publish how far that proves it."""
    known, version = published(tools, station, action.user)
    if known is None:
        return Answer(Kind.FAILED, tools.clock(), code="token.absent", message="no token is published")
    org = Org(known.instance_url, known.access_token, known.api_version)
    try:
        query_accounts(tools.wires(), org, station.config.proof.query)
    except SessionDead as error:
        return refused(error, tools.clock())
    now = tools.clock()
    proved = now + station.terms.session_timeout / 2 if known.prolongable else known.expires_at
    document = replace(
        known,
        verified_at=now,
        expires_at=max(proved, known.expires_at),
        sequence=next_sequence(station, action.user),
    )
    try:
        publish(tools, station, action.user, document, version)
    except Conflict:
        raise
    except RotatorError:
        # The session lives on, whatever Vault says. It is called again, until this can be written.
        station.tokens[action.user] = (replace(known, expires_at=document.expires_at), version)
        raise
    return Answer(Kind.OK, tools.clock())


def published(tools: Toolbox, station: Station, user: str) -> tuple[TokenDocument | None, int]:
    """Return what consumers read, and its version; read it if that is not known (any more).

    While Vault does not answer, what was known stands: a session is kept alive by it, and a write over another
    document is a conflict.
    """
    if user in station.tokens and user not in station.stale:
        return station.tokens[user]
    known: tuple[TokenDocument | None, int] = (None, 0)
    if station.config.publish:
        try:
            known = tools.documents.read_token(station.name, user)
        except RotatorError as error:
            if user not in station.tokens or is_about_document(error):
                raise
            return station.tokens[user]
    station.stale.discard(user)
    if user in station.tokens and _is_same(known, station.tokens[user]):
        return station.tokens[user]  # nobody wrote; what calls have proved meanwhile stands
    station.tokens[user] = known
    document, version = known
    if document is not None:
        highest = station.sequences.get(user, 0)
        if document.sequence < highest:
            emit(events.VAULT_WENT_BACK, credential=station.name, document=f"tokens/{user}", version=version)
        station.sequences[user] = max(highest, document.sequence)
    return known


def _is_same(one: tuple[TokenDocument | None, int], other: tuple[TokenDocument | None, int]) -> bool:
    """Tell whether two are the same publication."""
    (first, version), (second, known_version) = one, other
    if first is None or second is None:
        return one == other
    same = first.sequence == second.sequence and first.access_token == second.access_token
    return same and version == known_version


def publish(tools: Toolbox, station: Station, user: str, document: TokenDocument, version: int) -> None:
    """Write what consumers read; the token of a deployer stays in memory."""
    written = version
    if station.config.publish:
        written = tools.documents.write_token(station.name, user, document, version)
    station.tokens[user] = (document, written)
    station.sequences[user] = document.sequence


def next_sequence(station: Station, user: str) -> int:
    """Return the number of the next publication, which is higher than any that consumers may have seen."""
    known, _version = station.tokens.get(user, (None, 0))
    return max(known.sequence if known else 0, station.sequences.get(user, 0)) + 1


def _tell(station: Station, document: TokenDocument, known: TokenDocument | None) -> None:
    if not station.config.publish:
        return
    emit(
        events.TOKEN_PUBLISHED,
        credential=station.name,
        user=document.username,
        key_serial=document.key_serial,
        sequence=document.sequence,
        expires_at=iso(document.expires_at),
        refresh_after=iso(document.refresh_after),
        unchanged=known is not None and known.access_token == document.access_token,
    )
