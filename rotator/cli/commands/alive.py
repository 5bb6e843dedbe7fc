"""Whether the daemon is alive: for health checks, which ask often."""

from __future__ import annotations

import click

from rotator.cli.exits import Exit
from rotator.cli.settings import Settings, config_option, json_option, pass_settings
from rotator.cli.teaching import ALONE, command


@command(
    "Tell whether the daemon is alive.",
    ALONE + " The configuration is not read: its path tells which daemon is meant.",
    "rotator alive -c rotator.yaml",
    "sudo /opt/rotator/bin/rotator alive -c /etc/rotator/rotator.yaml    # of the service of systemd",
    exits=[Exit.PROBLEM, Exit.USAGE],
)
@config_option
@json_option
@pass_settings
def alive(settings: Settings, *, as_json: bool) -> None:
    """Tell whether the daemon is alive: for the health check of a container, or a probe of Kubernetes.

    As long as all parts of it move, the daemon touches a file every second; it is looked at how old that is, and more
    than 30 seconds are too much. That Vault is sealed, or that Salesforce does not answer, or that a credential is in
    trouble, makes no daemon dead, for no restart would mend it: see `rotator status` for those.

    The file is in $RUNTIME_DIRECTORY; where that is not set, in /run/rotator, where only root sees that of the service
    of systemd, else in $XDG_RUNTIME_DIR, else in the system's folder for temporary files. So ask of the service as
    root, and of any other daemon with its environment, as its user or as root.
    """
    from rotator.run import lifesign

    file = lifesign.seen_at(settings.file())
    seconds, said = None, ""
    try:
        seconds = lifesign.age_seconds(file)
    except FileNotFoundError:
        said = f"there is no sign of life at {file}"
    except OSError as error:
        said = f"the sign of life cannot be looked at: {file}: {error.strerror}"
    well = seconds is not None and lifesign.is_fresh(seconds)
    if as_json:
        from rotator.cli.output import print_json

        print_json({"alive": well, "age_seconds": seconds, "file": file})
    elif seconds is not None:
        click.echo(f"{'alive' if well else 'not alive'}: the last sign of life is {seconds:.1f} s old")
    else:
        click.echo(f"not alive: {said}")
    if not well:
        from rotator.cli.output import warn

        warn("hint: ", _HINT)
    click.get_current_context().exit(Exit.OK if well else Exit.PROBLEM)


_HINT = (
    "Does `rotator run` run, with the configuration at this very path? Ask of a service of systemd as root; of any other "
    "daemon as the same user, and with the same RUNTIME_DIRECTORY, XDG_RUNTIME_DIR or TMPDIR. A daemon that hangs says "
    "so in its log: heartbeat.late."
)

COMMANDS = (alive,)
