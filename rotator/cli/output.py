"""What commands print: tables and lines for people, JSON for programs, errors with their mend."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from rotator.show import journal
from rotator.show.plain import plain

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

    from rotator.config import Problem

WIDEST: Final = 100_000  # of a line that no terminal shows; a pipe gets everything
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # would move the cursor, or worse
_NUMBER: Final = re.compile(r"\d+\. ")
_FURTHER: Final = re.compile(r" {3}\S")  # the step goes on; a command is indented further
ROOMY: Final = 120  # columns of a terminal that has room for dates, fingerprints and reasons
GOOD, BAD, DOUBTFUL, FAINT = "green", "bold red", "yellow", "dim"


def console(*, error: bool = False) -> Console:
    """Return what writes to people. Colours only on a terminal, and not where ``NO_COLOR`` is set."""
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    width = None if stream.isatty() else WIDEST
    return Console(file=stream, width=width, markup=False, emoji=False, highlight=False)


def is_live(out: Console) -> bool:
    """Tell whether what it shows can be drawn anew: a pipe whose reader wants colours (``FORCE_COLOR``) is no terminal."""
    return out.file.isatty() and not out.is_dumb_terminal


def has_shapes(out: Console) -> bool:
    """Tell whether it can show more than letters."""
    return out.encoding.lower().startswith("utf")


def say(text: str, style: str = "", *, error: bool = False) -> None:
    """Print lines for people. On its way to the journal of systemd an error says that it is one.

    A terminal has them broken between words; but not what is indented, such as a command that somebody will copy.
    """
    if error and journal.listens(sys.stderr):
        text = journal.marked(text, "error")
    out = console(error=error)
    for line in text.split("\n"):
        out.print(styled(line, style), soft_wrap=not out.is_terminal or line.startswith("  "))


def say_steps(text: str) -> None:
    """Print a text with numbered steps; on a terminal each stands beside its number."""
    if not console().is_terminal:
        say(text)
        return
    for label, part in pieces(text):
        if label.strip():
            show(hanging(label, part))
        else:
            say(label + part)


def pieces(text: str) -> Iterator[tuple[str, str]]:
    """Yield numbered steps whole, whose lines were broken, and all other lines, each with what stands before it."""
    label, step = "", ""
    for line in text.splitlines():
        number = _NUMBER.match(line)
        if step and not number and _FURTHER.match(line):
            step += f" {line.strip()}"
            continue
        if step:
            yield label, step
        label, step = (number[0], line[number.end() :]) if number else ("", "")
        if not number:
            yield line[: len(line) - len(line.lstrip())], line.lstrip()
    if step:
        yield label, step


def styled(text: object, style: str = "") -> Text:
    """Return a text that shows no control characters."""
    from rich.text import Text

    return Text(_CONTROL.sub("?", str(text)), style)


def table(head: Sequence[str], rows: Iterable[Sequence[Text | str]]) -> None:
    """Print a table without frills."""
    show(grid(rows, head))


def facts(rows: Iterable[tuple[str, Text | str]], indent: int = 2) -> None:
    """Print names with their values, one a line."""
    show(indented(grid([(styled(name, FAINT), value) for name, value in rows]), indent))


def grid(rows: Iterable[Sequence[Text | str]], head: Sequence[str] = ()) -> Table:
    """Return a table whose last column takes what is too long for a line; without a head, of names and values."""
    from rich.table import Table

    made = [[cell if not isinstance(cell, str) else styled(cell) for cell in row] for row in rows]
    columns = len(head) or max((len(row) for row in made), default=0)
    laid = Table(box=None, show_header=bool(head), pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for number in range(columns):
        is_name = not head and number < columns - 1
        laid.add_column(head[number] if head else "", overflow="fold", no_wrap=is_name)
    for row in made:
        laid.add_row(*row)
    return laid


def indented(what: RenderableType, by: int) -> RenderableType:
    """Return something that stands further to the right."""
    from rich.padding import Padding

    return Padding(what, (0, 0, 0, by), expand=False)


def hanging(label: Text | str, text: str, style: str = "") -> RenderableType:
    """Return a line that begins with a label; what is too long for the terminal goes on beside it."""
    from rich.table import Table

    if not label:
        return styled(text, style)  # a column for nothing would be one blank wide
    laid = Table.grid()
    laid.add_column(no_wrap=True)
    laid.add_column(overflow="fold")
    laid.add_row(styled(label, style) if isinstance(label, str) else label, styled(text, style))
    return laid


def fitted(what: Iterable[RenderableType], out: Console) -> RenderableType:
    """Return as much as there is room for on a terminal, and how much there is beyond."""
    from rich.console import Group
    from rich.segment import Segment, Segments

    whole = Group(*what)
    lines = out.render_lines(whole, pad=False)
    if len(lines) <= out.height:
        return whole
    kept = lines[: out.height - 1]
    beyond = styled(f"{len(lines) - len(kept)} more lines: make the terminal larger", FAINT)
    return Group(Segments(segment for line in kept for segment in (*line, Segment.line())), beyond)


def show(*what: RenderableType, out: Console | None = None) -> None:
    """Print without the blanks that fill a last column up: they would wrap, and spoil a diff."""
    from rich.console import Group
    from rich.segment import Segment, Segments

    out = out or console()
    shown: list[Segment] = []
    for line in out.render_lines(Group(*what), pad=False):
        while line and not line[-1].text.strip():
            line.pop()
        shown += [
            *line[:-1],
            *(Segment(last.text.rstrip(), last.style) for last in line[-1:]),
            Segment.line(),
        ]
    out.print(Segments(shown), end="")


def print_json(value: object) -> None:
    """Print a value as JSON on standard output."""
    sys.stdout.write(json.dumps(plain(value), indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def complain(message: str, hint: str = "") -> None:
    """Print an error and its mend on standard error."""
    sys.stdout.flush()
    warn("error: ", message, BAD)
    if hint:
        warn("hint: ", hint)


def tell_problem(problem: Problem, label: str = "", style: str = "") -> None:
    """Print a mistake in the configuration and its mend on standard error."""
    warn(label, problem.what, style)
    warn("  mend: ", problem.mend)


def warn(label: str, text: str, style: str = "") -> None:
    """Print something on standard error; what is too long for the terminal goes on beside its label."""
    if journal.listens(sys.stderr):
        say(label + text, style, error=True)
    else:
        show(hanging(label, text, style), out=console(error=True))
