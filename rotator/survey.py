"""Finds out how a live org behaves where Salesforce's documentation is silent; `rotator doctor --survey` prints it.

It logs in and reads. Nothing is deployed, published or written, and no login is signed with a wrong key: failed logins
can get this machine's address blocked. docs/check-on-your-own-org.md tells what each answer settles.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from rotator.app import Application
from rotator.core.slot import signers
from rotator.errors import RotatorError, Transient
from rotator.performer import Station
from rotator.performer.toolbox import Toolbox, no_signer
from rotator.publishers.metadata import MetadataPublisher
from rotator.salesforce import soap
from rotator.salesforce.assertion import LIFETIME_SECONDS, sign_claims
from rotator.salesforce.oauth import EXPIRED, Grant, Login, introspect, trade
from rotator.salesforce.rest import Org, api_versions, limits
from rotator.salesforce.sessions import newest_session, told_settings

MOST_LOGINS: Final = 9
"""As the first user: one as usual, one for each other `exp`, at most four for other audiences."""

_AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")
_LATER_SECONDS = (180, 300, 600)
_SOMETIMES = ("api_instance_url", "expires_in", "issued_at", "refresh_token", "signature")
_T = TypeVar("_T")

QUESTIONS: Final = {
    "login": "Does the org take the login as it is configured?",
    "answer": "What does the answer to a login hold?",
    "clock": "How far is the org's clock from ours?",
    "exp": "How far ahead may the exp of an assertion lie?",
    "repeat": "Does a repeated login give the same token?",
    "audience": "Which audiences does the endpoint take?",
    "versions": "Which API versions does the org offer?",
    "limits": "Does the org tell its daily limit of API calls?",
    "introspection": "Does introspection tell when the token ends?",
    "soap": "Does SOAP take the token?",
    "settings": "Which session settings does the org show?",
    "session": "How long does a session live without a call?",
    "certificate": "Does the Metadata API show the certificate?",
    "logins": "How many logins did this take?",
}
"""Topic to question, in the order in which they are asked."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One question and what was seen.

    Attributes:
        topic: a key of ``QUESTIONS``.
        answer: for people. Never holds a secret.
        how: what was sent.
    """

    topic: str
    question: str
    answer: str
    how: str


def survey(app: Application, station: Station) -> Iterator[Observation]:
    """Yield what is seen of the org of one credential, as its first user.

    Raises RotatorError when not even the login as it is configured is taken: nothing else is sent then.
    """
    app.driver.refresh(station)
    login = station.login(station.terms.users[0])
    logins = _Logins(app.tools, login, _signing_key(app.tools, station))
    grant = logins.send(login.audience, logins.seconds_ahead(LIFETIME_SECONDS))
    usual = f"{logins.endpoint}, aud {login.audience}"
    yield _seen("login", "yes", f"{usual}, exp in {LIFETIME_SECONDS} s")
    absent = ", ".join(name for name in _SOMETIMES if name not in grant.members)
    yield _seen(
        "answer", ", ".join(sorted(grant.members)) + (f"; no {absent}" if absent else ""), "the same login"
    )
    yield _seen("clock", _skew(app.tools, grant), "header Date of its answer, which has whole seconds")
    yield _seen("exp", _expiries(logins), f"{usual}, one login each")
    yield _seen("repeat", logins.repeated(), "the tokens of all these logins")
    yield _seen("audience", _audiences(logins, grant), f"{logins.endpoint}, one login each")
    org = app.tools.org(station, grant)
    yield from _rest(app, station, org)
    yield from _deployers_view(app, station, org, grant)
    yield _seen("logins", f"{logins.sent} as {login.username}, {logins.refused} of them refused", "counted")


def _seen(topic: str, answer: str, how: str) -> Observation:
    return Observation(topic, QUESTIONS[topic], answer, how)


def _asked(topic: str, how: str, question: Callable[[], str]) -> Observation:
    try:
        return _seen(topic, question(), how)
    except RotatorError as error:
        return _seen(topic, f"not known: {error.message}", how)


def _signing_key(tools: Toolbox, station: Station) -> RSAPrivateKey:
    serials = signers(station.record, station.terms, tools.clock())
    if not serials:
        raise no_signer(station)
    return tools.signing_key(station.name, serials[0])


# --- logins -------------------------------------------------------------------------------------


class _Logins:
    """Logins of one user with the key that signs now, counted and paid from the login budget."""

    def __init__(self, tools: Toolbox, login: Login, key: RSAPrivateKey) -> None:
        self.login, self.sent, self.refused = login, 0, 0
        self.endpoint = f"POST {login.login_url.rstrip('/')}/services/oauth2/token"
        self._tools, self._key = tools, key
        self._tokens: list[str] = []

    def seconds_ahead(self, seconds: int) -> int:
        return int(self._tools.clock().timestamp()) + seconds

    def milliseconds(self) -> int:
        """Return an `exp` as the Salesforce CLI sends it."""
        return int(self._tools.clock().timestamp() * 1000) + 300

    def send(self, audience: str, exp: int) -> Grant:
        """Log in. Raises RotatorError."""
        login = self.login
        self._tools.budget.spend(login.username)
        self.sent += 1
        claims = {"iss": login.consumer_key, "sub": login.username, "aud": audience, "exp": exp}
        grant = trade(
            self._tools.wires(),
            login.login_url,
            sign_claims(claims, self._key),
            now=self._tools.clock(),
            fresh=True,
        )
        if audience == login.audience:
            self._tokens.append(grant.access_token.reveal())
        return grant

    def fate(self, audience: str, exp: int) -> str:
        """Log in, and return what became of it."""
        try:
            self.send(audience, exp)
        except RotatorError as error:
            if isinstance(error, Transient) and error.code != EXPIRED:
                return f"not known ({error.message})"
            self.refused += 1
            return f"refused ({error.message})"
        return "taken"

    def repeated(self) -> str:
        """Tell whether the tokens of one audience were the same."""
        number, tokens = len(self._tokens), len(set(self._tokens))
        if number == 1:
            return "not known: only one login was taken"
        return f"{'yes' if tokens == 1 else 'no'}: {number} logins gave {tokens} token{'s' if tokens > 1 else ''}"


def _expiries(logins: _Logins) -> str:
    audience = logins.login.audience
    fates = [
        f"{seconds} s: {logins.fate(audience, logins.seconds_ahead(seconds))}" for seconds in _LATER_SECONDS
    ]
    return "; ".join([*fates, f"in milliseconds: {logins.fate(audience, logins.milliseconds())}"])


def _audiences(logins: _Logins, grant: Grant) -> str:
    configured = logins.login.audience
    others = dict.fromkeys((*_AUDIENCES, logins.login.login_url.rstrip("/"), grant.instance_url))
    others.pop(configured, None)
    fates = [
        f"{audience}: {logins.fate(audience, logins.seconds_ahead(LIFETIME_SECONDS))}" for audience in others
    ]
    return "; ".join([f"{configured}: taken", *fates])


def _skew(tools: Toolbox, grant: Grant) -> str:
    if grant.date is None:
        return "not known: the answer had no Date"
    return f"{round((grant.date - tools.clock()).total_seconds()):+d} s"


# --- what can be read ---------------------------------------------------------------------------


def _rest(app: Application, station: Station, org: Org) -> Iterator[Observation]:
    """Ask what needs no right but the user's own."""
    wires, login = app.tools.wires, station.login(station.terms.users[0])

    def versions() -> str:
        offered = api_versions(wires(), org.instance_url)
        return f"{offered[0]} to {offered[-1]}"

    def daily() -> str:
        found = limits(wires(), org).get("DailyApiRequests")
        return f"{found.remaining} of {found.most} calls are left" if found else "no"

    def introspection() -> str:
        secret = station.config.session.client_secret
        if secret is None:
            return "not asked: the configuration names no session.client_secret"
        said = introspect(
            wires(),
            login.login_url,
            org.access_token,
            consumer_key=login.consumer_key,
            client_secret=secret.read(),
            now=app.tools.clock(),
        )
        return f"yes: at {said.expires_at:%Y-%m-%d %H:%M:%S}Z" if said.expires_at else "no"

    yield _asked("versions", "GET services/data, without the token", versions)
    yield _asked("limits", f"GET services/data/v{org.api_version}/limits", daily)
    yield _asked("introspection", "POST services/oauth2/introspect", introspection)


def _deployers_view(app: Application, station: Station, org: Org, grant: Grant) -> Iterator[Observation]:
    """Ask what needs rights that a deployer has; the user itself is asked where there is none."""
    wires, publisher = app.tools.wires, station.publisher
    deployer = publisher if isinstance(publisher, MetadataPublisher) else None
    who = "as the deployer" if deployer else "as the user itself"

    def ask(question: Callable[[Org], _T]) -> _T:
        return deployer.ask(question) if deployer else question(org)

    def takes() -> str:
        tried = (f"{soap.JWT_FROM - 1}.0", f"{soap.JWT_FROM}.0") if grant.is_jwt else (org.api_version,)
        fates = [
            f"SOAP {version} {'takes' if soap.takes_session(wires(), replace(org, api_version=version)) else 'refuses'} it"
            for version in tried
        ]
        return f"it is {'in JWT format' if grant.is_jwt else 'opaque'}; {'; '.join(fates)}"

    def settings() -> str:
        told = ask(lambda org: told_settings(wires(), org)) or {}
        return ", ".join(f"{name} {value or 'not shown'}" for name, value in told.items()) or "none is shown"

    yield _asked("soap", "SOAP describeMetadata", takes)
    yield _asked("settings", f"SOAP readMetadata SecuritySettings, {who}", settings)
    yield _asked(
        "session",
        f"a query of AuthSession, {who}",
        lambda: ask(lambda org: _auth_session(app.tools, org, grant.user_id)),
    )
    yield _asked(
        "certificate",
        "SOAP listMetadata and retrieve, as the deployer",
        lambda: _certificate(deployer, station) if deployer else "not asked: no deployer reads the app",
    )


def _auth_session(tools: Toolbox, org: Org, user_id: str) -> str:
    newest = newest_session(tools.wires(), org, user_id)
    if newest is None:
        return "not known: no session of the user is shown"
    return (
        f"{newest.get('NumSecondsValid')} s; the newest was made {newest.get('CreatedDate')}"
        f" and last active {newest.get('LastModifiedDate')}"
    )


def _certificate(deployer: MetadataPublisher, station: Station) -> str:
    shown = deployer.certificate_shown()
    if shown is None:
        return "no: the app is shown without one"
    fingerprint = hashlib.sha256(shown).hexdigest()
    current = station.record.key(station.record.current)
    if current is not None and current.fingerprint == fingerprint:
        return f"yes: that of key pair {current.serial}, which signs"
    return f"yes: one with the SHA-256 fingerprint {fingerprint}, which is not the one that signs"
