"""What others said, made fit to be quoted."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rotator.secret import Secret
from rotator.show.logs import redactor
from rotator.wording import one_line

_LONG = re.compile(r"\S{40,}")
_PIECES = re.compile(r"[^\w+=!~%&]+|_")
_LONGEST_PIECE, _LONGEST_WORD = 12, 32
_LONGEST_QUOTE = 200


def quote(text: str, hide: Iterable[Secret] = (), *, longest: int = _LONGEST_QUOTE) -> str:
    """Return what a server or a program said, fit for a message: short, printable, without secrets or what looks like one.

    A server may repeat what it was sent. Messages go further than the log, which is redacted: into records, to
    systemd, onto screens.

    Args:
        hide: secrets that it was sent.
    """
    for secret in hide:
        text = text.replace(secret.reveal() or Secret.MASK, Secret.MASK)
    return _LONG.sub(_unless_a_name, one_line(redactor.text(text), 2 * longest))[:longest]


def _unless_a_name(run: re.Match[str]) -> str:
    """Return a long run of characters if it is an address, a path or a name: made of words and of short pieces."""

    def is_plain(piece: str) -> bool:
        return len(piece) <= (_LONGEST_WORD if piece.isalpha() else _LONGEST_PIECE)

    return run[0] if all(map(is_plain, _PIECES.split(run[0]))) else Secret.MASK
