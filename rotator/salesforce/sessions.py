"""What decides how long a session lives, from where, and for whom: its own facts, the app's policies, the org's settings.

The session timeout of the app counts; where it has none, that of the user's profile; else that of the org. Only the
session itself tells which one it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from rotator.salesforce import appxml, soap
from rotator.salesforce.appfiles import App, AppKind, belongs
from rotator.salesforce.http import Wire
from rotator.salesforce.packages import CONNECTED_APP, OAUTH_POLICIES, type_of, unzipped
from rotator.salesforce.rest import Org, query
from rotator.salesforce.retrieval import retrieve

ORG_TIMEOUTS: Final = {
    "FifteenMinutes": timedelta(minutes=15),
    "ThirtyMinutes": timedelta(minutes=30),
    "SixtyMinutes": timedelta(hours=1),
    "NinetyMinutes": timedelta(minutes=90),
    "TwoHours": timedelta(hours=2),
    "FourHours": timedelta(hours=4),
    "EightHours": timedelta(hours=8),
    "TwelveHours": timedelta(hours=12),
    "TwentyFourHours": timedelta(hours=24),
}
"""What an org can be set to (Metadata API, SecuritySettings, enumeration SessionTimeout)."""

_LONGEST_SECONDS = 366 * 24 * 3600  # no session lives for a year: what is longer is no time of a session
_OWN_SESSION = "SELECT NumSecondsValid FROM AuthSession WHERE IsCurrent = true"
_TIMEOUT, _LOCK, _RANGES = "sessionTimeout", "lockSessionsToIp", "enforceIpRangesEveryRequest"


@dataclass(frozen=True, slots=True)
class OrgSettings:
    """Session settings of an org. None: not shown, or a value that is not known.

    Attributes:
        timeout: without activity, where neither app nor profile has one of its own.
        locks_to_address: a token serves the address alone that it was made for.
        checks_every_call: each call must come from the login IP ranges of the user's profile.
    """

    timeout: timedelta | None
    locks_to_address: bool | None
    checks_every_call: bool | None


@dataclass(frozen=True, slots=True)
class AppPolicies:
    """What an app's policies say.

    Attributes:
        timeout: of sessions, without activity; None where the profile's or the org's counts.
        pre_authorised: only users with one of these profiles or permission sets may use the app.
    """

    timeout: timedelta | None
    pre_authorised: bool
    profiles: tuple[str, ...]
    permission_sets: tuple[str, ...]


def own_timeout(wire: Wire, org: Org) -> timedelta | None:
    """Return after how long without activity the very session that asks will end; None where it is not shown.

    Object Reference, AuthSession: it expires at LastModifiedDate + NumSecondsValid.
    """
    seconds = [row.get("NumSecondsValid") for row in query(wire, org, _OWN_SESSION)]
    known = [value for value in seconds if isinstance(value, int) and 0 < value <= _LONGEST_SECONDS]
    return timedelta(seconds=min(known)) if known else None


def newest_session(wire: Wire, org: Org, user_id: str) -> Mapping[str, Any] | None:
    """Return when the newest session of a user began and was last active, and how long it lives; None if none is shown.

    The keys are ``NumSecondsValid``, ``CreatedDate`` and ``LastModifiedDate``.
    """
    if not user_id.isalnum():
        return None
    found = query(
        wire,
        org,  # an id of letters and digits: nothing to inject
        "SELECT NumSecondsValid, CreatedDate, LastModifiedDate FROM AuthSession"  # noqa: S608 - see above
        f" WHERE UsersId = '{user_id}' ORDER BY CreatedDate DESC LIMIT 1",
    )
    return next(iter(found), None)


def told_settings(wire: Wire, org: Org) -> dict[str, str] | None:
    """Return the org's session settings as it tells them, by name; None where they are not shown to the user."""
    found = soap.read_metadata(wire, org, "SecuritySettings", "Security")
    if found is None:
        return None
    return {name: found.get(f"sessionSettings/{name}", "") for name in (_TIMEOUT, _LOCK, _RANGES)}


def read_org_settings(wire: Wire, org: Org) -> OrgSettings | None:
    """Return the org's session settings; None where they are not shown to the user."""
    told = told_settings(wire, org)
    if told is None:
        return None
    flags = {"true": True, "false": False}
    return OrgSettings(ORG_TIMEOUTS.get(told[_TIMEOUT]), flags.get(told[_LOCK]), flags.get(told[_RANGES]))


def read_app_policies(
    wire: Wire, org: Org, app: App, *, in_time: Callable[[], None], sleep: Callable[[float], None]
) -> AppPolicies | None:
    """Return the policies of an app; None where they are not shown to the user.

    Those of an External Client App are known by the app that they name: all are fetched.
    """
    connected = app.kind is AppKind.CONNECTED_APP
    kind = CONNECTED_APP if connected else OAUTH_POLICIES
    in_time()
    listed = [each.full_name for each in soap.list_metadata(wire, org, [kind.name]) if each.kind == kind.name]
    wanted = [name for name in listed if not connected or name == app.name]
    if not wanted:
        return None
    retrieved = retrieve(wire, org, {kind.name: wanted}, org.api_version or "", in_time=in_time, sleep=sleep)
    files = unzipped(retrieved.archive)
    own = next(
        (xml for path, xml in files.items() if type_of(path) is kind and belongs(app, kind, path, xml)), None
    )
    if own is None:
        return None
    return _connected_app(own) if connected else _external_client_app(own)


def _connected_app(xml: bytes) -> AppPolicies:
    found = appxml.elements(xml)
    return AppPolicies(
        _minutes(appxml.text_of(found, ("sessionPolicy", "sessionTimeout"))),
        appxml.text_of(found, ("oauthConfig", "isAdminApproved")) in {"true", "1"},
        _texts(found, "profileName"),
        _texts(found, "permissionSetName"),
    )


def _external_client_app(xml: bytes) -> AppPolicies:
    found = appxml.elements(xml)
    return AppPolicies(
        _minutes(appxml.text_of(found, ("sessionTimeoutInMinutes",))),
        appxml.text_of(found, ("permittedUsersPolicyType",)) == "AdminApprovedPreAuthorized",
        _texts(found, "commaSeparatedProfile"),
        _texts(found, "commaSeparatedPermissionSet"),
    )


def _texts(found: list[appxml.Element], name: str) -> tuple[str, ...]:
    told = [element.text for element in found if element.path[1:] == (name,)]
    return tuple(part.strip() for text in told for part in text.split(",") if part.strip())


def _minutes(text: str) -> timedelta | None:
    known = re.fullmatch("[0-9]{1,9}", text) and int(text) * 60 <= _LONGEST_SECONDS
    return (timedelta(minutes=int(text)) or None) if known else None
