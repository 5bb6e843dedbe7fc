"""Commands that do the work: the daemon, and once for all that is due."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rotator.cli.exits import Exit
from rotator.cli.settings import Settings, json_option, names_argument, on_vault, pass_settings
from rotator.cli.teaching import AS_DAEMON, command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rotator.config import Problem
    from rotator.performer import Station


@command(
    "Run the daemon.",
    AS_DAEMON,
    "rotator run -c /etc/rotator/rotator.yaml",
    exits=[Exit.USAGE],
)
@on_vault
@pass_settings
def run(settings: Settings) -> None:
    """Run the daemon until SIGTERM or Ctrl-C.

    It does not wait for Vault or Salesforce to be there; what is wrong shows in the log and in `rotator status`. A
    credential with wrong settings is set aside, the others are served. Killed at any moment, it goes on where the
    records say.
    """
    _heed_stop()
    configuration, problems = settings.load(works=True)
    from rotator.run.daemon import serve

    click.get_current_context().exit(serve(configuration, problems, token_file=settings.token_file))


def _heed_stop() -> None:
    """End on SIGTERM, until the daemon has a handler of its own: to the first process of a container it means nothing.

    The kernel drops what that one has no handler for (pid_namespaces(7)), so it would only end by being killed.
    """
    import signal
    import sys

    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(Exit.OK))


@command(
    "Do all that is due, and see it through.",
    AS_DAEMON,
    "rotator once                 # from cron, instead of a daemon",
    "rotator once acme            # one credential",
    exits=[Exit.PROBLEM, Exit.USAGE, Exit.UNAVAILABLE, Exit.INTERRUPTED],
)
@names_argument
@on_vault
@json_option
@pass_settings
def once(settings: Settings, names: tuple[str, ...], *, as_json: bool) -> None:
    """Do all that is due, and stay until the changes that it began are over.

    For NAMEs only, or for every credential. Requests of operators are answered, too. A daemon that runs beside it
    does no harm. It does not wait for a person: where a certificate is brought in by hand, it ends when that is all
    that is missing.
    """
    from rotator.cli.signals import stop_on_signals
    from rotator.run.ask import acquaint
    from rotator.run.once import run_to_rest
    from rotator.show import logs

    with settings.application(names, works=True, tells=False) as (app, problems), stop_on_signals() as stop:
        wanted = app.configuration.log
        logs.configure(format=wanted.format, level=wanted.level)
        acquaint(app, names)
        chosen = names or tuple(app.driver.stations)
        troubled = run_to_rest(app, chosen, stop=stop)
        _tell([app.driver.stations[name] for name in chosen], troubled, problems, as_json=as_json)
    context = click.get_current_context()
    if stop.is_set():
        context.exit(Exit.INTERRUPTED)
    context.exit(Exit.PROBLEM if troubled or problems else Exit.OK)


def _tell(
    stations: Sequence[Station], troubled: Sequence[str], problems: Sequence[Problem], *, as_json: bool
) -> None:
    from rotator.cli.output import BAD, GOOD, print_json, say, tell_problem

    if as_json:
        done = [
            {
                "credential": one.name,
                "phase": one.record.phase,
                "well": one.name not in troubled,
                "troubles": one.record.trouble,
                "sentence": one.sentence,
            }
            for one in stations
        ]
        print_json(
            {"credentials": done, "set_aside": sorted({one.credential or str(one.file) for one in problems})}
        )
        return
    for one in stations:
        say(f"{one.name}: {one.record.phase.words}", BAD if one.name in troubled else GOOD)
        for said in [trouble.message for trouble in one.record.trouble] or [one.sentence]:
            if one.name in troubled:
                say(f"  {said}", BAD)
    for problem in problems:
        tell_problem(problem, "set aside: ", BAD)


COMMANDS = (run, once)
