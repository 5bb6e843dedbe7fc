"""The states that a credential may be in, as a daemon has them in memory."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta

from rotator.core.model import (
    Change,
    Entry,
    Identity,
    KeyFacts,
    Pause,
    PauseKind,
    Phase,
    Reason,
    Record,
    Trouble,
)
from rotator.core.outcome import Outcome
from rotator.performer import Station
from rotator.secret import Secret
from rotator.vault.codec import TokenDocument

TOKEN = "00D5g000004CfEf!AQ0AQMj.token-that-nobody-may-see"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def furnish(station: Station, number: int, now: datetime, *, troubled: bool) -> None:
    """Give a credential a past, tokens, and one of the states that there are."""
    serial = 3 + number % 9
    left = timedelta(days=31 + (number * 37) % 330, hours=number % 24)
    current = _key(station.name, serial, now + left)
    past = tuple(
        Entry(
            target,
            Reason.ROTATION if target > 1 else Reason.ADOPT,
            Outcome.PROMOTED,
            at := now + left - 365 * DAY - (serial - target) * 330 * DAY,
            at + timedelta(minutes=17),
            deployed=True,
        )
        for target in range(1, serial + 1)
    )
    station.record = Record(
        phase=Phase.STEADY,
        identity=Identity("00D5g000004CfEfEAK", "3MVG9", "Rotator_App", station.terms.users),
        newest=serial,
        current=serial,
        previous=serial - 1,
        keys=(_key(station.name, serial - 1, now + left - 330 * DAY), current),
        promoted_at=past[-1].ended,
        history=past,
    )
    station.version, station.read_at = 7, now
    age = timedelta(minutes=number % 25)
    for user in station.terms.users:
        station.tokens[user] = (token(station, user, now - age), 5)
    station.sentence = "nothing is due"
    if troubled:
        _STATES[number % len(_STATES)](station, now)


def _key(name: str, serial: int, end: datetime) -> KeyFacts:
    fingerprint = hashlib.sha256(f"{name}/{serial}".encode()).hexdigest()
    return KeyFacts(serial, fingerprint, end - 365 * DAY, end)


def token(station: Station, user: str, issued_at: datetime) -> TokenDocument:
    """Return a token as it is published."""
    return TokenDocument(
        access_token=Secret(TOKEN),
        token_type="Bearer",
        instance_url=station.config.login_url,
        org_id="00D5g000004CfEfEAK",
        username=user,
        issued_at=issued_at,
        verified_at=issued_at,
        expires_at=issued_at + HOUR,
        refresh_after=issued_at + HOUR / 2,
        api_version="66.0",
        key_serial=station.record.current or 1,
        key_fingerprint="",
        sequence=41,
        prolongable=True,
    )


def _well(_station: Station, _now: datetime) -> None:
    """Nothing is wrong."""


def _proving(station: Station, now: datetime) -> None:
    began, record = now - timedelta(minutes=6), station.record
    target = record.newest + 1
    change = Change(target, record.current, Reason.ROTATION, station.terms.users, began, proofs=3, asked=1)
    keys = (*record.keys, _key(station.name, target, now + 365 * DAY))
    station.record = replace(record, phase=Phase.PROVING, newest=target, change=change, keys=keys)
    station.sentence = f"the next proof of key pair {target} is due"


def _locked_out(station: Station, now: datetime) -> None:
    record = station.record
    change = Change(record.current or 1, None, Reason.FOUND, station.terms.users, now - 2 * HOUR)
    trouble = Trouble(
        "change",
        now - 2 * HOUR,
        "salesforce.invalid_grant.invalid_assertion",
        "the org takes no key that is kept",
        "Bring the certificate of the current key pair into the app by hand; `rotator certificate` prints it.",
        lasting=True,
    )
    station.record = replace(record, phase=Phase.LOCKED_OUT, change=change, trouble=(trouble,))
    station.tokens.clear()
    station.sentence = "all kept keys are tried again"


def _refused(station: Station, now: datetime) -> None:
    user = station.terms.users[0]
    trouble = Trouble(
        f"mint:{user}",
        now - timedelta(minutes=43),
        "salesforce.invalid_grant.user_hasnt_approved",
        f"Salesforce refuses {user}: the user has not approved this consumer",
        "Assign the app's permission set to the user.",
        lasting=True,
    )
    station.record = replace(station.record, trouble=(trouble,))
    station.tokens[user] = (token(station, user, now - timedelta(minutes=48)), 5)
    station.sentence = f"a new token for {user} is refused"


def _paused(station: Station, now: datetime) -> None:
    pause = Pause(PauseKind.OPERATOR, now - 5 * HOUR, "the org is being migrated this weekend")
    station.record = replace(station.record, paused=pause)


def _due(station: Station, now: datetime) -> None:
    """The certificate ends soon, and the last rotation failed."""
    current = replace(_key(station.name, station.record.current or 1, now + 5 * DAY + 7 * HOUR))
    failed = Entry(
        station.record.newest + 1,
        Reason.ROTATION,
        Outcome.REFUSED,
        now - 2 * HOUR,
        now - 2 * HOUR + timedelta(minutes=4),
        deployed=False,
        message="the deploy was refused: the app is being changed by somebody else",
    )
    trouble = Trouble("change", failed.ended, "deploy.refused", failed.message, "Try `rotator doctor`.")
    station.record = replace(
        station.record,
        keys=(current,),
        previous=None,
        failures=2,
        failed_at=failed.ended,
        history=(*station.record.history, failed),
        trouble=(trouble,),
    )
    station.sentence = "the next try is not due yet"


def _unread(station: Station, _now: datetime) -> None:
    station.record, station.read_at = Record(), None
    station.tokens.clear()
    station.sentence = ""


def _empty(station: Station, _now: datetime) -> None:
    station.record = Record()
    station.tokens.clear()
    station.sentence = "waits for `rotator init` or `rotator adopt`"


_STATES = (
    *(_well,) * 3,
    _proving,
    *(_well,) * 20,
    _paused,
    *(_well,) * 25,
    _due,
    *(_well,) * 40,
    _refused,
    *(_well,) * 50,
    _locked_out,
    *(_well,) * 60,
    _empty,
    *(_well,) * 60,
    _unread,
)
"""Most credentials of a large fleet are well."""

STATES = {
    "well": _well,
    "proving": _proving,
    "paused": _paused,
    "due": _due,
    "refused": _refused,
    "locked_out": _locked_out,
    "empty": _empty,
    "unread": _unread,
}
