"""The names of credentials, for those who type them: read in an instant, as far as the file can be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from rotator.patterns import matching
from rotator.wording import some

SECTION: Final = "credentials"
INCLUDE: Final = "include"
MOST_SHOWN: Final = 10


def credential_names(file: Path) -> list[str]:
    """Return the names below ``credentials``, also of files that it includes; of a broken file those before the break.

    Nothing else is looked at: a TAB must not wait for all that `rotator check` does.
    """
    names, patterns = _read(file)
    for pattern in patterns:
        for match in matching(file.parent, pattern):
            names += _read(match)[0]
    return list(dict.fromkeys(names))


def _read(file: Path) -> tuple[list[str], list[str]]:
    """Return the names in a file, and the patterns of the files that it includes."""
    names: list[str] = []
    patterns: list[str] = []
    for way, is_key, value in _scalars(file):
        if is_key and way == (SECTION,):
            names.append(value)
        elif not is_key and way[:1] == (INCLUDE,):
            patterns.append(value)
    return names, patterns


@dataclass
class _Level:
    """A mapping or a list that is being read. In a mapping, ``key`` is that of the value which comes next."""

    is_mapping: bool
    is_key: bool
    key: str | None = None


def _scalars(file: Path) -> Iterator[tuple[tuple[str, ...], bool, str]]:
    """Yield each scalar, as far as the file can be read: the keys on the way to it, whether it is a key, its text."""
    import yaml

    levels: list[_Level] = []
    with suppress(OSError, UnicodeDecodeError, yaml.YAMLError), file.open(encoding="utf-8-sig") as stream:
        for event in yaml.parse(stream, Loader=getattr(yaml, "CLoader", yaml.Loader)):  # makes no objects
            if isinstance(event, yaml.CollectionEndEvent):
                is_key = levels.pop().is_key
            elif isinstance(event, yaml.NodeEvent):
                is_key = bool(levels) and levels[-1].is_mapping and levels[-1].key is None
            else:
                continue  # a document begins or ends
            if isinstance(event, yaml.ScalarEvent):
                yield tuple(level.key for level in levels if level.key is not None), is_key, event.value
            if isinstance(event, yaml.CollectionStartEvent):
                levels.append(_Level(isinstance(event, yaml.MappingStartEvent), is_key))
            elif levels:
                levels[-1].key = getattr(event, "value", "") if is_key else None


def nearest(name: str, known: Sequence[str], otherwise: str = "") -> str:
    """Return a sentence that helps somebody who mistyped a name; where none is near, the known ones or ``otherwise``."""
    near = get_close_matches(name, known, n=3)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return otherwise or f"There are: {some(sorted(known), MOST_SHOWN)}."
