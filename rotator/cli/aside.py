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


def not_in_force(problem: Problem) -> Problem:
    """Return a mistake with what it does to a daemon that runs."""
    name = problem.credential
    served, whose = ("its credentials", "their") if name is None else (name, "its")
    goes_on = f"a daemon that served {served} goes on with {whose} former settings until it restarts"
    return replace(problem, message=f"{problem.message}; {goes_on}")


def concerning(problems: Sequence[Problem], names: Sequence[str]) -> list[Problem]:
    """Return the mistakes that concern the credentials named; all where none is."""
    return [one for one in problems if not names or one.credential in names]


def tell_not_in_force(problems: Sequence[Problem]) -> None:
    """Print mistakes on standard error."""
    for problem in problems:
        tell_problem(not_in_force(problem), LABEL, BAD)


def tell_elsewhere(problems: Sequence[Problem], names: Sequence[str]) -> None:
    """Print on standard error, in a line, where mistakes are that do not concern the credentials named."""
    own = concerning(problems, names)
    others = sorted({one.credential or str(one.file) for one in problems if one not in own})
    if others:
        where = some(others, MOST_NAMES)
        warn(
            "note: ",
            f"mistakes are elsewhere in the configuration: {where}; `rotator check` tells them",
            DOUBTFUL,
        )
