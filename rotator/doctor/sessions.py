"""Looks at what the org makes of sessions: who may have one, how long it lives, from where it may be used.

All arithmetic of tokens rests on `session.timeout`. Whoever may read the org's settings does: the deployer, another
deployer of the same org, or the users themselves. What nobody may read is said to be unseen, and how a person can look.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, cached_property, partial
from typing import Final, TypeVar

from rotator.app import Application, deployer_session
from rotator.config.durations import format_duration
from rotator.errors import Misconfigured, RotatorError, Transient
from rotator.finding import Finding
from rotator.performer import Station
from rotator.salesforce import sessions
from rotator.salesforce.appfiles import AppKind
from rotator.salesforce.http import Wire
from rotator.salesforce.oauth import Grant
from rotator.salesforce.rest import Org

NOT_APPROVED: Final = frozenset({"salesforce.invalid_grant.not_approved", "salesforce.invalid_app_access"})
"""Refusals of a login by which the org says that nobody has approved the app for the user."""

PATIENCE = timedelta(seconds=30)  # with an org that collects its metadata
_T = TypeVar("_T")


def deployers_by_org(stations: Mapping[str, Station]) -> dict[str, list[str]]:
    """Return who deploys in each org, known by its login URL."""
    found: dict[str, list[str]] = {}
    for station in stations.values():
        name = station.config.deployer_name
        if name is not None and name not in found.setdefault(station.config.login_url, []):
            found[station.config.login_url].append(name)
    return found


def look(
    app: Application,
    station: Station,
    granted: Mapping[str, Grant],
    refused: Mapping[str, RotatorError],
    deployers: Sequence[str],
) -> Iterator[Finding]:
    """Yield what is found about the sessions of a credential.

    Args:
        granted: the users that could log in; refused: those that could not, and why.
        deployers: who deploys in the same org.
    """
    reader = _Reader(app, station, granted, deployers)
    for user, error in refused.items():
        if error.code in NOT_APPROVED:
            yield _not_approved(station, user, reader)
    yield from _timeouts(app, station, granted, reader)
    yield from _addresses(station, reader)


# --- who reads ------------------------------------------------------------------------------------


@dataclass
class _Reader:
    """Reads the org's settings and the app's policies in the name of the first who may."""

    app: Application
    station: Station
    granted: Mapping[str, Grant]
    deployers: Sequence[str]
    why: str = field(default="nobody who could read them logs in", init=False)

    @cached_property
    def settings(self) -> sessions.OrgSettings | None:
        """The org's session settings; None where nobody is shown them, and then ``why``."""
        return self._first(sessions.read_org_settings)

    @cached_property
    def policies(self) -> sessions.AppPolicies | None:
        """The app's policies; None where nobody is shown them."""
        until = self.app.tools.clock() + PATIENCE

        def read(wire: Wire, org: Org) -> sessions.AppPolicies | None:
            return sessions.read_app_policies(
                wire, org, self.station.app, in_time=lambda: self._in_time(until), sleep=time.sleep
            )

        return self._first(read)

    def _first(self, question: Callable[[Wire, Org], _T | None]) -> _T | None:
        wire, whys = self.app.tools.wires(), []
        for opening in self._openings:
            try:
                answer = question(wire, opening())
            except RotatorError as error:
                whys.append(error.message.rstrip("."))
                continue
            if answer is not None:
                return answer
            whys.append("the org does not show them")
        self.why = whys[0] if whys else self.why  # that of the likeliest
        return None

    @cached_property
    def _openings(self) -> tuple[Callable[[], Org], ...]:
        """What opens a session of each who might read, the likeliest first; each logs in once."""
        station, named = self.station, self.station.config.deploy.deployer
        names = dict.fromkeys((named, *self.deployers))
        others: list[Callable[[], Org]] = [
            partial(self._as_deployer, name, named=name == named)
            for name in names
            if name is not None and name != station.name
        ]
        itself: list[Callable[[], Org]] = [
            partial(self.app.tools.org, station, grant) for grant in self.granted.values()
        ]
        return tuple(_once(opening) for opening in (*others, *itself))

    def _as_deployer(self, name: str, *, named: bool) -> Org:
        """Return a session of a deployer. One that is not named by this credential must be seen to be of its org."""
        org = deployer_session(name, lambda: self.app.driver, target=self.station.name)()
        ours = {grant.instance_url for grant in self.granted.values()}
        if not named and org.instance_url not in ours:
            raise Misconfigured(
                f"the deployer {name} may be of another org",
                code="deployer.other_org",
                hint=f"Name the one of this org in credentials.{self.station.name}.deploy.with.",
            )
        return org

    def _in_time(self, until: datetime) -> None:
        if self.app.tools.clock() >= until:
            raise Transient(
                "the org takes too long to collect its metadata",
                code="salesforce.slow",
                hint="Ask again when the org has less to do; see Deployment Status in Setup.",
            )


def _once(opening: Callable[[], Org]) -> Callable[[], Org]:
    """Remember what opening a session brought, a refusal too: failed logins are not repeated."""

    @cache
    def tried() -> Org | RotatorError:
        try:
            return opening()
        except RotatorError as error:
            return error

    def opened() -> Org:
        found = tried()
        if isinstance(found, RotatorError):
            raise found
        return found

    return opened


# --- how long a session lives ---------------------------------------------------------------------


def _timeouts(
    app: Application, station: Station, granted: Mapping[str, Grant], reader: _Reader
) -> Iterator[Finding]:
    unseen = not granted
    for user, grant in granted.items():
        subject = f"{station.name}: session of {user}"
        if grant.is_jwt is not (station.config.session.format == "jwt"):
            yield _other_format(subject, grant)
        elif grant.is_jwt and grant.expires_at is not None:
            lives = grant.expires_at - (grant.date or app.tools.clock())
            yield _compared(station, subject, lives, "as the token says", is_jwt=True)
        elif (lives_on := _recorded(app, station, grant)) is not None:
            yield _compared(station, subject, lives_on, "by the org's record of the session")
        else:
            unseen = True
    if unseen:
        yield _by_settings(station, reader)


def _recorded(app: Application, station: Station, grant: Grant) -> timedelta | None:
    """Return how long the session of a user lives by the org's record of it, which not every user may read."""
    try:
        return sessions.own_timeout(app.tools.wires(), app.tools.org(station, grant))
    except RotatorError:
        return None


def _other_format(subject: str, grant: Grant) -> Finding:
    found, written = ("jwt", "opaque") if grant.is_jwt else ("opaque", "jwt")
    hint = f"Write `session: {{format: {found}}}`, or change what the app issues (Issue JSON Web Token-based access tokens)."
    return Finding(False, subject, f"the app issues {found} tokens, and session.format says {written}.", hint)


def _by_settings(station: Station, reader: _Reader) -> Finding:
    """Tell the timeout that the app's policies set, or else that of the org."""
    subject = f"{station.name}: session timeout"
    if station.config.session.format == "jwt":
        return Finding(
            True, subject, "it cannot be seen: no token tells its end.", _JWT_BY_HAND, looked=False
        )
    policies, settings = reader.policies, reader.settings
    if policies is not None and policies.timeout is not None:
        return _compared(station, subject, policies.timeout, "by the app's policies")
    if settings is None or settings.timeout is None:
        why = reader.why if settings is None else "its value is not known here"
        return Finding(
            True,
            subject,
            f"it cannot be seen: {why}.",
            _TIMEOUT_BY_HAND.format(_wanted(station)),
            looked=False,
        )
    hidden = "" if policies is not None else "the app's policies, which are not shown, or "
    return _compared(
        station,
        subject,
        settings.timeout,
        f"by the org's settings, unless {hidden}a user's profile says otherwise",
    )


_JWT_BY_HAND = (
    "See the timeout of JWT-based access tokens in the app's policies; session.timeout is to be that."
)
_TIMEOUT_BY_HAND = (
    "See Session Policies in the app's policies, Session Settings of the users' profiles, and Session Settings in Setup: "
    "the first that sets a timeout counts, and it must be {} or longer."
)


def _compared(
    station: Station, subject: str, lives: timedelta, source: str, *, is_jwt: bool = False
) -> Finding:
    """Compare a life with what the configuration counts on. That of a JWT is told by two clocks of whole seconds."""
    wanted = station.config.session.timeout
    inaccuracy = timedelta(seconds=2) if is_jwt else timedelta()
    whole = timedelta(minutes=round(lives / timedelta(minutes=1)))
    lives = whole if abs(lives - whole) <= inaccuracy else lives
    said = f"it ends {_text(lives)} after {'its mint' if is_jwt else 'the last call'} ({source})"
    if abs(lives - wanted) <= inaccuracy:
        return Finding(True, subject, f"{said}.")
    if lives > wanted:
        return Finding(True, subject, f"{said}; session.timeout counts on {_text(wanted)} of it.")
    return Finding(
        False,
        subject,
        f"{said}, and session.timeout counts on {_text(wanted)}: tokens are promised for longer than they live.",
        f"Write `session: {{timeout: {_text(lives)}}}` and what `rotator check` then asks for, or raise the timeout in the "
        "app's policies (Session Policies), which go before profile and org.",
    )


# --- from where it may be used --------------------------------------------------------------------


def _addresses(station: Station, reader: _Reader) -> Iterator[Finding]:
    settings = reader.settings
    locks = None if settings is None else settings.locks_to_address
    checks = None if settings is None else settings.checks_every_call
    for name, value, meaning in (
        ("lockSessionsToIp", locks, "a token serves the address alone that it was made for"),
        (
            "enforceIpRangesEveryRequest",
            checks,
            "each call must come from the login IP ranges of the user's profile",
        ),
    ):
        subject, title = f"{station.name}: {name}", _TITLES[name]
        if value is None:
            why = reader.why if settings is None else "the org does not show it"
            yield Finding(
                True, subject, f"it cannot be seen: {why}.", _ADDRESS_BY_HAND.format(title), looked=False
            )
        elif value:
            hint = f'Turn "{title}" off in Setup, Session Settings, or let consumers and rotator call from one address.'
            yield Finding(False, subject, f"it is on: {meaning}.", hint)
        else:
            yield Finding(True, subject, "it is off.")


_TITLES = {
    "lockSessionsToIp": "Lock sessions to the IP address from which they originated",
    "enforceIpRangesEveryRequest": "Enforce login IP ranges on every request",
}
_ADDRESS_BY_HAND = (
    'See whether "{}" is off in Setup, Session Settings; on, it keeps consumers out that call from another address than '
    "rotator. A deployer of this org, named as `deploy.with`, could look."
)


# --- who may have one -----------------------------------------------------------------------------


def _not_approved(station: Station, user: str, reader: _Reader) -> Finding:
    """Tell whom the app must be approved for, and by what."""
    app, policies = station.app, reader.policies
    manager = "App Manager" if app.kind is AppKind.CONNECTED_APP else "External Client App Manager"
    place = f"In Setup, {manager}, {app.name}, policies"
    steps = []
    if policies is None or not policies.pre_authorised:
        steps.append(f"{place}: let Permitted Users be `Admin approved users are pre-authorized`.")
    if policies is not None and policies.permission_sets:
        steps.append(f"Assign the permission set {' or '.join(policies.permission_sets)} to {user}.")
    elif policies is not None and policies.profiles:
        steps.append(
            f"Give {user} the profile {' or '.join(policies.profiles)}, or select a permission set there."
        )
    else:
        steps.append(f"{place}: select a permission set, and assign it to {user}.")
    steps.append("Is the username right, and is the user active in this org?")
    return Finding(
        False,
        f"{station.name}: pre-authorisation of {user}",
        f"the app {app.name} is not approved for {user}, so that no login can succeed.",
        " ".join(steps),
    )


def _wanted(station: Station) -> str:
    return _text(station.config.session.timeout)


def _text(duration: timedelta) -> str:
    return format_duration(timedelta(seconds=round(duration.total_seconds())))
