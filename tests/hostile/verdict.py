"""What nonsense may lead to: an answer, or an error that tells a person what is wrong. Nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from rotator.config import ConfigurationError
from rotator.errors import RotatorError

LONGEST_MESSAGE = 1_000
LONGEST_LINE_OF_MISTAKES = 2_000

T = TypeVar("T")


def told(call: Callable[[], T]) -> T | RotatorError:
    """Return what a call returns, or its error if that is one of rotator's and fit to be shown.

    Whatever else is raised goes on: it is a fault of rotator.
    """
    try:
        return call()
    except ConfigurationError as error:
        texts = [text for problem in error.problems for text in (problem.key, problem.message, problem.mend)]
        return _fit(error, texts, LONGEST_LINE_OF_MISTAKES)
    except RotatorError as error:
        return _fit(error, [error.code, error.message, error.hint], LONGEST_MESSAGE)


def _fit(error: RotatorError, texts: list[str], longest: int) -> RotatorError:
    assert error.code
    for text in texts:
        fit(text, longest)
    return error


def fit(text: str, longest: int) -> None:
    """Fail for a text that a terminal or a log must not be sent: control characters, halves of characters, a flood."""
    assert len(text) <= longest, f"{len(text)} characters: {text[:200]!r}"
    text.encode()
    strange = [character for character in text if not character.isprintable()]
    assert not strange, f"{strange[:5]!r} in {text[:200]!r}"
