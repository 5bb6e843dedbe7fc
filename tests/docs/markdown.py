"""Pages in Markdown, as their tests read them: fenced blocks, headings, links."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(
    r"^(?:(?P<pad> *)<!-- (?P<mark>[^\n]*) -->\n)?^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")
_HEADING = re.compile(r"^#{1,6} (.+?)\s*$", re.MULTILINE)
_CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        mark: the comment in the line before it, which says for whom it is; empty if there is none.
        line: of the page, at which it begins.
    """

    language: str
    text: str
    mark: str
    line: int

    @property
    def commands(self) -> list[str]:
        """The lines that are no comments, those that go on joined."""
        joined = re.sub(r"\\\n\s*", " ", self.text)
        return [
            line.strip() for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")
        ]


def blocks(text: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page, in order."""
    for found in _FENCE.finditer(text):
        indent = found["indent"]
        content = re.sub(rf"^{indent}", "", found["text"], flags=re.MULTILINE)
        yield Block(found["language"], content, found["mark"] or "", text[: found.start()].count("\n") + 1)


def prose(text: str) -> str:
    """Return a page without its fenced blocks."""
    return _FENCE.sub("", text)


def links(text: str) -> list[str]:
    """Return where a page links to, outside of fenced blocks."""
    return ["".join(found) for found in _LINK.findall(prose(text))]


def code(text: str) -> list[str]:
    """Return what stands between backticks, outside of fenced blocks."""
    return _CODE.findall(prose(text))


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as Git hosts make them."""
    titles = _HEADING.findall(prose(text))
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()).replace(" ", "-")
        for title in titles
    }


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [head, ["---"] * len(head), *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n".replace("|  |", "| |") for line in lines)
