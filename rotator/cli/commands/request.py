"""Commands that ask the daemon for something."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import click

from rotator.cli.exits import Exit
from rotator.cli.settings import (
    F,
    Settings,
    json_option,
    name_argument,
    on_vault,
    pass_settings,
    some_names_argument,
)
from rotator.cli.teaching import ASKS, WITHDRAWS, command

ASKING: Final = (Exit.PROBLEM, Exit.USAGE, Exit.UNAVAILABLE, Exit.UNANSWERED)
"""How a request may end."""


class Duration(click.ParamType[timedelta]):
    """A length of time, such as 90s or 15m."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the length of time that a text means."""
        from rotator.config.durations import parse_duration

        if isinstance(value, timedelta):
            return value
        try:
            return parse_duration(str(value))
        except ValueError as error:
            self.fail(f"{value!r} {error}; write it as 90s, 15m or 1h30m", param, ctx)


def common_options(function: F) -> F:
    """Add what all requests have in common."""
    for option in (
        json_option,
        on_vault,
        click.option(
            "--ask-only", "where", flag_value="ask", help="Leave it to the daemon, even if none answers."
        ),
        click.option("--here", "where", flag_value="here", help="Do it in this process, wait for no daemon."),
        click.option(
            "--within",
            type=Duration(),
            metavar="DURATION",
            help="How long to wait for the answer. [default: two rounds of the daemon and 3s]",
        ),
    ):
        function = option(function)
    return function


def request_options(function: F) -> F:
    """Add what requests for one credential have in common."""
    return name_argument(common_options(function))


wait_option = click.option(
    "--wait", is_flag=True, help="Stay until the change is over, and show how it goes."
)


def _request(settings: Settings, name: str, what: str, **manner: Any) -> None:
    click.get_current_context().exit(_asked(settings, name, what, **manner))


def _asked(
    settings: Settings,
    name: str,
    what: str,
    *,
    where: str | None,
    within: timedelta | None,
    as_json: bool,
    wait: bool = False,
) -> Exit:
    from rotator.cli.requests.asking import Manner, request
    from rotator.core.model import Ask

    manner = Manner(where=where, within=within, as_json=as_json, wait=wait)
    return request(settings, name, Ask(what), manner)


@command(
    "Replace the key pair of a credential now.",
    ASKS,
    "rotator rotate acme --wait",
    "rotator rotate acme --compromised --wait",
    exits=ASKING,
)
@request_options
@wait_option
@click.option(
    "--compromised",
    is_flag=True,
    help="The present key leaked: there is no way back to it, and the sessions behind it are revoked.",
)
@pass_settings
def rotate(settings: Settings, /, name: str, *, compromised: bool, **manner: Any) -> None:
    """Replace the key pair of a credential now, whatever the calendar says.

    With --wait the exit code is 0 only when the new key pair was proved and promoted; it is 1 when the change was
    refused, or the old certificate was brought back.
    """
    _request(settings, name, "compromised" if compromised else "rotate", **manner)


@command(
    "Bring the present certificate in again, as a trial.",
    ASKS,
    "rotator rehearse acme --wait",
    exits=ASKING,
)
@request_options
@wait_option
@pass_settings
def rehearse(settings: Settings, /, name: str, **manner: Any) -> None:
    """Bring the present certificate in once more, unchanged, and see whether live sessions survive it.

    The first unattended rotation of a production org waits for this. Where a person brings certificates in, none does:
    rotator deploys nothing then, and only proves the key that signs.
    """
    _request(settings, name, "rehearse", **manner)


@command("Go back to the previous key pair.", ASKS, "rotator rollback acme --wait", exits=ASKING)
@request_options
@wait_option
@pass_settings
def rollback(settings: Settings, /, name: str, **manner: Any) -> None:
    """Go back to the previous key pair, by the same steps and proofs as a rotation."""
    _request(settings, name, "rollback", **manner)


@command("Call off the change under way.", ASKS, "rotator abort acme --wait", exits=ASKING)
@request_options
@wait_option
@pass_settings
def abort(settings: Settings, /, name: str, **manner: Any) -> None:
    """Call off the change under way. Once the org was asked, the current certificate is brought back and proved."""
    _request(settings, name, "abort", **manner)


@command("Hold a credential: begin no change.", ASKS, "rotator pause acme", exits=ASKING)
@request_options
@pass_settings
def pause(settings: Settings, /, name: str, **manner: Any) -> None:
    """Hold a credential: no new change is begun. Tokens go on, and a change under way is finished."""
    _request(settings, name, "pause", **manner)


@command("Let a held credential go on.", ASKS, "rotator resume acme", exits=ASKING)
@request_options
@pass_settings
def resume(settings: Settings, /, name: str, **manner: Any) -> None:
    """Let a credential go on that an operator paused, or that was held because its org was not the right one."""
    _request(settings, name, "resume", **manner)


@command("Say that certificates were brought in by hand.", ASKS, "rotator deployed acme --wait", exits=ASKING)
@some_names_argument
@common_options
@wait_option
@pass_settings
def deployed(settings: Settings, /, names: tuple[str, ...], **manner: Any) -> None:
    """Say that the certificates of NAMEs were brought into the org by hand: they are proved at once, not in a while.

    One after the other, with --json a document for each; the exit code is the worst of them.
    """
    click.get_current_context().exit(max(_asked(settings, name, "deployed", **manner) for name in names))


@command(
    "Take back a request that nobody has answered.",
    WITHDRAWS,
    "rotator withdraw acme",
    exits=[Exit.PROBLEM, Exit.USAGE, Exit.UNAVAILABLE],
)
@name_argument
@on_vault
@json_option
@pass_settings
def withdraw(settings: Settings, name: str, *, as_json: bool) -> None:
    """Take back the request that waits for a credential, so that no daemon does what nobody wants any more.

    What was answered goes on: a change is called off by `rotator abort`, a pause is ended by `rotator resume`.
    """
    from rotator.cli.requests.withdrawal import withdraw_request

    click.get_current_context().exit(withdraw_request(settings, name, as_json=as_json))


COMMANDS = (rotate, rehearse, rollback, abort, pause, resume, deployed, withdraw)
