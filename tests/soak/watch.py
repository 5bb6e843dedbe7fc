"""Watches a process from outside: memory, files, threads, once a second; and what a Vault server is asked for."""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rotator.sandbox.vault_api import BaoApi, BaoError
from tests.world.background import Background

LOOK_EVERY_SECONDS = 1.0
_ROUTE = re.compile(r"vault\.route\.(\w+)\.secret-")
_READS = ("read", "list")


@dataclass(frozen=True)
class Sample:
    """A look at a process at a moment (monotonic)."""

    at: float
    rss_kib: int
    files: int
    threads: int


def sample(pid: int) -> Sample:
    """Look at a process. Raises OSError when it is gone."""
    process = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line)
    files = len(os.listdir(process / "fd"))  # noqa: PTH208 - no path of them is needed
    return Sample(time.monotonic(), int(status["VmRSS"].split()[0]), files, int(status["Threads"]))


class Watch(Background):
    """Looks while its ``with`` block runs.

    Attributes:
        lives: the samples of each process that was followed, in turn.
        asked: how often Vault's key-value store was asked, by kind of operation, whoever asked.
    """

    def __init__(self, vault: BaoApi) -> None:
        super().__init__("watch")
        self.lives: list[list[Sample]] = []
        self._vault = vault
        self._pid: int | None = None
        self._intervals: defaultdict[tuple[str, str], int] = defaultdict(int)

    def follow(self, pid: int) -> None:
        """Look at this process from now on."""
        self.lives.append([])
        self._pid = pid

    def leave(self) -> None:
        """Look at none: it is about to end."""
        self._pid = None

    @property
    def asked(self) -> dict[str, int]:
        total = {"reads": 0, "writes": 0}
        for (_interval, operation), count in tuple(self._intervals.items()):
            total["reads" if operation in _READS else "writes"] += count
        return total

    def run(self) -> None:
        while not self.stopping.wait(LOOK_EVERY_SECONDS):
            pid = self._pid
            if pid is not None:
                with suppress(OSError, KeyError):  # it ended meanwhile; a zombie has no memory
                    self.lives[-1].append(sample(pid))
            with suppress(BaoError, OSError):  # sealed
                self._count()

    def _count(self) -> None:
        """Note what the server counted: it tells the sums of ten seconds each, the latest that are complete."""
        told = self._vault.request("GET", "sys/metrics")
        for route in told["Samples"]:
            if operation := _ROUTE.fullmatch(route["Name"]):
                key = (told["Timestamp"], operation[1])
                self._intervals[key] = max(self._intervals[key], route["Count"])
