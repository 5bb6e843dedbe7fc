"""The reference of the commands, made from their help."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from rotator.cli import FAMILIES, main
from rotator.cli.exits import MEANINGS
from tests.docs.markdown import table

HEAD = """\
# Commands

Made by `python -m tests.docs`; do not edit. It is what `rotator COMMAND --help` says.

Commands that ask leave a request in Vault, and the daemon answers it; commands that look only read. Each takes `-c FILE`
(or `ROTATOR_CONFIG`) before or after its name, and those that speak to Vault `--vault-token-file FILE` (or
`ROTATOR_VAULT_TOKEN_FILE`), the token of a person instead of the daemon's login.
"""
EXITS = """
## Exit codes

They mean the same for every command; each lists those that it may end with.

"""
WIDTH = 100


def page() -> str:
    """Return the page."""
    listed = "".join(
        f"\n**{title}**\n\n{''.join(_line(one) for one in family)}" for title, family in FAMILIES.items()
    )
    exits = table(("code", "meaning"), [(str(code.value), meaning) for code, meaning in MEANINGS.items()])
    sections = [
        _section(path, one)
        for family in FAMILIES.values()
        for top in family
        for path, one in _with_below(top)
    ]
    return HEAD + listed + EXITS + exits + "".join(sections)


def context_of_main(name: str = "rotator") -> click.Context:
    """Return what commands are called in, with what the program says of the option for help.

    Click keeps the names of that option which a command had in its first context: so every context of a test is below this.
    """
    return click.Context(main, info_name=name, **main.context_settings)


def _line(command: click.Command) -> str:
    return f"- [`{command.name}`](#rotator-{command.name}): {command.get_short_help_str(limit=200)}\n"


def _with_below(command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield str(command.name), command
    for below in getattr(command, "commands", {}).values():
        yield f"{command.name} {below.name}", below


def _section(path: str, command: click.Command) -> str:
    context = click.Context(
        command,
        info_name=path.rsplit(maxsplit=1)[-1],
        parent=context_of_main(" ".join(["rotator", *path.split()[:-1]])),
    )
    context.terminal_width = WIDTH
    return f"\n## rotator {path}\n\n```text\n{_trimmed(command.get_help(context))}\n```\n"


def _trimmed(text: str) -> str:
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).strip()
