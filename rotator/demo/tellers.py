"""How the story reaches its spectators: on a terminal, as plain lines, or as JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rotator.core.model import Phase

ACTS = 5
PROGRESS_EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Signer:
    """One credential, as it stands."""

    credential: str
    phase: Phase
    signs: int | None
    due_in_seconds: float | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What one consumer sees."""

    user: str
    key_serial: int | None
    sequence: int | None
    calls: int
    failed: int


@dataclass(frozen=True, slots=True)
class View:
    """The whole stage at one moment."""

    seconds: float
    act: int
    signers: tuple[Signer, ...]
    consumers: tuple[Seen, ...]


class Teller(Protocol):
    """Tells the story to somebody. ``show`` is called many times a second."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def act(self, seconds: float, number: int, title: str) -> None:
        """Open an act."""

    def say(self, seconds: float, sentence: str, line: dict[str, Any] | None) -> None:
        """Tell one thing; ``line`` is what the daemon logged of it, if it did."""

    def show(self, view: View) -> None:
        """Show how everything stands."""

    def result(self, summary: dict[str, Any], broken: list[str]) -> None:
        """Tell how it ended: the figures, and which promises were broken."""


def teller(*, as_json: bool, stream: TextIO | None = None) -> Teller:
    """Return the teller for a stream (standard output)."""
    stream = stream or sys.stdout
    if as_json:
        return JsonTeller(stream)
    return LiveTeller(Console(file=stream, highlight=False)) if stream.isatty() else PlainTeller(stream)


class _Quiet:
    """A teller that holds nothing open."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stream.flush()

    def _print(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()


class JsonTeller(_Quiet):
    """One JSON object a line; the last one is the result."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._shown_at = -PROGRESS_EVERY_SECONDS

    def act(self, seconds: float, number: int, title: str) -> None:
        self._write(seconds=seconds, kind="act", act=number, title=title)

    def say(self, seconds: float, sentence: str, line: dict[str, Any] | None) -> None:
        event = {"event": line["event"], "credential": line.get("credential")} if line else {}
        self._write(seconds=seconds, kind="said", sentence=sentence, **event)

    def show(self, view: View) -> None:
        if view.seconds >= self._shown_at + PROGRESS_EVERY_SECONDS:
            self._shown_at = view.seconds
            self._write(kind="progress", **asdict(view))

    def result(self, summary: dict[str, Any], broken: list[str]) -> None:
        self._write(**summary, broken=broken)

    def _write(self, **data: Any) -> None:
        if "seconds" in data:
            data["seconds"] = round(data["seconds"], 1)
        self._print(json.dumps(data))


class PlainTeller(_Quiet):
    """Plain lines, for files and pipes."""

    def act(self, seconds: float, number: int, title: str) -> None:
        self._print(f"\n[{seconds:5.1f} s] {number}/{ACTS} {title}")

    def say(self, seconds: float, sentence: str, line: dict[str, Any] | None) -> None:
        del line
        self._print(f"[{seconds:5.1f} s]   {sentence}")

    def show(self, view: View) -> None:
        """A line that stands can't be changed: nothing is shown."""

    def result(self, summary: dict[str, Any], broken: list[str]) -> None:
        self._print("")
        for line in result_lines(summary, broken):
            self._print(line)


class LiveTeller:
    """A terminal: the story scrolls above, and below stands who signs and what the consumers see."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def act(self, seconds: float, number: int, title: str) -> None:
        style = "bold cyan"
        self._console.print()
        self._tell(Text(f"[{seconds:5.1f} s] ", style=style), Text(f"{number}/{ACTS} {title}", style=style))

    def say(self, seconds: float, sentence: str, line: dict[str, Any] | None) -> None:
        self._tell(Text(f"[{seconds:5.1f} s]   ", style="dim"), Text(sentence, style=_style(line)))

    def _tell(self, moment: Text, said: Text) -> None:
        """Print a sentence; what is too long for the terminal goes on beside its moment."""
        laid = Table.grid()
        laid.add_column(no_wrap=True)
        laid.add_column(overflow="fold")
        laid.add_row(moment, said)
        self._console.print(laid)

    def show(self, view: View) -> None:
        self._live.update(self._render(view), refresh=True)

    def result(self, summary: dict[str, Any], broken: list[str]) -> None:
        self._live.update(Text(""), refresh=True)
        for number, line in enumerate(result_lines(summary, broken)):
            self._console.print(
                Text(line, style=("bold red" if broken else "bold green") if not number else "")
            )

    def _render(self, view: View) -> RenderableType:
        calls = sum(seen.calls for seen in view.consumers)
        failed = sum(seen.failed for seen in view.consumers)
        line = Table.grid(padding=(0, 1))
        line.add_row(
            ProgressBar(total=ACTS, completed=view.act, width=20),
            Text(f"act {view.act} of {ACTS}, {view.seconds:.0f} s; {calls} calls of consumers,"),
            Text(f"{failed} failed", style="red" if failed else "green"),
        )
        return Group(Text(""), _signers(view), _consumers(view), line)


def result_lines(summary: dict[str, Any], broken: list[str]) -> list[str]:
    """Return how it ended, for people to read."""
    lines = [f"broken: {promise}" for promise in broken] or ["All promises were kept."]
    lines += [f"  {name.replace('_', ' ')}: {value}" for name, value in summary.items()]
    return lines


def _style(line: dict[str, Any] | None) -> str:
    if line is None:
        return "italic"
    levels = {"warning": "yellow", "error": "red", "critical": "bold red"}
    return "bold green" if line["event"] == "key.promoted" else levels.get(line.get("level", ""), "")


def _signers(view: View) -> Table:
    table = Table("credential", "signs now", "phase", "next rotation", box=None, header_style="dim")
    for signer in view.signers:
        due = signer.due_in_seconds
        table.add_row(
            signer.credential,
            f"key pair {signer.signs}" if signer.signs else "-",
            Text(signer.phase.words, style="" if signer.phase is Phase.STEADY else "yellow"),
            "-" if due is None else f"in {due:.0f} s" if due > 0 else "due",
        )
    return table


def _consumers(view: View) -> Table:
    table = Table("consumer", "its token", "calls", "failed", box=None, header_style="dim")
    for seen in view.consumers:
        table.add_row(
            seen.user,
            "none yet" if seen.sequence is None else f"number {seen.sequence}, by key pair {seen.key_serial}",
            str(seen.calls),
            Text(str(seen.failed), style="red" if seen.failed else "green"),
        )
    return table
