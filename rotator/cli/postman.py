"""Files with which a person tries a credential in Postman."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from rotator.app import application
from rotator.cli.output import BAD, DOUBTFUL, facts, print_json, say, warn
from rotator.cli.settings import Settings, user_of
from rotator.config import Configuration
from rotator.core.model import Serial
from rotator.core.slot import signers
from rotator.files import write_files
from rotator.performer.station import login_of
from rotator.performer.toolbox import no_signer, utc_now
from rotator.postman import Given, collection, environment, without_assertion
from rotator.salesforce.assertion import LIFETIME_SECONDS, sign_assertion
from rotator.salesforce.oauth import Login
from rotator.show.times import when

if TYPE_CHECKING:
    from rich.text import Text

_LACKS: Final = (
    "The first request needs a secret. Paste the private key into the environment's variable private_key, or give "
    "--with-assertion and run the requests at once."
)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the operator wants of the files.

    Attributes:
        user: None: the first.
    """

    user: str | None
    directory: Path
    with_assertion: bool
    with_private_key: bool
    overwrite: bool


@dataclass(frozen=True, slots=True)
class Fetched:
    """What Vault's key gave for the environment.

    Attributes:
        serial: of the key pair; None: no key was read.
        others: further key pairs that the org may want just now.
        assertion_ends: None: there is no assertion.
    """

    given: Given = field(default_factory=Given)
    serial: Serial | None = None
    others: tuple[Serial, ...] = ()
    assertion_ends: datetime | None = None


def export_postman(settings: Settings, name: str, wishes: Wishes, *, as_json: bool) -> None:
    """Write the collection of a credential, and the environment of one of its users. Raises RotatorError."""
    configuration, _problems = settings.load([name])
    credential = configuration.credentials[name]
    login = login_of(credential, user_of(credential, wishes.user))
    fetched = Fetched()
    if wishes.with_assertion or wishes.with_private_key:
        fetched = _fetch(settings, configuration, name, login, wishes)
    requests_file, variables_file = _paths(wishes.directory, name, login, credential.usernames[0])
    variables = environment(
        name,
        login,
        soql=credential.proof.query,
        api_version=credential.api_version,
        given=fetched.given,
    )
    write_files(
        {requests_file: collection(name).encode(), variables_file: variables.reveal().encode()},
        code="postman.files",
        private=[variables_file],
        overwrite=wishes.overwrite,
        alike=lambda one, other: without_assertion(one) == without_assertion(other),
        hint="It may have been edited. Name another --directory, or give --overwrite.",
    )
    if as_json:
        print_json(
            {
                "credential": name,
                "user": login.username,
                "collection": requests_file,
                "environment": variables_file,
                "key_serial": fetched.serial,
                "holds_private_key": bool(fetched.given.private_key),
                "assertion_ends": fetched.assertion_ends,
            }
        )
    else:
        _tell(name, login, requests_file, variables_file, fetched)
    _warn(name, variables_file, fetched)


def _paths(directory: Path, name: str, login: Login, first_user: str) -> tuple[Path, Path]:
    """Return where collection and environment go. Users but the first have their names in those of their files."""
    user = "" if login.username == first_user else f".{quote(login.username, safe='@')}"
    return (
        directory / f"{name}.postman_collection.json",
        directory / f"{name}{user}.postman_environment.json",
    )


def _fetch(
    settings: Settings, configuration: Configuration, name: str, login: Login, wishes: Wishes
) -> Fetched:
    """Read the key that signs, and make of it what was asked for."""
    with application(configuration, settings.token_file) as app:
        station = app.driver.stations[name]
        app.driver.refresh(station)
        serials = signers(station.record, station.terms, app.tools.clock())
        if not serials:
            raise no_signer(station)
        serial, *others = serials
        pair = app.tools.key_pair(name, serial)
        now = app.tools.clock()
        assertion = sign_assertion(
            consumer_key=login.consumer_key,
            username=login.username,
            audience=login.audience,
            private_key=app.tools.signing_key(name, serial),
            now=now,
        )
    nothing = Given()
    return Fetched(
        Given(
            private_key=pair.private_key_pem if wishes.with_private_key else nothing.private_key,
            assertion=assertion if wishes.with_assertion else nothing.assertion,
        ),
        serial,
        tuple(others),
        now + timedelta(seconds=LIFETIME_SECONDS) if wishes.with_assertion else None,
    )


def _tell(name: str, login: Login, requests_file: Path, variables_file: Path, fetched: Fetched) -> None:
    lines: list[tuple[str, Text | str]] = [
        ("collection", str(requests_file)),
        ("environment", f"{variables_file} (mode 0600)"),
    ]
    if fetched.assertion_ends is not None:
        ends = when(fetched.assertion_ends, utc_now())
        lines.append(("assertion", f"signed with key pair {fetched.serial}, good until {ends}"))
    if fetched.given.private_key:
        lines.append(("private key", f"of key pair {fetched.serial}"))
    lines.append(("run", shlex.join(["newman", "run", str(requests_file), "-e", str(variables_file)])))
    say(f"{name}: requests for Postman, as {login.username}", "bold")
    facts(lines)
    if fetched.serial is None:
        say(_LACKS)


def _warn(name: str, variables_file: Path, fetched: Fetched) -> None:
    if fetched.others:
        others = " or ".join(map(str, fetched.others))
        warn(
            "note: ",
            f"the certificate in the app has just changed, or is about to: the org may want key pair {others} "
            f"instead of {fetched.serial}",
            DOUBTFUL,
        )
    if fetched.given.private_key:
        warn(
            "warning: ",
            f"{variables_file} holds the private key. Whoever reads it can log in as every user of {name}, "
            "until the key is replaced. Delete it after use, and don't import it where Postman keeps environments in "
            f"its cloud. If it got out: rotator rotate {name} --compromised",
            BAD,
        )
