"""Commands that look and touch nothing: status, plan, history, certificate."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import click

from rotator.cli.exits import Exit
from rotator.cli.settings import (
    Settings,
    json_option,
    name_argument,
    names_argument,
    on_vault,
    pass_settings,
)
from rotator.cli.teaching import AS_DAEMON, READS, command

if TYPE_CHECKING:
    from rotator.cli.plan import Agenda

USUAL_PAUSE_SECONDS: Final = 5
LEAST_PAUSE_SECONDS: Final = 0.5


class Seconds(click.ParamType[float]):
    """A pause between two looks."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return a number of seconds that leaves Vault in peace."""
        try:
            return max(LEAST_PAUSE_SECONDS, float(value))
        except ValueError:
            self.fail(f"{value!r} is no number of seconds; NAMEs stand before it", param, ctx)


@command(
    "Show how the credentials stand.",
    READS,
    "rotator status",
    "rotator status --watch",
    "rotator status acme --json",
    "rotator status --problems || mail -s rotator ops@example.com",
    exits=[Exit.PROBLEM, Exit.USAGE, Exit.UNAVAILABLE],
)
@names_argument
@click.option(
    "--problems", "only_problems", is_flag=True, help="Show only credentials with which something is wrong."
)
@click.option(
    "--watch",
    "every_seconds",
    is_flag=False,
    flag_value=str(USUAL_PAUSE_SECONDS),
    type=Seconds(),
    metavar="[SECONDS]",
    help=f"Look again every {USUAL_PAUSE_SECONDS} (or so many) seconds, until Ctrl-C.",
)
@on_vault
@json_option
@pass_settings
def status(
    settings: Settings,
    names: tuple[str, ...],
    *,
    only_problems: bool,
    every_seconds: float | None,
    as_json: bool,
) -> None:
    """Show how the credentials stand: who signs, until when, what is wrong, what goes on.

    For all, or in detail for NAMEs; those that need a person come first. How far tokens are proved, and which requests
    of operators wait for an answer, is shown where the policy lets it be read. Ends with exit code 1 when any
    credential (of those NAMEd) has a trouble, is bound to another org, or has settings that do not hold; with --watch
    as of the last look. Where a person is to bring a certificate in, the last line says so, and nothing is wrong (0) until
    the one that signs is near its end (rotation.urgent_before) or leaked.
    """
    from rotator.cli.aside import concerning, tell_elsewhere
    from rotator.cli.status.look import look
    from rotator.cli.status.watch import Watch

    with settings.application(names, tells=False) as (app, problems):
        tell_elsewhere(problems, names)
        aside = concerning(problems, names)
        watch = Watch(
            lambda: look(app, aside, names, only_problems=only_problems),
            in_detail=bool(names),
            as_json=as_json,
        )
        code = watch.once() if every_seconds is None else watch.again_and_again(every_seconds)
    click.get_current_context().exit(code)


@command(
    "Show what would be done, and when; touch nothing.",
    AS_DAEMON,
    "rotator plan                 # what would `rotator once` do?",
    "rotator plan acme --json",
    exits=[Exit.PROBLEM, Exit.USAGE, Exit.UNAVAILABLE],
)
@names_argument
@on_vault
@json_option
@pass_settings
def plan(settings: Settings, names: tuple[str, ...], *, as_json: bool) -> None:
    """Show what would be done now, what comes next, and when. Touches nothing.

    Decides exactly as the daemon does, from the same documents. Ends with exit code 1 when those of a credential
    cannot be read, or when its settings do not hold.
    """
    from rotator.cli.aside import concerning, tell_not_in_force
    from rotator.cli.output import complain, print_json
    from rotator.cli.plan import agendas, show_agenda

    now = datetime.now(UTC)
    with settings.application(names, as_daemon=True) as (app, problems):
        found = [_as_daemon(one, settings) for one in agendas(app, names, now)]
    if as_json:
        print_json({"at": now, "credentials": found})
    else:
        for one in found:
            show_agenda(one, now)
    broken = [(one.credential, one.trouble) for one in found if one.trouble is not None]
    for name, trouble in broken:
        complain(f"{name}: {trouble.message}", trouble.hint)
    if not names:
        tell_not_in_force(problems)
    aside = concerning(problems, names)
    click.get_current_context().exit(Exit.PROBLEM if broken or aside else Exit.OK)


def _as_daemon(one: Agenda, settings: Settings) -> Agenda:
    trouble = one.trouble
    if trouble is None:
        return one
    return replace(one, trouble=replace(trouble, hint=settings.daemons_hint(trouble.code, trouble.hint)))


@command(
    "Show the last changes of a credential.",
    READS,
    "rotator history acme",
    exits=[Exit.USAGE, Exit.UNAVAILABLE],
)
@name_argument
@on_vault
@json_option
@pass_settings
def history(settings: Settings, name: str, *, as_json: bool) -> None:
    """Show the last changes of a credential, the newest at the end: what was brought in, why, and how it ended."""
    from rotator.cli.history import laid_out
    from rotator.cli.output import console, print_json, say, show

    with settings.application([name]) as (app, _problems):
        record, _version = app.documents.read_record(name)
    if as_json:
        print_json({"credential": name, "history": record.history})
    elif not record.history:
        say(f"{name} has been through no change yet")
    else:
        show(*laid_out(record.history, console()))


@command(
    "Print the certificate of a credential.",
    AS_DAEMON,
    "rotator certificate acme | openssl x509 -noout -subject -enddate",
    "rotator certificate acme --serial 7",
    "rotator certificate acme --csr",
    exits=[Exit.PROBLEM, Exit.USAGE, Exit.UNAVAILABLE],
)
@name_argument
@click.option(
    "--serial",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="Of this key pair. [default: the one that a change brings in, else the one that signs]",
)
@click.option(
    "--csr", is_flag=True, help="Print a certificate signing request (PKCS#10) for the key instead."
)
@on_vault
@json_option
@pass_settings
def certificate(settings: Settings, name: str, *, serial: int | None, csr: bool, as_json: bool) -> None:
    """Print the certificate (PEM) that belongs into the app. It is public; the private key stays in Vault."""
    from rotator.cli.output import print_json
    from rotator.core.slot import is_leaked
    from rotator.keypairs import make_csr

    with settings.application([name], as_daemon=True) as (app, _problems):
        record, _version = app.documents.read_record(name)
        chosen = serial or (record.change.target if record.change else record.current)
        if chosen is None:
            raise click.UsageError(
                f"{name} has no key pair yet. Begin with `rotator init` or `rotator adopt`."
            )
        if serial is None and is_leaked(record, chosen):
            raise click.UsageError(
                f"key pair {chosen} leaked, so its certificate belongs nowhere. "
                f"`rotator certificate {name} --serial {chosen}` prints it all the same."
            )
        pair = app.documents.read_key(name, chosen)
    pem = make_csr(pair) if csr else pair.certificate_pem
    if as_json:
        print_json(
            {
                "credential": name,
                **asdict(record.key(chosen) or pair.facts(chosen)),
                "csr" if csr else "certificate": pem,
            }
        )
    else:
        click.echo(pem, nl=False)


COMMANDS = (status, plan, history, certificate)
