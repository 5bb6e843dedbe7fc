"""What commands print: tables and lines for people, JSON for programs, errors with their mend."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rotator.secret import Secret
from rotator.show import journal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

WIDEST: Final = 100_000  # of a line that no terminal shows; a pipe gets everything
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # would move the cursor, or worse
_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_PLENTY: Final = 10  # of a unit: then the next smaller one says little
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


def plain(value: Any) -> Any:
    """Return what JSON can hold. A secret stays masked."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Secret | Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    return value


def span(duration: timedelta, *, coarse: bool = False) -> str:
    """Return a length of time in its two largest units, or its largest: ``4 h 12 m``, ``23 d``, ``0.3 s``."""
    left = int(abs(duration).total_seconds())
    for (letter, size), (below, below_size) in pairwise(_UNITS):
        amount, rest = divmod(left, size)
        if amount:
            small = 0 if coarse or amount >= _PLENTY else rest // below_size
            return f"{amount} {letter} {small} {below}" if small else f"{amount} {letter}"
    return f"{left} s" if left else f"{abs(duration).total_seconds():.1f} s"


def relative(time: datetime, now: datetime, *, coarse: bool = False) -> str:
    """Return how far a time is away, such as ``in 23 d``, ``4 m ago`` or ``now``."""
    if abs(time - now) < timedelta(seconds=1):
        return "now"
    away = span(time - now, coarse=coarse)
    return f"in {away}" if time > now else f"{away} ago"


def clock(time: datetime) -> str:
    """Return a time in UTC."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def when(time: datetime | None, now: datetime) -> str:
    """Return a time in UTC, and how far it is away."""
    return "-" if time is None else f"{clock(time)} ({relative(time, now)})"


def briefly(time: datetime | None, now: datetime) -> str:
    """Return a time to the minute, and about how far it is away, for a column of a table."""
    return (
        "-"
        if time is None
        else f"{time.astimezone(UTC):%Y-%m-%d %H:%MZ} ({relative(time, now, coarse=True)})"
    )


def complain(message: str, hint: str = "") -> None:
    """Print an error and its mend on standard error."""
    sys.stdout.flush()
    say(f"error: {message}", BAD, error=True)
    if hint:
        say(f"hint: {hint}", error=True)
