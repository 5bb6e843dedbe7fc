"""What is told of settings that do not hold, by commands that do not know what a running daemon serves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from rotator.cli.output import BAD, DOUBTFUL, tell_problem, warn
from rotator.config import Problem
from rotator.wording import some

LABEL: Final = "not in force: "
MOST_NAMES: Final = 5


def not_in_force(problems: Sequence[Problem]) -> list[Problem]:
    """Return mistakes with what they do to a daemon that runs; of those that follow from one, one that names all."""
    alike: dict[object, list[Problem]] = {}
    for problem in problems:
        alike.setdefault(problem.follows_from or problem, []).append(problem)
    return [
        _with_effect(first, [one.credential for one in (first, *others)]) for first, *others in alike.values()
    ]


def _with_effect(problem: Problem, credentials: Sequence[str | None]) -> Problem:
    names = [name for name in credentials if name is not None]
    served = some(names, MOST_NAMES) if names else "its credentials"
    whose = "its" if len(names) == 1 else "their"
    goes_on = f"a daemon that served {served} goes on with {whose} former settings until it restarts"
    return replace(problem, message=f"{problem.message}; {goes_on}")


def concerning(problems: Sequence[Problem], names: Sequence[str]) -> list[Problem]:
    """Return the mistakes that concern the credentials named; all where none is."""
    return [one for one in problems if not names or one.credential in names]


def tell_not_in_force(problems: Sequence[Problem]) -> None:
    """Print mistakes on standard error."""
    for problem in not_in_force(problems):
        tell_problem(problem, LABEL, BAD)


def tell_elsewhere(problems: Sequence[Problem], names: Sequence[str]) -> None:
    """Print on standard error, in a line, where mistakes are that do not concern the credentials named."""
    own = concerning(problems, names)
    causes = [one for one in problems if one not in own and one.follows_from is None]
    if causes:
        where = some(sorted({one.credential or str(one.file) for one in causes}), MOST_NAMES)
        note = f"mistakes are elsewhere in the configuration: {where}; `rotator check` tells them"
        warn("note: ", note, DOUBTFUL)
