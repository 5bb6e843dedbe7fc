"""The command ``rotator``. Each family of commands is a module of :mod:`rotator.cli.commands`.

Importing this imports click and little else: what is heavy is imported by the command that needs it, so that
``--help`` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rotator import __version__
from rotator.cli.commands import (
    alive,
    begin,
    builtin,
    examine,
    explain,
    export,
    install,
    look,
    request,
    serve,
    trial,
)
from rotator.cli.dumps import keep_out_of_dumps
from rotator.cli.exits import MEANINGS, Exit, exit_of
from rotator.cli.settings import CONFIG, TOKEN_FILE, Settings
from rotator.errors import RotatorError

FAMILIES = {
    "Look": (*look.COMMANDS, *examine.COMMANDS, *alive.COMMANDS),
    "Ask the daemon": (*request.COMMANDS, *begin.COMMANDS),
    "Do the work": (*serve.COMMANDS, *install.COMMANDS),
    "Hand to other programs": export.COMMANDS,
    "Print what is built in": (*explain.COMMANDS, *builtin.COMMANDS),
    "Try it out": trial.COMMANDS,
}


class Commands(click.Group):
    """Commands whose errors are told in words, and end with the exit code that fits."""

    def __call__(self, *args: Any, **settings: Any) -> Any:
        """Be the program of this process. Who runs commands within another one calls :meth:`main`."""
        keep_out_of_dumps()
        return super().__call__(*args, **settings)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options before the command."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            _tell_usage(error)
            ctx.exit(Exit.USAGE)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """List the commands by family."""
        for title, family in FAMILIES.items():
            with formatter.section(title):
                formatter.write_dl([(str(one.name), one.get_short_help_str(limit=100)) for one in family])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except RotatorError as error:
            _tell(error)
            ctx.exit(exit_of(error))
        except KeyboardInterrupt:
            from rotator.cli.output import complain

            complain("interrupted", "What is half-way is in the record, and goes on: see `rotator status`.")
            ctx.exit(Exit.INTERRUPTED)
        except click.UsageError as error:
            _tell_usage(error)
            ctx.exit(Exit.USAGE)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # click sees to these
        except Exception as error:  # noqa: BLE001 - the last resort: told without secrets
            _tell_unforeseen(error)
            ctx.exit(Exit.UNFORESEEN)


def _tell(error: RotatorError) -> None:
    from rotator.cli.output import complain, tell_problem

    problems = getattr(error, "problems", None)
    if problems is None:
        complain(error.message, error.hint)
        return
    for problem in problems:
        tell_problem(problem)
    count = len(problems)
    complain(f"the configuration has {count} mistake{'s' if count > 1 else ''}")


def _tell_usage(error: click.UsageError) -> None:
    from rotator.cli.output import complain

    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return
    usage = error.ctx.command_path if error.ctx is not None else "rotator"
    complain(error.format_message(), f"`{usage} --help` tells how it is used.")


def _tell_unforeseen(error: Exception) -> None:
    import traceback

    from rotator.cli.output import complain, say
    from rotator.show.logs import redactor

    say(redactor.text("".join(traceback.format_exception(error))), error=True)
    complain(
        f"{type(error).__name__}: nobody foresaw this",
        "It is a mistake of rotator. Report it with the lines above, which hold no secret.",
    )


_HELP = """\
Renew the key pairs and access tokens with which servers call Salesforce.

The daemon (`rotator run`) does all of it unattended: it makes the next key pair before a certificate expires, brings
the certificate into the org, proves it, promotes it or goes back, and publishes access tokens to Vault all the while.
The other commands look, ask the daemon, or try things out.

\b
Begin with:
  rotator demo                 the whole story on this machine, in two minutes
  rotator check -c FILE        does the configuration hold?
  rotator doctor -c FILE       does everything around it work?
  rotator status -c FILE       how are the credentials?
  rotator help                 what do states, events and paths mean?"""
_EXITS = "".join(f"\n  {code.value:<4} {meaning}" for code, meaning in MEANINGS.items())


@click.group(
    cls=Commands,
    help=_HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"\b\nExit codes of all commands:{_EXITS}",
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.option(
    "-c",
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar=CONFIG,
    metavar="FILE",
    help=f"The configuration; may also follow the command. [default: ${CONFIG}]",
)
@click.option(
    "--vault-token-file",
    "token_file",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar=TOKEN_FILE,
    metavar="FILE",
    help="Speak to Vault with the token in this file, not with the configuration's login; may also follow "
    f"the command. [default: ${TOKEN_FILE}]",
)
@click.pass_context
def main(context: click.Context, config: Path | None, token_file: Path | None) -> None:
    context.obj = Settings(config, token_file)


for family in FAMILIES.values():
    for command in family:
        main.add_command(command)
