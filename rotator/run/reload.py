"""The configuration read again while the daemon runs (SIGHUP), and what is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rotator import events
from rotator.config import Configuration, ConfigurationError, Problem, bad_files, reload
from rotator.core.model import Trouble
from rotator.errors import RotatorError
from rotator.show import logs
from rotator.show.logs import emit
from rotator.web import examine
from rotator.wording import some

if TYPE_CHECKING:
    from rotator.run.daemon import Daemon


def reread(daemon: Daemon) -> None:
    """Go on by the configuration as its file has it now; where that does not hold, by the one that is in force.

    The service manager is told when this begins and when it is over, whatever became of it.
    """
    daemon.notifier.reloading()
    try:
        _follow(daemon)
    except (ConfigurationError, RotatorError, OSError) as error:
        _refuse(daemon, str(error))
    except Exception as error:  # noqa: BLE001 - no file may end the daemon
        _refuse(daemon, f"{type(error).__name__}: nobody foresaw this; it is a mistake of rotator", error)
    daemon.notifier.status(daemon.rounds.sentence())
    daemon.notifier.ready()


def _follow(daemon: Daemon) -> None:
    old = daemon.app.configuration
    new, problems = reload(old)
    examine(new.web)
    daemon.renew(new)
    daemon.problems, daemon.loaded_at, daemon.refusal = tuple(problems), daemon.clock(), None
    before, after = old.credentials, new.credentials
    emit(
        events.CONFIGURATION_RELOADED,
        config=str(new.file),
        added=sorted(after.keys() - before.keys()),
        removed=sorted(before.keys() - after.keys()),
        changed=sorted(name for name in after.keys() & before.keys() if after[name] != before[name]),
        kept=_kept(new, problems),
        finishing=daemon.members.finishing(),
    )
    if new.log != old.log:
        logs.configure(format=new.log.format, level=new.log.level)
    daemon.flaws = tell_problems(new, problems)


def _refuse(daemon: Daemon, mistakes: str, error: Exception | None = None) -> None:
    emit(
        events.CONFIGURATION_REFUSED,
        config=str(daemon.app.configuration.file),
        mistakes=mistakes,
        **({} if error is None else {"exc_info": error}),
    )
    first = mistakes.partition("\n")[0]
    daemon.flaws = f"the configuration was refused: {first}"
    hint = "Correct it and reload; `rotator check` lists every mistake."
    daemon.refusal = Trouble("configuration", daemon.clock(), "config.mistakes", first, hint, lasting=True)


def tell_problems(configuration: Configuration, problems: Sequence[Problem]) -> str:
    """Tell what of the configuration does not hold, and return it in a few words; empty if all does."""
    kept: list[str] = []
    aside: list[str] = []
    files: list[str] = []
    for name, found in _by_credential(problems).items():
        is_kept = name in configuration.credentials
        (kept if is_kept else aside).append(name)
        emit(
            events.CREDENTIAL_KEPT if is_kept else events.CREDENTIAL_SET_ASIDE,
            credential=name,
            message="; ".join(one.what for one in found),
            hint="; ".join(dict.fromkeys(one.mend for one in found)),
        )
    for file in sorted(bad_files(problems)):
        files.append(str(file))
        own = [name for name in configuration.credentials if configuration.origin(name) == file]
        mistakes = "\n".join(str(one) for one in problems if one.file == file and one.credential is None)
        emit(events.CONFIGURATION_FILE_REFUSED, file=str(file), mistakes=mistakes, kept=sorted(own))
    told = ((files, "refused"), (kept, "served with former settings"), (aside, "set aside"))
    return "; ".join(f"{some(sorted(names), _NAMED)} {what}" for names, what in told if names)


def _by_credential(problems: Sequence[Problem]) -> dict[str, list[Problem]]:
    found: dict[str, list[Problem]] = {}
    for problem in problems:
        if problem.credential is not None:
            found.setdefault(problem.credential, []).append(problem)
    return found


def _kept(configuration: Configuration, problems: Sequence[Problem]) -> list[str]:
    """Return the credentials that are served with the settings that they had."""
    names, files = _by_credential(problems).keys(), bad_files(problems)
    return sorted(
        name for name in configuration.credentials if name in names or configuration.origin(name) in files
    )


_NAMED = 3
"""Of the names of a kind, in the status line."""
