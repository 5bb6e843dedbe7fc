"""The commands on pages that are followed in a hurry: each is there, with its options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from rotator.cli import main

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("runbook.md", "disasters.md")


def commands(page):
    """Return the commands of rotator on a page, each up to a pipe, a redirection or a comment."""
    text = (DOCS / page).read_text()
    found = re.findall(r"`(rotator [^`\n]+)`", text)
    found += re.findall(
        r"^ *(rotator [^\n]+)$", "\n".join(re.findall(r"```sh\n(.+?)```", text, re.DOTALL)), re.MULTILINE
    )
    return sorted({re.split(r" [|>#] ?| +# ", one)[0].strip() for one in found})


@pytest.mark.parametrize(("page", "line"), [(page, line) for page in PAGES for line in commands(page)])
def test_a_command_is_there_with_its_options(page, line):
    _rotator, *words = shlex.split(line)
    group, context = main, click.Context(main, **main.context_settings)
    while isinstance(group, click.Group):
        name = words.pop(0)
        group = group.get_command(context, name)
        assert group is not None, f"{page}: there is no command {name}"
        context = click.Context(group, parent=context)
    _options, left, _order = group.make_parser(context).parse_args(args=words)
    assert left == []


def test_pages_have_commands():
    assert all(len(commands(page)) > 10 for page in PAGES)
