"""Shows the table of refusals on the page about fidelity.

``python -m tests.sandbox.table.page`` writes it into docs/fidelity.md.
"""

from __future__ import annotations

from pathlib import Path

from tests.sandbox.table import GROUPS
from tests.sandbox.table.row import Row

PAGE = Path(__file__).parents[3] / "docs" / "fidelity.md"
BEGIN, END = "<!-- begin: made by tests/sandbox/table/page.py -->", "<!-- end -->"
HEAD = "| what is sent | status | error | description | source | certainty |\n|---|---|---|---|---|---|"


def line(sent: str, row: Row) -> str:
    """Return a row of the table in Markdown."""
    error, description = (f"`{text}`" if text else "" for text in (row.error, row.description))
    return f"| {sent} | {row.status} | {error} | {description} | {row.source} | {row.certainty} |".replace(
        "|  |", "| |"
    )


def drawn() -> str:
    """Return what stands between the marks."""
    parts = []
    for group, rows in GROUPS.items():
        parts += ["", f"### {group}", "", HEAD, *(line(sent, row) for sent, row in rows.items())]
    return "\n".join([BEGIN, *parts, "", END])


if __name__ == "__main__":
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    PAGE.write_text(before + drawn() + rest.partition(END)[2])
