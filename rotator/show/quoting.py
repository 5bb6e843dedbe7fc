"""What others said, made fit to be quoted."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rotator.secret import Secret
from rotator.show.logs import redactor
from rotator.wording import one_line

_LIKE_A_SECRET = re.compile(r"\S{40,}")
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
    return _LIKE_A_SECRET.sub(Secret.MASK, one_line(redactor.text(text), 2 * longest))[:longest]
