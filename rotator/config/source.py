"""YAML as a tree whose every value knows where it was written.

Safe by construction: a value is null, true or false, an integer or text. Tags, which make objects, are refused,
aliases are bounded, and a key that is written twice is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rotator.config.problems import Loc, Problem, dotted, problem_at
from rotator.config.secrets import REFERENCE_KEYS
from rotator.config.shape import Keys

LARGEST_BYTES = 16 << 20
DEEPEST = 24
MOST_VALUES = 1_000_000
MOST_CREDENTIALS = 50_000
MOST_KEYS = 10_000
"""Of one section or list. What is far above all that anybody writes would take gigabytes, mistakes most of all."""
LONGEST_KEY = 256

# Ten times faster where PyYAML was built with libyaml.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,14})", re.ASCII)
# YAML 1.2 section 5.1, c-printable; libyaml takes no byte order mark but the first.
_NOT_PRINTABLE = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")

_SHOWN = 40  # characters of what is wrong
_EMPTY = "Begin with config/rotator.example.yaml."
_EMPTY_PART = "Name credentials in it, or remove it."
Scalar = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Tree:
    """A value of the file.

    Attributes:
        path: its key path as it was written; for a default that a credential takes over: under ``defaults``.
        line: of its key, or of itself where it has none; counted from 1.
        file: in which it was written.
    """

    value: Scalar | tuple[Tree, ...] | dict[str, Tree]
    path: Loc
    line: int
    file: Path

    def child(self, key: str | int) -> Tree | None:
        """Return what is below a key or index; None if there is nothing."""
        if isinstance(self.value, dict):
            return self.value.get(str(key))
        if isinstance(self.value, tuple) and isinstance(key, int) and 0 <= key < len(self.value):
            return self.value[key]
        return None

    def plain(self) -> object:
        """Return the value as plain data: Keys for mappings, tuples for sequences."""
        if isinstance(self.value, dict):
            return Keys(dotted(self.path), self.file, {key: tree.plain() for key, tree in self.value.items()})
        if isinstance(self.value, tuple):
            return tuple(tree.plain() for tree in self.value)
        return self.value

    def empty_values(self) -> Iterator[Tree]:
        """Yield every value below (or this one) that has a key and nothing behind it."""
        if self.value is None:
            yield self
        elif isinstance(self.value, dict | tuple):
            for tree in self.value.values() if isinstance(self.value, dict) else self.value:
                yield from tree.empty_values()


def merge(base: Tree, over: Tree) -> Tree:
    """Return ``over`` with what ``base`` has besides. Mappings are merged, all else is replaced.

    A reference to a secret is one value. An empty value in ``over`` undoes that of ``base``: the built-in default
    counts again.
    """
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    if over.value and over.value.keys() <= REFERENCE_KEYS:
        return over
    merged = dict(base.value)
    for key, tree in over.value.items():
        below = base.value.get(key)
        if below is not None and tree.value is None:
            del merged[key]
        else:
            merged[key] = tree if below is None else merge(below, tree)
    return Tree(merged, over.path, over.line, over.file)


def read_tree(file: Path, *, included: bool = False) -> tuple[Tree | None, list[Problem]]:
    """Return what a file holds, and what is wrong with it as YAML. The tree is None where nothing can be made of it.

    ``included``: it was named by another file, and not by a person.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(LARGEST_BYTES + 1)
    except OSError as error:
        why = error.strerror or "it cannot be opened"
        mend = "Let rotator's user read it." if included else "Name the file with -c or ROTATOR_CONFIG."
        if included and isinstance(error, IsADirectoryError):
            mend = f"Name the files in it, such as {file.name}/*.yaml."
        return None, [Problem(file, None, "", f"cannot be read: {why}", mend)]
    if len(data) > LARGEST_BYTES:
        return None, [
            Problem(file, None, "", "has more than 16 MB", "Is this the configuration? If so, split it.")
        ]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return None, [Problem(file, line, "", "is not UTF-8 text", "Save the file as UTF-8.")]
    if stray := _NOT_PRINTABLE.search(text):
        line = text.count("\n", 0, stray.start()) + 1
        what = f"is not YAML: it holds the character U+{ord(stray[0]):04X}"
        return None, [Problem(file, line, "", what, "Delete it, or save the file as plain text.")]
    reader = _Reader(file, text, _EMPTY_PART if included else _EMPTY)
    return reader.read(), reader.problems


class _Reader:
    """Builds the tree from the events of the parser and collects problems on the way.

    From events, and not from PyYAML's own nodes: those are made by recursion without a bound, which crashes in
    libyaml's binding, and take more memory than everything else together.
    """

    def __init__(self, file: Path, text: str, mend_of_empty: str) -> None:
        self._file = file
        self._text = text
        self._mend_of_empty = mend_of_empty
        self._events: Iterator[Any] = yaml.parse(text, Loader=_Loader)
        self._anchored: dict[str, Tree] = {}
        self._values_left = MOST_VALUES
        # Without aliases there can't be more values than characters. This stops those that multiply.
        self._copies_left = min(len(text) + 10_000, MOST_VALUES)
        self.problems: list[Problem] = []

    def read(self) -> Tree | None:
        try:
            next(self._events)  # the stream begins
            if isinstance(next(self._events), yaml.StreamEndEvent):
                self._problem(1, (), "is empty", self._mend_of_empty)
                return None
            tree = self._tree(next(self._events), (), 1)
            next(self._events)  # the document ends
            if not isinstance(another := next(self._events), yaml.StreamEndEvent):
                self._problem(_line(another), (), "holds a second document", "Remove `---` and what follows.")
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line, why = mark.line + 1 if mark else None, error.problem or error.context
            mend = "Check quotes, colons and indentation there."
            if mark and self._indented_with_tab(mark.line):
                mend = "Indent with spaces: YAML takes no tabs there."
            self._problem(line, (), f"is not YAML: {why}", mend)
        except _UnreadableError as error:
            self._problem(*error.args)
        else:
            return tree
        return None

    def _indented_with_tab(self, index: int) -> bool:
        line = "".join(self._text.splitlines()[index : index + 1])
        return "\t" in line[: len(line) - len(line.lstrip(" \t"))]

    def _tree(self, event: Any, path: Loc, line: int) -> Tree:
        self._values_left -= 1
        if self._values_left < 0:
            raise _UnreadableError(
                line, (), f"holds more than {MOST_VALUES} values", "Is this the configuration?"
            )
        if len(path) > DEEPEST:
            raise _UnreadableError(
                line, (), f"is nested more than {DEEPEST} deep", "Check brackets and indentation."
            )
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path, line)
        value: Scalar | tuple[Tree, ...] | dict[str, Tree]
        if isinstance(event, yaml.MappingStartEvent):
            value = self._mapping(path)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(path)
        else:
            value = _scalar(event.value, plain=not event.style)
        tree = Tree(value, path, line, self._file)
        if event.tag is not None:
            self._problem(
                line,
                path,
                f"the tag {event.tag[:_SHOWN]!r} is not allowed",
                "Remove it: values need no tags.",
            )
        if event.anchor is not None:
            self._anchored[event.anchor] = tree
        return tree

    def _mapping(self, path: Loc) -> dict[str, Tree]:
        found: dict[str, Tree] = {}
        entries = 0
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            line = _line(event)
            self._bound(entries, path, line)
            entries += 1
            if not isinstance(event, yaml.ScalarEvent) or not 0 < len(event.value) <= LONGEST_KEY:
                self._pass_over(event, path, line)
                continue
            key = str(event.value)
            tree = self._tree(next(self._events), (*path, key), line)
            if key == "<<":
                self._problem(line, path, "merge keys (`<<`) are not known here", "Use `defaults`.")
            elif (first := found.setdefault(key, tree)) is not tree:
                what = f"is written twice, first in line {first.line}"
                self._problem(line, tree.path, what, "Keep one of them.")
        return found

    def _pass_over(self, event: Any, path: Loc, line: int) -> None:
        """Tell of a key that is none, and leave out what stands in it and behind it."""
        what = "has a key that is no word"
        if isinstance(event, yaml.ScalarEvent):
            what = f"has a key of more than {LONGEST_KEY} characters" if event.value else "has an empty key"
        self._problem(line, path, what, "Write `key: value`.")
        known = len(self.problems)
        self._tree(event, (*path, "?"), line)
        self._tree(next(self._events), (*path, "?"), line)
        del self.problems[known:]

    def _sequence(self, path: Loc) -> tuple[Tree, ...]:
        found: list[Tree] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            self._bound(len(found), path, _line(event))
            found.append(self._tree(event, (*path, len(found)), _line(event)))
        return tuple(found)

    def _bound(self, length: int, path: Loc, line: int) -> None:
        """Raise for a section or list that has as much as it may have."""
        if length >= (MOST_CREDENTIALS if path == ("credentials",) else MOST_KEYS):
            what = f"{dotted(path) or 'the file'} has more than {length} entries"
            raise _UnreadableError(line, (), what, "Is this the configuration?")

    def _alias(self, event: Any, path: Loc, line: int) -> Tree:
        """Return a copy of what an alias stands for; it keeps its lines, and gets the paths of its new place."""
        tree = self._anchored.get(event.anchor)
        if tree is None:  # also within what it names: the anchor is not known before its end
            self._problem(
                line, path, f"there is no anchor {event.anchor[:_SHOWN]!r} before", "Write the value out."
            )
            return Tree(None, path, line, self._file)
        return self._copy(tree, path)

    def _copy(self, tree: Tree, path: Loc) -> Tree:
        self._copies_left -= 1
        if self._copies_left < 0 or len(path) > DEEPEST:
            mend = "Write out what they stand for, or use `defaults`."
            raise _UnreadableError(tree.line, (), "its aliases multiply beyond measure", mend)
        value = tree.value
        if isinstance(value, dict):
            value = {key: self._copy(below, (*path, key)) for key, below in value.items()}
        elif isinstance(value, tuple):
            value = tuple(self._copy(below, (*path, index)) for index, below in enumerate(value))
        return Tree(value, path, tree.line, tree.file)

    def _problem(self, line: int | None, path: Loc, what: str, mend: str) -> None:
        self.problems.append(problem_at(self._file, line, path, what, mend))


class _UnreadableError(Exception):
    """Reading stops here: line, path, what is wrong, how to mend it."""


def _line(event: Any) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _scalar(text: str, *, plain: bool) -> Scalar:
    """Return a scalar by the core schema of YAML 1.2, without its floats and odd integers: those stay text.

    So ``66.0``, ``on``, ``0644``, ``12:30`` and dates arrive as they are written. What is quoted is text anyway.
    """
    if not plain:
        return text
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    return int(text) if _INTEGER.fullmatch(text) else text
