"""Record ids as Salesforce makes them: a key prefix, and a checksum that keeps upper and lower case."""

from __future__ import annotations

import random
import string
from collections import Counter

_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
SHORT, LONG = 15, 18


def with_checksum(short_id: str) -> str:
    """The 18-character form of a 15-character id.

    Each of the three added characters tells which of five characters are upper case
    (Salesforce help 000385008).
    """
    chunks = (short_id[start : start + 5] for start in range(0, SHORT, 5))
    return short_id + "".join(
        _CHECK[sum(char.isupper() << place for place, char in enumerate(chunk))] for chunk in chunks
    )


def normal_id(text: str) -> str | None:
    """The 18-character id that `text` means, or None when it is no id or its checksum is wrong."""
    if len(text) not in {SHORT, LONG} or not (text.isascii() and text.isalnum()):
        return None
    long_id = with_checksum(text[:SHORT])
    return long_id if len(text) == SHORT or text == long_id else None


class Ids:
    """Gives out ids, the next of each key prefix. The `pod` part differs from org to org."""

    def __init__(self, rng: random.Random) -> None:
        self._pod = "".join(rng.choices(_BASE62, k=5))
        self._given: Counter[str] = Counter()

    def next(self, prefix: str) -> str:
        self._given[prefix] += 1
        number, digits = self._given[prefix], ""
        while number:
            number, rest = divmod(number, len(_BASE62))
            digits = _BASE62[rest] + digits
        return with_checksum(prefix + self._pod + digits.rjust(SHORT - len(prefix) - len(self._pod), "0"))


def random_text(rng: random.Random, length: int) -> str:
    """Letters, digits, dots and underscores: what consumer keys and session ids are made of."""
    return "".join(rng.choices(_BASE62 + "._", k=length))
