"""Explore larger worlds than the tests do, and mutate the table: ``make model-check ARGS="--faults 2 two restored"``."""

from __future__ import annotations

import argparse
import gc
import os
import random
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from tests.explore.explorer import Explorer, Report
from tests.explore.mutants import catch, mutants
from tests.explore.world import Left
from tests.explore.worlds import wide_worlds, worlds

BOUNDS = (*Left._fields, "newest", "users", "daemons")


def main() -> int:
    """Explore the worlds that are named, or all; exit with 1 where a promise is broken or a mutant gets away."""
    given = _arguments()
    began = time.monotonic()
    # Each in a process of its own: its memory ends with it.
    with ProcessPoolExecutor(given.processes, get_context("spawn"), max_tasks_per_child=1) as pool:
        broken = _explore(pool, given)
        if given.mutants and not given.world:
            broken += _mutate(pool, given.mutants, given.seed)
    sys.stdout.write(f"{broken or 'no'} violation{'s' * (broken > 1)}, {time.monotonic() - began:.0f} s\n")
    return int(bool(broken))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.explore", description=__doc__)
    for name in BOUNDS:
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=int, help="in every world, in place of its own bound"
        )
    parser.add_argument(
        "--limit",
        type=int,
        default=500_000,
        help="visit so many states of a world, and four times as many calm ones (%(default)s)",
    )
    parser.add_argument("--mutants", type=int, default=1000, help="try so many mutants of the table (all)")
    parser.add_argument("--seed", type=int, default=1, help="chooses the mutants where not all are tried")
    parser.add_argument(
        "--processes", type=int, default=min(os.cpu_count() or 1, 4), help="1 GiB each (%(default)s)"
    )
    parser.add_argument("world", nargs="*", help="all wide ones unless named")
    given = parser.parse_args()
    given.bounds = {name: value for name in BOUNDS if (value := getattr(given, name)) is not None}
    known = {**worlds(), **wide_worlds()}
    if unknown := set(given.world) - set(known):
        parser.error(f"no world {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    given.world_names = given.world or list(wide_worlds())
    return given


def _explore(pool: ProcessPoolExecutor, given: argparse.Namespace) -> int:
    """Explore the worlds one after the other; return how many of them break a promise."""
    states = transitions = deepest = broken = 0
    look = partial(explored, bounds=given.bounds, limit=given.limit)
    for name, (report, seconds, peak) in zip(
        given.world_names, pool.map(look, given.world_names), strict=True
    ):
        sys.stdout.write(f"{name:15} {report}, {seconds:.0f} s, {peak:,.0f} MiB\n")
        for number, sentence in enumerate(report.story, 1):
            sys.stdout.write(f"    {number}. {sentence}\n")
        sys.stdout.flush()
        states, transitions = states + report.states + report.calm, transitions + report.transitions
        deepest, broken = max(deepest, report.depth), broken + bool(report.violation)
    sys.stdout.write(
        f"{len(given.world_names)} worlds: {states:,} states, {transitions:,} transitions, depth {deepest}\n"
    )
    return broken


def explored(name: str, bounds: dict[str, int], limit: int) -> tuple[Report, float, float]:
    """Return what is seen of a world, the seconds that it takes, and the MiB that it needs."""
    gc.disable()  # all that is made is kept, or is gone with its last reference
    began = time.monotonic()
    report = Explorer({**worlds(**bounds), **wide_worlds(**bounds)}[name]).run(limit)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return report, time.monotonic() - began, peak


def _mutate(pool: ProcessPoolExecutor, most: int, seed: int) -> int:
    """Try mutants; return how many of them get away."""
    names = list(mutants())
    if most < len(names):
        names = sorted(random.Random(seed).sample(names, most))  # noqa: S311 - no secret
    by_core = by_explorer = 0
    for name, caught in zip(names, pool.map(catch, names), strict=True):
        by_core, by_explorer = by_core + (caught == "core"), by_explorer + (caught not in ("", "core"))
        if not caught:
            sys.stdout.write(f"    {name}: gets away\n")
            sys.stdout.flush()
    away = len(names) - by_core - by_explorer
    sys.stdout.write(
        f"{len(names)} mutants of the table: {by_explorer} caught by the explorer, {by_core} by the tests of the core, "
        f"{away} got away\n"
    )
    return away
