"""Commands whose help teaches: what it does, who acts with whose rights, an example, the exit codes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Final

import click

from rotator.cli.exits import MEANINGS, Exit

ALONE: Final = "Acts by itself and speaks to nobody."
READS: Final = "Acts by itself and only reads. In Vault the operator's policy suffices (`rotator vault-policy operator`)."
WITHDRAWS: Final = (
    "Acts by itself and deletes nothing but the request. In Vault the operator's policy suffices "
    "(`rotator vault-policy operator`)."
)
AS_DAEMON: Final = (
    "Acts by itself with the rights of the daemon in Vault (`rotator vault-policy daemon`): by default with the "
    "configuration's own login."
)
ASKS: Final = (
    "Asks the daemon: the request is written into Vault, and the daemon answers within seconds. A Vault token of "
    "one's own needs the operator's policy (`rotator vault-policy operator`). With the configuration's own login this "
    "works without a daemon, too: when none answers, the command does what a daemon would, and stays until the change "
    "is over. --ask-only prevents that; --here does not wait for a daemon at all."
)
_VERBATIM: Final = "\b\n"  # click leaves the paragraph that follows as it is


def command(
    short: str,
    who: str,
    *examples: str,
    name: str | None = None,
    exits: Sequence[Exit] = (),
    text: str | None = None,
) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a command of a function whose docstring (or ``text``) tells what it does.

    Args:
        short: one line for the list of commands.
        who: whether it asks or acts, and who it is in Vault.
        exits: codes it may end with, beside 0.
    """

    def decorate(function: Callable[..., Any]) -> click.Command:
        told = inspect.cleandoc(text or function.__doc__ or short)
        return click.command(
            name, help=_help(told, who, examples), short_help=short, epilog=_explained(exits)
        )(function)

    return decorate


def family(
    name: str, short: str, text: str, who: str, *examples: str, commands: Sequence[click.Command]
) -> click.Group:
    """Make a command that is followed by the name of another; ``text`` tells what they have in common."""
    return click.Group(
        name,
        commands=commands,
        help=_help(text, who, examples),
        short_help=short,
        epilog=_explained(()),
    )


def _help(told: str, who: str, examples: Sequence[str]) -> str:
    shown = "\n".join(f"  {example}" for example in examples)
    title = "Example" if len(examples) == 1 else "Examples"
    return f"{told}\n\n{who}\n\n{_VERBATIM}{title}:\n{shown}"


def _explained(codes: Sequence[Exit]) -> str:
    """Return what exit codes mean."""
    told = "\n".join(f"  {code.value:<4} {MEANINGS[code]}" for code in (Exit.OK, *codes))
    return f"{_VERBATIM}Exit codes:\n{told}"
