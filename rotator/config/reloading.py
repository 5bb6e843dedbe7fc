"""The file read again while its credentials are served: a mistake must not take one out of service."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rotator.config.loading import load_lenient
from rotator.config.model import Configuration
from rotator.config.problems import Problem


def reload(old: Configuration) -> tuple[Configuration, tuple[Problem, ...]]:
    """Return the configuration as its file has it now, and what is wrong with single credentials.

    A credential that has to be set aside, and that ``old`` serves, keeps the settings that it has there: its tokens
    would run out otherwise. So do, while an included file does not hold, all that are in no other: nobody knows what
    stands in it. Not so when another credential has its consumer key now, for an app has one certificate.
    Raises ConfigurationError as :func:`rotator.config.load_lenient` does.
    """
    new, problems = load_lenient(old.file)
    taken = {credential.consumer_key for credential in new.credentials.values()} - {None}
    aside, files = {problem.credential for problem in problems}, bad_files(problems)
    kept = [
        name
        for name, credential in old.credentials.items()
        if (files or name in aside) and name not in new.credentials and credential.consumer_key not in taken
    ]
    return new.keeping(kept, old), problems


def bad_files(problems: Iterable[Problem]) -> set[Path]:
    """Return the included files that do not hold as a whole, where the configuration holds besides."""
    return {problem.file for problem in problems if problem.credential is None}
