"""The files of a configuration: the one that is named to rotator, and those that it includes."""

from __future__ import annotations

import difflib
import glob
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from rotator.config.problems import Problem, dotted, problem_at
from rotator.config.source import Tree, read_tree
from rotator.patterns import matching

MOST_FILES = 10_000
PART_KEYS = ("credentials", "defaults")


@dataclass
class Part:
    """One file, as far as it has credentials.

    Attributes:
        tree: the whole; of no value where nothing can be made of it.
        defaults_hold: nothing is wrong with them, so that its credentials can be judged.
    """

    file: Path
    tree: Tree
    defaults: Tree | None = None
    credentials: Tree | None = None
    defaults_hold: bool = True
    problems: list[Problem] = field(default_factory=list)


def included(main: Path, include: Tree | None) -> tuple[list[Part], list[Problem]]:
    """Read the files that ``include`` names, in the order of its entries, and of their names within one.

    Returns:
        The files, each with what is wrong with it as a whole; and what is wrong with ``include`` itself. Entries that
        are no text are left to the model.
    """
    entries = include.value if include is not None and isinstance(include.value, tuple) else ()
    parts: dict[str, Part] = {}
    problems: list[Problem] = []
    own = main.resolve()
    for entry in entries:
        if not isinstance(entry.value, str) or not entry.value or "\0" in entry.value:
            continue
        try:
            found = list(_matches(main.parent, entry.value))
        except OSError as error:
            what = f"{error.filename} cannot be read: {error.strerror}"
            mend = "Make that folder, let rotator's user read it, or take the entry out."
            problems.append(problem_at(main, entry.line, entry.path, what, mend))
            continue
        if not found and _passes_over(main.parent, entry.value):
            what = f"{entry.value} matches no file"
            mend = "Correct the pattern, or take the entry out."
            problems.append(problem_at(main, entry.line, entry.path, what, mend))
        for file in found:
            is_main = file.name == main.name and file.resolve() == own
            if str(file) not in parts and not is_main:
                parts[str(file)] = _read(file) if _is_there(file) else _absent(file, main, entry)
            if len(parts) > MOST_FILES:
                what = f"names more than {MOST_FILES} files"
                problems.append(problem_at(main, entry.line, entry.path, what, "Put more into each file."))
                return [], problems
    return list(parts.values()), problems


def _matches(folder: Path, pattern: str) -> Iterator[Path]:
    """Yield the files that fit a pattern, in the order of their names. Raises OSError for a folder that can't be read.

    A folder that is empty is in order; one that is not there is not: all its credentials would silently be gone.
    Names that begin with a dot are left out, and so the copies below ``..data`` in a mounted ConfigMap.
    """
    if not glob.has_magic(pattern):
        yield folder / pattern
        return
    fixed = Path(*takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts))
    next((folder / fixed).iterdir(), None)  # raises, where glob only finds nothing
    # A link to nothing is a mistake, not nothing.
    yield from (match for match in matching(folder, pattern) if not match.is_dir())


def _passes_over(folder: Path, pattern: str) -> bool:
    """Tell whether files that do not fit a pattern lie where it looks: it may have been meant for them."""
    beside = str(Path(pattern).with_name("*"))
    return any(not match.is_dir() for match in matching(folder, beside))


def _is_there(file: Path) -> bool:
    """Tell whether there is a file, be it one that can't be read."""
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass  # told when it is read
    return True


def _absent(file: Path, main: Path, entry: Tree) -> Part:
    """Return what stands for a file that is not there: none of its credentials are known."""
    what, mend = f"{entry.value} does not exist", "Correct the name, or take the entry out."
    if file.is_symlink():
        what, mend = f"{file} leads to no file", "Put back what the link leads to, or remove it."
    problem = Problem(file, entry.line, dotted(entry.path), what, mend, written_in=main)
    return Part(file, Tree(None, (), 1, file), problems=[problem])


def _read(file: Path) -> Part:
    tree, problems = read_tree(file, included=True)
    if tree is None:
        return Part(file, Tree(None, (), 1, file), problems=problems)
    part = Part(file, tree, problems=problems)
    if not isinstance(tree.value, dict):
        part.problems.append(
            problem_at(file, tree.line, (), "should be a section with `credentials`", "Name them in it.")
        )
        return part
    part.defaults, part.credentials = tree.value.get("defaults"), tree.value.get("credentials")
    for key, value in tree.value.items():
        if key not in PART_KEYS:
            part.defaults_hold = False  # it may be meant for them
            near = difflib.get_close_matches(key, PART_KEYS, n=1)
            mend = f"Write `{near[0]}`." if near else "Put it into the file that includes this one."
            what = "an included file holds `credentials`, and perhaps `defaults`, and nothing else"
            part.problems.append(problem_at(file, value.line, value.path, what, mend))
    return part
