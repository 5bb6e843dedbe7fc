"""What commands print: tables and lines for people, JSON for programs, errors with their mend."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from rotator.show import journal
from rotator.show.plain import plain

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

WIDEST: Final = 100_000  # of a line that no terminal shows; a pipe gets everything
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # would move the cursor, or worse
GOOD, BAD, DOUBTFUL, FAINT = "green", "bold red", "yellow", "dim"


def console(*, error: bool = False) -> Console:
    """Return what writes to people. Colours only on a terminal, and not where ``NO_COLOR`` is set."""
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() else WIDEST
    return Console(file=stream, width=width, markup=False, emoji=False, highlight=False)


def say(text: str, style: str = "", *, error: bool = False) -> None:
    """Print a line for people. On its way to the journal of systemd an error says that it is one."""
    if error and journal.listens(sys.stderr):
        text = journal.marked(text, "error")
    console(error=error).print(styled(text, style), soft_wrap=True)


def styled(text: object, style: str = "") -> Text:
    """Return a text that shows no control characters."""
    from rich.text import Text

    return Text(_CONTROL.sub("?", str(text)), style)


def table(head: Sequence[str], rows: Iterable[Sequence[Text | str]]) -> None:
    """Print a table without frills."""
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for title in head:
        grid.add_column(title, overflow="fold")
    for row in rows:
        grid.add_row(*(cell if not isinstance(cell, str) else styled(cell) for cell in row))
    _print_trimmed(grid)


def facts(rows: Iterable[tuple[str, Text | str]], indent: int = 2) -> None:
    """Print names with their values, one a line."""
    from rich.padding import Padding
    from rich.table import Table

    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(style=FAINT, no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(name, value if not isinstance(value, str) else styled(value))
    _print_trimmed(Padding(grid, (0, 0, 0, indent), expand=False))


def _print_trimmed(what: Any) -> None:
    """Print without the blanks that fill a table's last column up: they would wrap, and spoil a diff."""
    out = console()
    if out.is_terminal:
        out.print(what)
        return
    with out.capture() as caught:
        out.print(what)
    out.file.write("".join(f"{line.rstrip()}\n" for line in caught.get().splitlines()))


def print_json(value: object) -> None:
    """Print a value as JSON on standard output."""
    sys.stdout.write(json.dumps(plain(value), indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def complain(message: str, hint: str = "") -> None:
    """Print an error and its mend on standard error."""
    sys.stdout.flush()
    say(f"error: {message}", BAD, error=True)
    if hint:
        say(f"hint: {hint}", error=True)
