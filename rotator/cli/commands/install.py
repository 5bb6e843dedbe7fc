"""Install what runs rotator: `rotator install systemd`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rotator.cli.exits import Exit
from rotator.cli.settings import Settings, config_option, pass_settings
from rotator.cli.teaching import ALONE, command, family

_CONFIG = Path("/etc/rotator/rotator.yaml")
_BOOTED = Path("/run/systemd/system")  # is there if systemd runs this machine: sd_booted(3)


@command(
    "Install the units of systemd.",
    ALONE + " The configuration is not read: it may be written later.",
    "rotator install systemd --dry-run",
    "sudo /opt/rotator/bin/rotator install systemd",
    "sudo /opt/rotator/bin/rotator install systemd -c /srv/rotator/rotator.yaml --user rotator",
    "rotator install systemd --program /opt/rotator/bin/rotator --root ./image",
    exits=[Exit.PROBLEM, Exit.USAGE],
)
@click.option(
    "--dry-run", is_flag=True, help="Show what would be written, as a diff to what is there, and no more."
)
@click.option(
    "--user",
    metavar="NAME",
    help="Run as this user, who is made if needed. [default: one that exists while the service runs]",
)
@click.option(
    "--program",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The command that the service starts. [default: the one that you are running]",
)
@click.option(
    "--root",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("/"),
    metavar="DIR",
    help="Write below this folder, such as the root of an image.",
)
@click.option("--overwrite", is_flag=True, help="Write also over files that somebody changed.")
@config_option
@pass_settings
def systemd(
    settings: Settings, *, dry_run: bool, user: str | None, program: Path | None, root: Path, overwrite: bool
) -> None:
    """Write the units of systemd, with the paths of this installation, and say what to do next.

    A service for the daemon, a service and a timer for those who prefer one run after the other, the folder for
    secrets beside the configuration; with --user also the user. Nothing is started. Files that are the same already
    are left alone; one that somebody changed is not written over unless --overwrite says so. Changes of your own are
    better kept apart: `systemctl edit rotator`.

    The configuration is -c FILE, or $ROTATOR_CONFIG, or /etc/rotator/rotator.yaml; the service finds the secrets that
    are in the folder `credentials` beside it, which only root can look into: {file: credentials/secret_id}.
    """
    from rotator import units

    program, config = program or _this_program(), (settings.config or _CONFIG).absolute()
    files = units.files(program, config, user, root)
    if dry_run:
        _show(files)
        _warn_of_sight(program, config)
    else:
        units.see_to_sight(program, config)
        _write(files, root, overwrite=overwrite)
    click.echo("\nNext:" if not dry_run else "\nThen:")
    for line, why in units.commands(user).items():
        click.echo(f"  {line:<42} # {why}")


def _this_program() -> Path:
    """Return the command that runs, as it lies beside its Python."""
    from rotator.errors import Misconfigured

    beside = Path(sys.executable).with_name("rotator")
    if not beside.is_file():
        raise Misconfigured(
            f"there is no {beside}",
            code="install.path",
            hint="Name the command that the service shall start: --program FILE.",
        )
    return beside


def _show(files: dict[Path, str]) -> None:
    from rotator import units

    for path, text in files.items():
        lines = list(units.difference(path, text))
        state = "unchanged" if not lines else "changed" if path.exists() else "new"
        click.echo(f"{path} (mode {units.MODE:04o}): {state}")
        for line in lines:
            click.echo(line)


def _warn_of_sight(program: Path, config: Path) -> None:
    from rotator import units
    from rotator.cli.output import DOUBTFUL, warn
    from rotator.errors import Misconfigured

    try:
        units.see_to_sight(program, config)
    except Misconfigured as error:
        sys.stdout.flush()
        warn("warning: ", f"{error.message}: these units would not be written.", DOUBTFUL)
        warn("hint: ", error.hint)


def _write(files: dict[Path, str], root: Path, *, overwrite: bool) -> None:
    from rotator import units
    from rotator.files import write_files

    _see_to_rights(root)
    new = {path: text for path, text in files.items() if any(units.difference(path, text))}
    if new:
        write_files(
            {path: text.encode() for path, text in new.items()},
            code="install.files",
            public=new,
            overwrite=overwrite,
            hint="See the difference with --dry-run. Keep changes of your own apart (systemctl edit rotator), then "
            "take --overwrite.",
        )
    for path in files:
        click.echo(f"{'written' if path in new else 'unchanged'}: {path}")


def _see_to_rights(root: Path) -> None:
    """Raise Misconfigured where units would serve nobody, or cannot be written."""
    import os

    from rotator.errors import Misconfigured

    elsewhere = "Or prepare an image: --root DIR. Or look at what would be written: --dry-run."
    if root.absolute() != Path("/"):
        return
    if not _BOOTED.is_dir():
        raise Misconfigured("systemd does not run this machine", code="install.systemd", hint=elsewhere)
    if os.geteuid() != 0:
        raise Misconfigured(
            "only root may install units", code="install.root", hint=f"Run it with sudo. {elsewhere}"
        )


COMMANDS = (
    family(
        "install",
        "Install what runs rotator: units of systemd.",
        "Install what runs rotator on a machine.",
        ALONE,
        "rotator install systemd --dry-run",
        commands=[systemd],
    ),
)
