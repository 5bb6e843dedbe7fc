"""The configuration read again while the daemon runs (SIGHUP), and what is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rotator import events
from rotator.app import Prepared
from rotator.config import Configuration, ConfigurationError, Problem, bad_files, reload
from rotator.core.model import Trouble
from rotator.errors import Compromised, RotatorError
from rotator.run.reading import by_credential
from rotator.run.rounds import guarded
from rotator.show import logs
from rotator.show.logs import emit
from rotator.web import examine

if TYPE_CHECKING:
    from rotator.run.daemon import Daemon


MEND = "Correct it and reload; `rotator check` lists every mistake."


def reread(daemon: Daemon) -> None:
    """Go on by the configuration as its file has it now; where that does not hold, by the one that is in force.

    The service manager is told when this begins and when it is over, whatever became of it.
    """
    daemon.notifier.reloading()
    try:
        new, problems = reload(daemon.app.configuration)
        examine(new.web)
        prepared = daemon.app.prepare(new)
    except ConfigurationError as error:
        _refuse(daemon, error.message)
    except RotatorError as error:
        if isinstance(error, Compromised):
            emit(
                events.VAULT_SECRET_ID_UNWRAPPED_TWICE,
                code=error.code,
                message=error.message,
                hint=error.hint,
            )
        _refuse(daemon, f"{error.message}\n  mend: {error.hint}", hint=error.hint)
    except OSError as error:
        _refuse(daemon, str(error))
    except Exception as error:  # noqa: BLE001 - no file may end the daemon
        _refuse(
            daemon, f"{type(error).__name__}: nobody foresaw this; it is a mistake of rotator", error=error
        )
    else:
        _go_on(daemon, prepared, problems)
    daemon.notifier.status(daemon.rounds.sentence())
    daemon.notifier.ready()


def _go_on(daemon: Daemon, prepared: Prepared, problems: Sequence[Problem]) -> None:
    """Put another configuration into force. What fails is told, and keeps the rest from nothing: all of it counts."""
    old, new = daemon.app.configuration, prepared.configuration

    def put_into_force() -> None:
        daemon.renew(prepared, problems)

    def log_as_it_says() -> None:
        if new.log != old.log:
            logs.configure(format=new.log.format, level=new.log.level)

    for part in (put_into_force, daemon.fit, log_as_it_says):
        guarded(part)
    before, after = old.credentials, new.credentials
    emit(
        events.CONFIGURATION_RELOADED,
        config=str(new.file),
        added=sorted(after.keys() - before.keys()),
        removed=sorted(before.keys() - after.keys()),
        changed=sorted(name for name in after.keys() & before.keys() if after[name] != before[name]),
        kept=sorted(new.kept),
        finishing=daemon.members.finishing(),
    )
    tell_problems(new, problems)


def _refuse(daemon: Daemon, mistakes: str, *, hint: str = MEND, error: Exception | None = None) -> None:
    emit(
        events.CONFIGURATION_REFUSED,
        config=str(daemon.app.configuration.file),
        mistakes=mistakes,
        **({} if error is None else {"exc_info": error}),
    )
    first = mistakes.partition("\n")[0]
    refusal = Trouble("configuration", daemon.clock(), "config.mistakes", first, hint, lasting=True)
    daemon.reading = replace(daemon.reading, refusal=refusal)


def tell_problems(configuration: Configuration, problems: Sequence[Problem]) -> None:
    """Tell what of the configuration does not hold."""
    for name, found in by_credential(problems).items():
        is_kept = name in configuration.credentials
        emit(
            events.CREDENTIAL_KEPT if is_kept else events.CREDENTIAL_SET_ASIDE,
            credential=name,
            message="; ".join(one.what for one in found),
            hint="; ".join(dict.fromkeys(one.mend for one in found)),
        )
    files = sorted(bad_files(problems))
    known = by_credential(problems).keys()
    moved = {name for name in configuration.kept - known if configuration.origin(name) not in files}
    for file in files:
        own = {name for name in configuration.kept if configuration.origin(name) == file} | moved
        mistakes = "\n".join(str(one) for one in problems if one.file == file and one.credential is None)
        emit(events.CONFIGURATION_FILE_REFUSED, file=str(file), mistakes=mistakes, kept=sorted(own))
