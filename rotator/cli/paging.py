"""Long texts: page by page on a terminal, as they are in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable

import click
from rich.console import RenderableType

from rotator.cli.output import console, is_live, show


def page(what: Iterable[RenderableType]) -> None:
    """Print something; where it is longer than the terminal, through the pager."""
    out = console()
    if not (is_live(out) and sys.stdin.isatty()):
        show(*what, out=out)
        return
    with out.capture() as caught:
        show(*what, out=out)
    text = caught.get()
    if text.count("\n") < out.height:
        click.echo(text, nl=False)
    else:
        click.echo_via_pager(
            text, color=False if out.no_color else None
        )  # else click asks what the pager can show
