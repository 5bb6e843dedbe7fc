"""Commands that try rotator out on loopback: sandbox, demo."""

from __future__ import annotations

from pathlib import Path

import click

from rotator.cli.exits import Exit
from rotator.cli.settings import Settings, config_option, json_option, pass_settings
from rotator.cli.teaching import command

_ON_LOOPBACK = (
    "Acts by itself, on loopback alone, with a Vault server of its own. Needs the extra `sandbox` "
    "(in a checkout: pip install '.[sandbox]')."
)


@command(
    "Start an org and a Vault server to try things out on.",
    _ON_LOOPBACK,
    "rotator sandbox",
    "# and in another terminal, with the configuration that it names:",
    "rotator status -c /tmp/rotator-sandbox-.../rotator.yaml",
    "rotator sandbox --empty --directory first-hour      # the beginning of docs/tutorial.md",
    exits=[Exit.PROBLEM, Exit.USAGE],
)
@click.option(
    "--empty",
    is_flag=True,
    help="Begin with an org that has no app yet, and tell what comes next, step by step.",
)
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where configuration and tokens are written: an empty folder, or one that is made, and removed at the end. "
    "[default: a temporary folder]",
)
@click.option(
    "--administer",
    "metadata",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    metavar="DIR",
    help="Start nothing, but be the administrator of the sandbox whose configuration is given: deploy this folder of "
    "metadata, and write the consumer keys of its apps into the configuration.",
)
@config_option
@json_option
@pass_settings
def sandbox(
    settings: Settings, *, empty: bool, directory: Path | None, metadata: Path | None, as_json: bool
) -> None:
    """Start a Salesforce org and a real Vault server on this machine, with a fleet that works, until Ctrl-C.

    Certificates live for minutes there, so that rotations come due while you watch. With --json one line tells all
    that is needed, as soon as everything is ready. Nothing is left behind.
    """
    from rotator.cli.sandbox import Beginning, administer, stay

    if metadata is not None:
        if empty or directory is not None:
            raise click.UsageError(
                "--administer speaks to a sandbox that runs; --empty and --directory start one."
            )
        click.get_current_context().exit(administer(settings.file(), metadata, as_json=as_json))
    click.get_current_context().exit(stay(Beginning(empty=empty, folder=directory), as_json=as_json))


@command(
    "Show the whole story on this machine.",
    _ON_LOOPBACK,
    "rotator demo",
    "rotator demo --json | tail -n 1",
    exits=[Exit.PROBLEM, Exit.USAGE],
)
@json_option
def demo(*, as_json: bool) -> None:
    """Show rotations, a failed one that is restored, and a daemon that is killed and goes on, in under two minutes.

    All the while consumers call the org with the token that they read from Vault. The exit code is 0 only if they
    saw no failure, and every key in Vault is accounted for.
    """
    from rotator.cli.sandbox import lacking_extra

    if (code := lacking_extra()) is not None:
        click.get_current_context().exit(code)
    from rotator.demo import run

    click.get_current_context().exit(run(as_json=as_json))


COMMANDS = (sandbox, demo)
