"""What is told of settings that do not hold, by commands that do not know what a running daemon serves."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from rotator.config import Problem

LABEL: Final = "not in force: "


def not_in_force(problem: Problem) -> Problem:
    """Return a mistake with what it does to a daemon that runs."""
    name = problem.credential
    served, whose = ("its credentials", "their") if name is None else (name, "its")
    goes_on = f"a daemon that served {served} goes on with {whose} former settings until it restarts"
    return replace(problem, message=f"{problem.message}; {goes_on}")
