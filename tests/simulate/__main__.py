"""``make simulate SEED=1 DAYS=1000000``: tell stories until so many credential-days are over.

``--story N`` tells one story again; ``--keep 3,7`` leaves it only these of its mishaps. Exits with 1 on a violation.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace

from tests.simulate.drama import Plot
from tests.simulate.figures import Figures
from tests.simulate.playwright import STORIES, plot
from tests.simulate.shrink import sentences, shrunk
from tests.simulate.story import Outcome, tell


def say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)  # noqa: T201 - what this program is for


def outcome_of(seed: int) -> Outcome:
    try:
        outcome = tell(plot(seed))
    except Exception:  # noqa: BLE001 - not every error finds its way back from another process
        raise RuntimeError(f"story {seed} was not told to its end:\n{traceback.format_exc()}") from None
    gc.collect()
    return outcome


def collect_between_stories() -> None:
    """Leave garbage until a story is over; what was imported is never looked at again."""
    gc.freeze()
    gc.disable()


def numbers(seed: int, days: float) -> Iterator[int]:
    """Yield the numbers of stories that last so many credential-days together."""
    number, told = seed * STORIES, 0.0
    while told < days:
        made = plot(number)
        told += made.days * (len(made.names) + 1)
        yield number
        number += 1


def explain(made: Plot) -> None:
    """Make a story that fails short, and tell it."""

    def fails(tried: Plot) -> bool:
        return bool(tell(tried).violations)

    short = shrunk(made, fails)
    told = tell(replace(short, telling=True))
    say(*sentences(short, told.lines, told.violations))
    keep = ",".join(str(made.mishaps.index(mishap)) for mishap in short.mishaps) or "none"
    say(f"Tell it again: make simulate STORY={made.seed} KEEP={keep}")


def retell(number: int, keep: str) -> int:
    """Tell one story, with all its mishaps or some."""
    made = plot(number)
    if keep:
        chosen = [] if keep == "none" else [int(index) for index in keep.split(",")]
        made = replace(made, mishaps=tuple(made.mishaps[index] for index in chosen))
    told = tell(replace(made, telling=True))
    say(*sentences(made, told.lines, told.violations))
    say(f"hash of the story: {told.digest}")
    return 1 if told.violations else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="simulate", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--days", type=float, default=1_000_000, help="credential-days, together")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--least",
        type=int,
        default=0,
        help="each kind of mishap must meet each phase so often, with one daemon and with two",
    )
    parser.add_argument("--story", type=int)
    parser.add_argument("--keep", default="")
    asked = parser.parse_args()
    if asked.story is not None:
        return retell(asked.story, asked.keep)
    began, figures, failed = time.monotonic(), Figures(), []
    with multiprocessing.get_context("fork").Pool(asked.processes, collect_between_stories) as pool:
        for outcome in pool.imap_unordered(outcome_of, numbers(asked.seed, asked.days), chunksize=2):
            figures.add(outcome)
            if outcome.violations:
                failed.append(outcome)
                say(f"story {outcome.plot.seed}: {outcome.violations[0][1]}")
    for outcome in sorted(failed, key=lambda one: one.plot.seed)[:3]:
        explain(outcome.plot)
    say(figures.table())
    missed = figures.met_less_than(asked.least)
    if missed:
        say(f"met less than {asked.least} times: {'; '.join(missed)}")
    say(
        f"seed {asked.seed}: {figures.sentence(max(asked.least, 1))}; {len(failed)} stories failed; {time.monotonic() - began:.0f} s"
    )
    return 1 if failed or missed else 0


if __name__ == "__main__":
    sys.exit(main())
