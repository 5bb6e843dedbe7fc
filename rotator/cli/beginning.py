"""How a credential begins: with a key pair and an app that are made, or with those that are there."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rotator.app import Application, app_of
from rotator.cli.asking import Asking, Manner, read_file, request
from rotator.cli.exits import Exit
from rotator.cli.output import DOUBTFUL, complain, print_json, say
from rotator.cli.settings import Settings
from rotator.core.model import Ask, Phase, Reason, Record
from rotator.keypairs import adopt_key_pair, doubts_about
from rotator.salesforce.initfiles import NewApp, checklist, write_app_files
from rotator.secret import Secret
from rotator.standing import progress

KEY_WITHIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class NewAppWishes:
    """What the operator wants of a new app."""

    directory: Path | None
    permission_set: str
    contact_email: str | None


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """Where a key pair is that was made elsewhere."""

    key: Path
    certificate: Path
    passphrase: Path | None


def init_credential(settings: Settings, name: str, wishes: NewAppWishes, manner: Manner) -> Exit:
    """Have the first key pair made, and write the app's files. Raises RotatorError."""
    with settings.application([name]) as (app, _problems):
        record, _version = app.documents.read_record(name)
        if _is_awaited(record):
            return _hand_over(app, name, wishes, record, manner)
        with Asking(app, name, manner).session(settings) as asking:
            answer = asking.answer(Ask.INIT)
            if answer is None:
                return Exit.UNANSWERED
            if not answer.accepted:
                return asking.end(answer, Exit.PROBLEM)
            record = asking.follow(_is_awaited, KEY_WITHIN_SECONDS)
        if not _is_awaited(record):
            complain(
                f"{name}: {progress(record, app.driver.stations[name].terms, datetime.now(UTC))}",
                f"See `rotator status {name}`; then repeat this command.",
            )
            return Exit.PROBLEM
        return _hand_over(app, name, wishes, record, manner)


def _is_awaited(record: Record) -> bool:
    """Tell whether a person is to bring the first certificate in."""
    return record.phase is Phase.PROVING and record.change is not None and record.change.reason is Reason.INIT


def _hand_over(app: Application, name: str, wishes: NewAppWishes, record: Record, manner: Manner) -> Exit:
    """Write the app's files, and tell what to do with them."""
    credential = app.configuration.credentials[name]
    serial = record.change.target if record.change else record.newest
    new = NewApp(
        app_of(credential),
        app.documents.read_key(name, serial).certificate_pem,
        wishes.permission_set,
        wishes.contact_email or credential.key.subject.email or credential.usernames[0],
        **({"api_version": credential.api_version} if credential.api_version else {}),
    )
    directory = wishes.directory or Path(new.app.name)
    written = write_app_files(new, directory)
    steps = checklist(new, directory, credential.usernames)
    if manner.as_json:
        print_json({"credential": name, "serial": serial, "files": written, "steps": steps.splitlines()})
    else:
        say(f"{name}: key pair {serial} is in Vault; the files of the app {new.app.name} are in {directory}")
        say("")
        say("What is left for a person:")
        say(steps.rstrip())
    return Exit.OK


def adopt_pair(settings: Settings, name: str, files: KeyFiles, manner: Manner) -> Exit:
    """Have a key pair adopted. Raises RotatorError."""
    passphrase = None
    if files.passphrase is not None:
        text = read_file(files.passphrase, "the passphrase").decode(errors="replace")
        passphrase = Secret(text.removesuffix("\n").removesuffix("\r"))
    pair = adopt_key_pair(
        read_file(files.key, "the key"), read_file(files.certificate, "the certificate"), passphrase
    )
    for doubt in [*doubts_about(pair, datetime.now(UTC)), *_open_to_others(files.key, files.passphrase)]:
        say(f"note: {doubt}", DOUBTFUL, error=True)
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
