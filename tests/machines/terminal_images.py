"""Pictures of what rotator shows on a terminal, taken of real commands on the sandbox.

``python -m tests.machines.terminal_images`` writes docs/images/*.svg anew. They hold no address but loopback.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path

from pyte.screens import Char
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from rotator.sandbox.stage import Stage
from tests.world.commands import QUICK, ready_stage
from tests.world.terminal import Terminal

FOLDER = Path(__file__).parents[2] / "docs" / "images"
DAY = 86_400
LIVES = replace(
    QUICK,
    first_due_seconds=12 * DAY,
    stagger_seconds=9 * DAY,
    certificate_seconds=90 * DAY,
    deployer_certificate_seconds=180 * DAY,
    renew_before_seconds=30 * DAY,
    urgent_before_seconds=7 * DAY,
    proofs=5,
    proof_span_seconds=3,
    propagation_seconds=2,
    deploy_seconds=2,
)
"""Certificates live as long as in earnest, and changes take seconds."""

# Fonts are those of whoever looks: a page that loads one from elsewhere tells there who reads it.
FORMAT = re.sub(r"\s*@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace(
    "Fira Code, monospace", "ui-monospace, 'Fira Code', 'DejaVu Sans Mono', Menlo, Consolas, monospace"
)
THEME = TerminalTheme(
    (13, 17, 23),
    (214, 222, 230),
    [(22, 27, 34), (255, 123, 114), (86, 211, 100), (227, 179, 65), (121, 192, 255), (210, 168, 255), (118, 227, 234), (201, 209, 217)],
)  # fmt: skip
COLOURS = {"brown": "yellow", "default": None}
"""What pyte calls otherwise than rich, or not at all."""


def style_of(char: Char) -> Style:
    return Style(
        color=COLOURS.get(char.fg, char.fg),
        bgcolor=COLOURS.get(char.bg, char.bg),
        bold=char.bold,
        dim=char.italics,
        reverse=char.reverse,
    )


def shown(terminal: Terminal) -> Text:
    """What is on a screen, with its colours."""
    text = Text()
    for number, line in enumerate(terminal.lines):
        for column in range(len(line)):
            char = terminal.screen.buffer[number][column]
            text.append(char.data, style_of(char))
        text.append("\n")
    return text


def draw(name: str, command: str, terminal: Terminal, *, running: bool = False) -> None:
    """Write a picture of a screen."""
    console = Console(width=terminal.screen.columns, file=StringIO(), record=True, force_terminal=True)
    console.print(Text.assemble(("$ ", "dim"), (command, "bold")))
    console.print(shown(terminal), end="")
    console.print("" if running else Text("$", "dim"))
    FOLDER.mkdir(parents=True, exist_ok=True)
    svg = console.export_svg(title=command, theme=THEME, code_format=FORMAT, unique_id=name)
    (FOLDER / f"{name}.svg").write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n")
    sys.stdout.write(f"{name}.svg: {len(terminal.lines)} lines\n")


def ended(stage: Stage, *arguments: str, columns: int = 80, rows: int = 80) -> Terminal:
    terminal = Terminal.rotator(*arguments, config=stage.config, columns=columns, rows=rows)
    terminal.end()
    return terminal


def take(stage: Stage) -> None:
    """Take all pictures."""
    draw("status", "rotator status", ended(stage, "status"))
    following = Terminal.rotator("rotate", "acme", "--wait", "--here", config=stage.config)
    following.until(lambda lines: "3 of 5 proofs" in "\n".join(lines))
    draw("rotate-wait", "rotator rotate acme --wait", following, running=True)
    following.end()
    stage.control.knobs(lock_sessions_to_ip=True)
    draw("doctor", "rotator doctor globex", ended(stage, "doctor", "globex", columns=92))


if __name__ == "__main__":
    with ready_stage(LIVES) as ready:
        take(ready)
