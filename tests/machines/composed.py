"""Compose, as the examples of config/compose are run by it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.machines.docker import COMMAND_SECONDS, Docker


@contextmanager
def composed(
    docker: Docker, folder: Path, *files: str, images: Mapping[str, str]
) -> Iterator[Callable[..., str]]:
    """Yield what runs a command of Compose on files of a folder; at the end nothing of theirs is left.

    Args:
        images: what the files take from the environment: which images are meant.
    """

    def compose(*arguments: str) -> str:
        done = subprocess.run(
            ["docker-compose", *(f"--file={file}" for file in files), *arguments],
            cwd=folder,
            env={**docker.environment, "COMPOSE_PROJECT_NAME": "tried", **images},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    try:
        yield compose
    finally:
        compose("down", "--volumes")
