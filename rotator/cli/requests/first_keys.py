"""How a credential begins: with a key pair and an app that are made, or with those that are there."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rotator.app import Application, app_of
from rotator.cli.exits import Exit
from rotator.cli.output import DOUBTFUL, complain, print_json, say, say_steps, warn
from rotator.cli.requests.asking import Asking, Manner, request
from rotator.cli.settings import Settings
from rotator.config import Problem
from rotator.core.model import Ask, Phase, Reason, Record
from rotator.errors import Misconfigured
from rotator.keypairs import adopt_key_pair, doubts_about
from rotator.salesforce.initfiles import NewApp, checklist, write_app_files
from rotator.secret import Secret
from rotator.standing import progress

KEY_WITHIN_SECONDS = 60.0
DEPLOYERS, INTEGRATIONS = "Rotator_Deployer", "Rotator_Integration"
"""Permission sets of those who bring certificates in, and of all others."""


@dataclass(frozen=True, slots=True)
class NewAppWishes:
    """What the operator wants of a new app."""

    directory: Path | None
    permission_set: str | None
    contact_email: str | None


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """Where a key pair is that was made elsewhere."""

    key: Path
    certificate: Path
    passphrase: Path | None


def init_credentials(settings: Settings, names: Sequence[str], wishes: NewAppWishes, manner: Manner) -> Exit:
    """Have the first key pairs made, and write the files of their apps. Raises RotatorError."""
    with settings.application(names, tells=manner.where != "here") as (app, problems):
        for name in names:
            code = _begin(settings, app, problems, name, manner)
            if code is not Exit.OK:
                return code
        return _hand_over(app, names, wishes, manner)


def _begin(
    settings: Settings, app: Application, problems: Sequence[Problem], name: str, manner: Manner
) -> Exit:
    """See that a first key pair is there, and that a person is to bring its certificate in."""
    record, _version = app.documents.read_record(name)
    if _is_awaited(record):
        return Exit.OK
    with Asking(app, name, manner, problems).session(settings) as asking:
        answer = asking.answer(Ask.INIT)
        if answer is None:
            return Exit.UNANSWERED
        if not answer.accepted:
            return asking.end(answer, Exit.PROBLEM)
        record = asking.follow(_is_awaited, KEY_WITHIN_SECONDS)
    if _is_awaited(record):
        return Exit.OK
    complain(
        f"{name}: {progress(record, app.driver.stations[name].terms, datetime.now(UTC))}",
        f"See `rotator status {name}`; then repeat this command.",
    )
    return Exit.PROBLEM


def _is_awaited(record: Record) -> bool:
    """Tell whether a person is to bring the first certificate in."""
    return record.phase is Phase.PROVING and record.change is not None and record.change.reason is Reason.INIT


def _hand_over(app: Application, names: Sequence[str], wishes: NewAppWishes, manner: Manner) -> Exit:
    """Write the files of the apps, and tell what to do with them."""
    serials = {name: app.documents.read_record(name)[0].newest for name in names}
    apps = [_new_app(app, name, serial, wishes) for name, serial in serials.items()]
    directory = wishes.directory or Path(apps[0].app.name)
    written = write_app_files(apps, directory)
    steps = checklist(apps, directory)
    if manner.as_json:
        print_json({"serials": serials, "files": written, "steps": steps.splitlines()})
        return Exit.OK
    for new in apps:
        name = new.credential
        say(
            f"{name}: key pair {serials[name]} is in Vault; the files of the app {new.app.name} are in {directory}"
        )
    say("")
    say("What is left for a person:")
    say_steps(steps.rstrip())
    return Exit.OK


def _new_app(app: Application, name: str, serial: int, wishes: NewAppWishes) -> NewApp:
    credential = app.configuration.credentials[name]
    deploys = any(one.deployer_name == name for one in app.configuration.credentials.values())
    return NewApp(
        name,
        credential.usernames,
        app_of(credential),
        app.documents.read_key(name, serial).certificate_pem,
        wishes.permission_set or (DEPLOYERS if deploys else INTEGRATIONS),
        wishes.contact_email or credential.key.subject.email or credential.usernames[0],
        deploys=deploys,
        **({"api_version": credential.api_version} if credential.api_version else {}),
    )


def adopt_pair(settings: Settings, name: str, files: KeyFiles, manner: Manner) -> Exit:
    """Have a key pair adopted. Raises RotatorError."""
    passphrase = None
    if files.passphrase is not None:
        text = _read(files.passphrase, "the passphrase").decode(errors="replace")
        passphrase = Secret(text.removesuffix("\n").removesuffix("\r"))
    pair = adopt_key_pair(
        _read(files.key, "the key"), _read(files.certificate, "the certificate"), passphrase
    )
    for doubt in [*doubts_about(pair, datetime.now(UTC)), *_open_to_others(files.key, files.passphrase)]:
        warn("note: ", doubt, DOUBTFUL)
    payload = {"key": pair.private_key_pem, "certificate": Secret(pair.certificate_pem)}
    return request(settings, name, Ask.ADOPT, manner, payload)


def _open_to_others(*files: Path | None) -> Iterator[str]:
    """Yield which files with a secret others may read: that secret may be known already."""
    for file in files:
        if file is not None and (mode := stat.S_IMODE(file.stat().st_mode)) & (stat.S_IRGRP | stat.S_IROTH):
            yield (
                f"{file} has mode {mode:04o}, so others could read it: `chmod 600 {file}` now, and if they may have, "
                "`rotator rotate --compromised` once the key pair is adopted"
            )


def _read(path: Path, what: str) -> bytes:
    """Return what a file holds. Raises RotatorError."""
    try:
        return path.read_bytes()
    except OSError as error:
        why = error.strerror or "it cannot be opened"
        raise Misconfigured(
            f"{what} {path} cannot be read: {why}", code="config.file", hint="Name a file that you may read."
        ) from None
