"""What others said, and long lists, fit to stand in a message of ours."""

from __future__ import annotations

from collections.abc import Sequence


def one_line(text: str, most: int) -> str:
    """Return a text on one line, without characters that no terminal or log should be sent, and not too long."""
    shown = text[: 4 * most]  # the rest is not looked at, however much it is
    return " ".join("".join(each if each.isprintable() else " " for each in shown).split())[:most]


def some(names: Sequence[str], most: int) -> str:
    """Return the first of these names, at most so many, and how many there are beyond them."""
    beyond = len(names) - most
    return ", ".join(names[:most]) + (f" and {beyond} more" if beyond > 0 else "")
