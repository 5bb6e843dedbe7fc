"""What the models refuse, told by file, line and key, with the way to mend it."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from rotator.config.problems import Loc, Problem, problem_at
from rotator.config.schema import parts_at, schema
from rotator.config.shape import MISTAKE, shown
from rotator.config.source import Tree

Told = tuple[str, str]
"""What is wrong, and how to mend it."""


def explain(error: ValidationError, tree: Tree, top: Loc, *, partial: bool = False) -> Iterator[Problem]:
    """Yield the problems that a refusal stands for.

    ``tree`` is what was validated, ``top`` its place in the schema. What is missing is none if it is ``partial``.
    """
    details = error.errors(include_url=False, include_input=False)
    places = [_place(tree, detail) for detail in details]
    follows = _consequences(details, [path for _where, path in places], tree, top)
    for detail, (where, path) in zip(details, places, strict=True):
        missing = detail["type"] == "missing"
        if (missing and partial) or (detail["type"], path) in follows:
            continue
        what, mend = _told(detail, where, tree, top, path)
        yield problem_at(where.file, where.line, (*where.path, *(path[-1:] if missing else ())), what, mend)


def misspelt_sections(tree: Tree) -> set[str]:
    """Return the sections of the file that its unknown keys seem to mean."""
    known = _known(tree, (), ())
    written = tree.value if isinstance(tree.value, dict) else {}
    return {_nearest(tree, (), (key,)) or "" for key in written if key not in known}


def _consequences(details: list[Any], paths: list[Loc], tree: Tree, top: Loc) -> set[tuple[str, Loc]]:
    """Return the errors that only follow from others.

    A key is missing because it is misspelt; a list is too short because its entries are wrong.
    """
    misspelt = (
        (*path[:-1], _nearest(tree, top, path) or "")
        for detail, path in zip(details, paths, strict=True)
        if detail["type"] == "extra_forbidden"
    )
    return {("missing", path) for path in misspelt} | {("too_short", path[:-1]) for path in paths if path}


def _place(tree: Tree, detail: Any) -> tuple[Tree, Loc]:
    """Return the value of the file that an error speaks of, and its path."""
    where, path = _follow(tree, detail["loc"])
    if (
        detail["type"] == "union_tag_invalid"
    ):  # the error is told of the section, the mistake is in one of its keys
        key = detail["ctx"]["discriminator"].strip("'")
        return where.child(key) or where, (*path, key)
    return where, path


def _follow(tree: Tree, loc: Loc) -> tuple[Tree, Loc]:
    """Return the innermost value of the file that an error speaks of, and the error's path without union tags."""
    path: list[str | int] = []
    tagged: Tree | None = None
    for index, part in enumerate(loc):
        below, method = tree.child(part), tree.child("method")
        if tagged is not tree and method is not None and method.value == part:
            tagged = tree  # `token` is a way to log in and a key of it: the tag comes first
        elif below is not None:
            tree = below
            path.append(part)
        elif index == len(loc) - 1 and isinstance(tree.value, dict):
            path.append(part)
    return tree, tuple(path)


def _told(detail: Any, where: Tree, tree: Tree, top: Loc, path: Loc) -> Told:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == MISTAKE:
        return context["what"], context["mend"]
    if kind == "missing":
        return "is missing", _example(tree, top, path)
    if kind == "extra_forbidden":
        return _unknown(tree, top, path)
    if kind in _CHOICES:
        return _no_choice(where.value, context[_CHOICES[kind]])
    tell = _TOLD.get(kind)
    if tell is None:
        return detail["msg"][0].lower() + detail["msg"][1:], _example(tree, top, path)
    what, mend = tell(context)
    return what, mend or _example(tree, top, path)


_CHOICES = {"literal_error": "expected", "union_tag_invalid": "expected_tags"}

_TOLD: dict[str, Callable[[dict[str, Any]], Told]] = {
    "string_type": lambda _: ("should be text", "Write text; put a number or true/false in quotes."),
    "int_type": lambda _: ("should be a whole number", ""),
    "bool_type": lambda _: ("should be true or false", "Write true or false."),
    "tuple_type": lambda _: ("should be a list", ""),
    "model_type": lambda _: ("should be a section with keys of its own", ""),
    "dict_type": lambda _: ("should be a section with keys of its own", ""),
    "union_tag_not_found": lambda context: (f"{context['discriminator']} is missing", ""),
    "too_short": lambda _: ("should have at least one entry", ""),
    "greater_than_equal": lambda context: (
        f"should be {context['ge']} or more",
        f"Write {context['ge']} or more.",
    ),
    "less_than_equal": lambda context: (
        f"should be {context['le']} or less",
        f"Write {context['le']} or less.",
    ),
}


def _no_choice(value: object, choices: str) -> Told:
    """Tell of a value that is none of ``choices``, which pydantic lists as ``'a', 'b' or 'c'``."""
    near = difflib.get_close_matches(str(value), re.findall(r"'([^']*)'", choices), n=1)
    guess = f"Did you mean {near[0]}? " if near else ""
    return f"{shown(value)} is none of the choices", f"{guess}Write {choices}."


def _unknown(tree: Tree, top: Loc, path: Loc) -> Told:
    near = _nearest(tree, top, path)
    if near:
        return f"is not known; {near!r} is", f"Write `{near}`."
    return "is not known", f"Remove it. Known here: {', '.join(_known(tree, top, path[:-1]))}."


def _nearest(tree: Tree, top: Loc, path: Loc) -> str | None:
    """Return the known key that is most like the last of ``path``."""
    near = difflib.get_close_matches(str(path[-1]), _known(tree, top, path[:-1]), n=1)
    return near[0] if near else None


def _known(tree: Tree, top: Loc, path: Loc) -> list[str]:
    return sorted({name for part in _parts(tree, top, path) for name in part.get("properties", {})})


def _example(tree: Tree, top: Loc, path: Loc) -> str:
    """Return a line to copy, from the examples of the schema."""
    for part in _parts(tree, top, path):
        if part.get("examples"):
            example, meaning = part["examples"][0], part.get("description", "")
            text = example if isinstance(example, str) else json.dumps(example).replace('"', "")
            return f"Write `{path[-1]}: {text}`." + (f" {meaning}" if meaning else "")
    return "See config/rotator.example.yaml."


def _parts(tree: Tree, top: Loc, path: Loc) -> list[dict[str, Any]]:
    value: Any = tree.plain()
    for part in reversed(top):
        value = {part: value}
    return parts_at(_schema(), (*top, *path), value)


@lru_cache(maxsize=1)
def _schema() -> dict[str, Any]:
    return schema()
