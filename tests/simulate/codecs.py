"""Documents without JSON, for speed: what is written is what is read, and neither can be changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rotator.vault import documents

NAMES = ("RECORD", "TOKEN", "KEY", "REQUEST")


class Plain:
    """Stands in for :class:`rotator.vault.codec.Codec`."""

    def encode(self, document: Any) -> Any:
        return document

    def decode(self, data: Any, _path: str) -> Any:
        return data


@contextmanager
def plain(wanted: bool) -> Iterator[None]:
    """Leave the JSON codecs out, if that is wanted."""
    kept = {name: getattr(documents, name) for name in NAMES}
    try:
        if wanted:
            for name in NAMES:
                setattr(documents, name, Plain())
        yield
    finally:
        for name, codec in kept.items():
            setattr(documents, name, codec)
