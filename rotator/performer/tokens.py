"""Mint, verify and publish access tokens."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from rotator import events
from rotator.core.effects import Answer, Kind, Mint, Revoke, Touch
from rotator.core.model import Serial
from rotator.errors import Conflict, KeyRefused, RotatorError, SessionDead
from rotator.performer.identity import identity_of, mismatch, stopped
from rotator.performer.lifetime import proved_until
from rotator.performer.station import Station
from rotator.performer.tell import iso
from rotator.performer.toolbox import Toolbox, is_about_document, refused
from rotator.salesforce.oauth import Grant, revoke
from rotator.salesforce.rest import Org, query_accounts
from rotator.show.logs import emit
from rotator.vault.codec import TokenDocument

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
SHARE = 8  # of the period of refreshes: a session that runs out can't be prolonged by mints, so they don't pile up


def perform_mint(tools: Toolbox, station: Station, action: Mint) -> Answer:
    """Trade an assertion for a token and publish it."""
    known, version = published(tools, station, action.user)
    try:
        grant, serial = tools.mint_first(station, action.user, action.serials)
    except KeyRefused as error:
        return refused(error, tools.clock())
    if (differs := mismatch(station, grant.org_id)) is not None:
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


def perform_revoke(tools: Toolbox, station: Station, action: Revoke) -> Answer:
    """End the session that a leaked key may have opened.

    Repeated grants share one session, so a mint finds the one of a token that is not published (any more). A session
    that is over already is no error: whoever is killed before this is recorded does it again, to no harm.
    """
    known, _version = published(tools, station, action.user)
    if known is not None:
        instance_url, token, serial = known.instance_url, known.access_token, known.key_serial
    else:
        try:
            grant, serial = tools.mint_first(station, action.user, action.serials)
        except KeyRefused as error:
            return refused(error, tools.clock())
        if (differs := mismatch(station, grant.org_id)) is not None:
            return stopped(station, differs, tools.clock())
        instance_url, token = grant.instance_url, grant.access_token
    revoke(tools.wires(), instance_url, token)
    emit(events.TOKEN_REVOKED, credential=station.name, user=action.user, key_serial=serial)
    return Answer(Kind.OK, tools.clock())


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
        or user in station.unreconciled
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
    return TokenDocument(
        access_token=grant.access_token,
        token_type=grant.token_type,
        instance_url=grant.instance_url,
        org_id=grant.org_id,
        username=user,
        issued_at=known.issued_at if known is not None and unchanged else now,
        verified_at=verified_at,
        expires_at=expires_at,
        refresh_after=_refresh_after(station, grant, expires_at, now),
        api_version=org.api_version or "",
        key_serial=serial,
        key_fingerprint=facts.fingerprint if facts else "",
        sequence=next_sequence(station, user),
        prolongable=grant.expires_at is None,
    )


def _refresh_after(station: Station, grant: Grant, expires_at: datetime, now: datetime) -> datetime:
    """Return when a token is minted and read again: well before it ends, however the settings are."""
    every, left = station.terms.refresh_every, expires_at - now
    soon = left - station.config.session.consumer_lag if grant.expires_at is None else left / 2
    return now + min(every, max(soon, every / SHARE))


def _proved(
    tools: Toolbox, station: Station, user: str, grant: Grant, org: Org
) -> tuple[datetime, datetime] | None:
    """Return when a token was proved, and how far its life is; None if it is dead.

    A token in JWT format begins with its grant and names its end. Any other may belong to a session that somebody
    else opened long ago (grants of one app and user share it, and a mint may not count as a call), so it is called;
    and so is any that follows one in trouble, which may be refused as that was.
    """
    at = tools.clock()  # what a slow answer took is not proved
    if not grant.is_jwt or station.record.trouble_of(f"token:{user}"):
        try:
            query_accounts(tools.wires(), org, station.config.proof.query)
        except SessionDead:
            return None
    return at, grant.expires_at or proved_until(tools, station, user, grant.access_token, at)


def perform_touch(tools: Toolbox, station: Station, action: Touch) -> Answer:
    """Query Accounts with the published token, and publish how far that proves it."""
    known, version = published(tools, station, action.user)
    if known is None:
        return Answer(
            Kind.FAILED,
            tools.clock(),
            code="token.absent",
            message=f"no token of {action.user} is published",
            hint="Somebody deleted it in Vault; another one is minted next.",
        )
    org = Org(known.instance_url, known.access_token, known.api_version)
    now = tools.clock()  # what a slow answer took is not proved
    try:
        query_accounts(tools.wires(), org, station.config.proof.query)
    except SessionDead as error:
        return refused(error, tools.clock())
    expires_at = known.expires_at
    if known.prolongable:
        expires_at = proved_until(tools, station, action.user, known.access_token, now)
    document = replace(
        known,
        verified_at=now,
        expires_at=expires_at,
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
    before, before_version = station.tokens.get(user, (None, 0))
    station.tokens[user] = known
    document, version = known
    highest = station.sequences.get(user, 0)
    sequence = document.sequence if document is not None else 0
    if version < before_version if document is None else sequence < highest:
        station.went_back(f"tokens/{user}", version=sequence, known_version=highest)
        station.tokens[user] = known = _newer(before, document), version
    elif document is not None:
        station.sequences[user] = sequence
    return known


def _newer(before: TokenDocument | None, restored: TokenDocument | None) -> TokenDocument | None:
    """Return what to go on from where a backup has brought back an older publication, or none.

    That is the newer token: the older one may be dead. It counts as never called, so that a mint or a call sees that it
    works, and only then publishes it. What was brought back stands where it holds the same token.
    """
    if before is None or (restored is not None and before.access_token == restored.access_token):
        return restored
    return replace(before, verified_at=NEVER)


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
