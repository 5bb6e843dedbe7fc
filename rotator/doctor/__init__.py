"""Looks at every part online and tells what mends it; `rotator doctor` prints what is found. Changes nothing."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

from rotator.app import Application
from rotator.config import Problem
from rotator.config.web import WebConfig
from rotator.core.model import Phase
from rotator.core.slot import signers
from rotator.core.timing import due_at, is_overdue
from rotator.doctor import sessions
from rotator.errors import RotatorError
from rotator.finding import Finding, failure
from rotator.performer import Station
from rotator.performer.fleet import is_skewed
from rotator.performer.identity import mismatch
from rotator.performer.station import facts_of
from rotator.salesforce.oauth import Grant
from rotator.salesforce.rest import (
    Org,
    api_versions,
    get_account_resource,
    limits,
    newest_api_version,
    query_accounts,
    userinfo,
)
from rotator.vault.verify import verify
from rotator.web import examine as examine_port

Deployers = Mapping[str, Sequence[str]]
"""Who deploys in each org, by its login URL."""

NEEDED_SCOPE = "api"
FEW_CALLS = 0.05
"""Share of the org's API requests of a day; with less left, a person should look who makes so many."""


def examine(
    app: Application, problems: Sequence[Problem] = (), names: Sequence[str] = ()
) -> Iterator[Finding]:
    """Yield what is found: configuration, Vault, then each credential (all, or those named), always in this order.

    Credentials are looked at side by side. Where Vault fails, the rest is not looked at.
    """
    for problem in problems:
        yield Finding(False, f"configuration: {problem.key or problem.file}", problem.what, problem.mend)
    if not problems:
        yield Finding(True, "configuration", f"{app.configuration.file} holds.")
    yield from _port(app.configuration.web)
    chosen = [app.driver.stations[name] for name in names or app.driver.stations]
    reachable = True
    for finding in verify(app.client, {station.name: station.terms.users for station in chosen}):
        reachable = reachable and (finding.ok or finding.subject in _NOT_IN_THE_WAY)
        yield finding
    if not reachable:
        return
    deployers = sessions.deployers_by_org(app.driver.stations)
    _acquaint(app, chosen, deployers)
    with ThreadPoolExecutor(app.configuration.fleet.workers) as pool:
        for found in pool.map(lambda station: list(_credential(app, station, deployers)), chosen):
            yield from found


def _port(config: WebConfig) -> Iterator[Finding]:
    """Yield whether token and certificate of the port can be used, where it has any."""
    if config.address is None or (config.token is None and config.tls is None):
        return
    try:
        examine_port(config)
    except RotatorError as error:
        yield failure("web", error)
    else:
        yield Finding(True, "web", "what the port is served with can be used.")


_NOT_IN_THE_WAY = frozenset({"vault.login", "vault.clock", "vault.deletion", "vault.policy"})
"""Findings about Vault after which credentials can be looked at all the same."""


def _acquaint(app: Application, chosen: Sequence[Station], deployers: Deployers) -> None:
    """Read the records of those that deploy: they are asked from several threads, and none waits for another."""
    names = {name for one in chosen for name in deployers.get(one.config.login_url, ())}
    names |= {one.config.deploy.deployer for one in chosen if one.config.deploy.deployer is not None}
    for name in sorted(names & app.driver.stations.keys()):
        with suppress(RotatorError):  # whoever needs it is told
            app.driver.refresh(app.driver.stations[name])


def _credential(app: Application, station: Station, deployers: Deployers) -> Iterator[Finding]:
    """Yield what is found about one credential."""
    name = station.name
    try:
        app.driver.refresh(station)
        yield from _standing(station)
        serials = signers(station.record, station.terms, app.tools.clock())
    except RotatorError as error:
        yield failure(f"{name}: record", error)
        return
    if not serials:
        yield Finding(
            False,
            f"{name}: key",
            f"no key pair signs (the credential is {station.record.phase.words}).",
            f"Give it one: rotator init {name}, or rotator adopt {name}."
            if station.record.phase is Phase.EMPTY
            else f"See the change through: `rotator status {name}` tells what it waits for.",
        )
        return
    yield from _certificate(app, station)
    granted: dict[str, Grant] = {}
    refused: dict[str, RotatorError] = {}
    for user in station.terms.users:
        grant = yield from _login(app, station, user, serials)
        if isinstance(grant, RotatorError):
            refused[user] = grant
            continue
        yield from _identity(app, station, user, grant)
        if not granted:
            yield from _clock_and_version(app, station, grant)
            yield _requests_left(app, station, grant)
        yield from _calls(app, station, user, grant)
        yield from _published(app, station, user)
        granted[user] = grant
    yield from sessions.look(app, station, granted, refused, deployers.get(station.config.login_url, ()))
    yield from station.publisher.verify()


def _standing(station: Station) -> Iterator[Finding]:
    """Tell what is on record: troubles, and a pause."""
    record, subject = station.record, f"{station.name}: record"
    for trouble in record.trouble:
        yield Finding(
            False, subject, f"{trouble.message} (since {trouble.since:%Y-%m-%d %H:%M}Z).", trouble.hint
        )
    if record.paused is not None:
        hint = f"When it may go on: rotator resume {station.name}."
        yield Finding(False, subject, f"paused: {record.paused.why}.", hint)
    if not record.trouble and record.paused is None:
        yield Finding(True, subject, f"{record.phase.words}, without trouble.")


def _certificate(app: Application, station: Station) -> Iterator[Finding]:
    """Tell how long the current certificate lives, and whether its key is where it must be."""
    record, now = station.record, app.tools.clock()
    facts = record.key(record.current)
    if facts is None:
        return
    subject = f"{station.name}: certificate"
    left = facts.not_after - now
    if left <= timedelta():
        yield Finding(
            False,
            subject,
            f"key pair {facts.serial} ended at {facts.not_after:%Y-%m-%d %H:%M}Z.",
            _ROTATE + station.name,
        )
    elif left <= station.terms.urgent_before:
        hint = f"See what holds its renewal back: rotator plan {station.name}."
        yield Finding(
            False, subject, f"key pair {facts.serial} ends at {facts.not_after:%Y-%m-%d %H:%M}Z.", hint
        )
    else:
        due = due_at(record, station.terms)
        said = f"; it is replaced from {due:%Y-%m-%d %H:%M}Z on" if due else ""
        yield Finding(
            True, subject, f"key pair {facts.serial} ends at {facts.not_after:%Y-%m-%d %H:%M}Z{said}."
        )
    try:
        fingerprint = app.tools.key_pair(station.name, facts.serial).facts(facts.serial).fingerprint
    except RotatorError as error:
        yield failure(f"{station.name}: key", error)
        return
    if fingerprint == facts.fingerprint:
        yield Finding(True, f"{station.name}: key", f"key pair {facts.serial} is in Vault.")
    else:
        yield Finding(
            False,
            f"{station.name}: key",
            f"key pair {facts.serial} in Vault is not the one that the record names.",
            "Somebody wrote it by hand, or a backup was restored. Rotate to a new one.",
        )


_ROTATE = "Replace it: rotator rotate "


def _login(
    app: Application, station: Station, user: str, serials: tuple[int, ...]
) -> Generator[Finding, None, Grant | RotatorError]:
    """Log a user in with the first key that is taken, and return the grant, or why there is none."""
    subject = f"{station.name}: login of {user}"
    try:
        grant, serial = app.tools.mint_first(station, user, serials, fresh=True)
    except RotatorError as error:
        yield failure(subject, error)
        return error
    yield Finding(True, subject, f"the org takes key pair {serial} and gives a token.")
    return grant


def _identity(app: Application, station: Station, user: str, grant: Grant) -> Iterator[Finding]:
    subject = f"{station.name}: identity of {user}"
    if (differs := mismatch(station, grant.org_id)) is not None:
        yield Finding(
            False, subject, f"{differs}.", "Correct the configuration, or begin anew with `rotator init`."
        )
        return
    scopes = grant.scope.split()
    if scopes and NEEDED_SCOPE not in scopes and "full" not in scopes:
        yield Finding(
            False,
            f"{station.name}: scopes",
            f"the token may not call the API; its scopes are {grant.scope}.",
            "Add the scope `api` (Manage user data via APIs) to the app.",
        )
    try:
        said = userinfo(app.tools.wires(), Org(grant.instance_url, grant.access_token))
    except RotatorError as error:
        yield failure(subject, error)
        return
    if said.username and said.username.lower() != user.lower():
        yield Finding(False, subject, f"the token stands for {said.username}.", "Correct `users`.")
    else:
        yield Finding(True, subject, f"{grant.org_id or said.org_id}, scopes {grant.scope or 'not told'}.")


def _clock_and_version(app: Application, station: Station, grant: Grant) -> Iterator[Finding]:
    subject = f"{station.name}: clock"
    skew = station.skew_seconds
    if is_skewed(skew):
        hint = "Let this machine follow an NTP server; nothing is deployed while clocks differ by more than a minute."
        yield Finding(False, subject, f"Salesforce's clock differs from ours by {skew:+.0f} s.", hint)
    else:
        yield Finding(True, subject, "Salesforce's clock agrees with ours.")
    subject = f"{station.name}: API version"
    wanted = station.config.api_version
    try:
        if wanted is None:
            newest = newest_api_version(app.tools.wires(), grant.instance_url)
            yield Finding(True, subject, f"{newest}, the newest that org and rotator know.")
            return
        offered = api_versions(app.tools.wires(), grant.instance_url)
    except RotatorError as error:
        yield failure(subject, error)
        return
    if wanted in offered:
        yield Finding(True, subject, f"{wanted}, as configured.")
    else:
        hint = f"Write one from {offered[0]} to {offered[-1]} as `api_version`, or leave it out."
        yield Finding(False, subject, f"the org does not offer {wanted}.", hint)


def _requests_left(app: Application, station: Station, grant: Grant) -> Finding:
    """Tell how many calls the org still takes today. Only some users are shown that, which is no fault."""
    subject = f"{station.name}: API requests"
    try:
        left = limits(app.tools.wires(), app.tools.org(station, grant)).get("DailyApiRequests")
    except RotatorError as error:
        if error.code != "salesforce.insufficient_access":
            return failure(subject, error)
        left = None
    if left is None:
        return Finding(True, subject, "not shown to this user (it takes View Setup and Configuration).")
    said = f"{left.remaining:,} of {left.most:,} are left today."
    if left.remaining >= left.most * FEW_CALLS:
        return Finding(True, subject, said)
    hint = "See API usage in Setup, System Overview, for who makes so many: with none left every call is refused."
    return Finding(False, subject, said, hint)


def _calls(app: Application, station: Station, user: str, grant: Grant) -> Iterator[Finding]:
    """Use a new token as consumers do."""
    subject = f"{station.name}: calls of {user}"
    try:
        org = app.tools.org(station, grant)
        rows = query_accounts(app.tools.wires(), org, station.config.proof.query)
        get_account_resource(app.tools.wires(), org)
    except RotatorError as error:
        yield failure(subject, error)
    else:
        yield Finding(
            True,
            subject,
            f"the query finds {rows} row{'' if rows == 1 else 's'}, and sobjects/Account answers.",
        )


def _published(app: Application, station: Station, user: str) -> Iterator[Finding]:
    """Use the token that consumers read."""
    if not station.config.publish:
        return
    subject = f"{station.name}: published token of {user}"
    document, _version = station.tokens.get(user, (None, 0))
    if document is None:
        yield Finding(
            False, subject, "none is published.", "Does the daemon run? `rotator once` publishes one, too."
        )
        return
    org = Org(document.instance_url, document.access_token, document.api_version or None)
    try:
        query_accounts(app.tools.wires(), org, station.config.proof.query)
    except RotatorError as error:
        yield failure(subject, error)
        return
    if is_overdue(facts_of(user, document), station.record, station.terms, app.tools.clock()):
        since = f"{document.refresh_after:%Y-%m-%d %H:%M:%S}Z"
        yield Finding(
            False,
            subject,
            f"it works, but was to be refreshed at {since}, and nobody has.",
            "Does the daemon run? `rotator alive` tells where it runs.",
        )
        return
    yield Finding(True, subject, f"it works; proved until {document.expires_at:%Y-%m-%d %H:%M:%S}Z at least.")
