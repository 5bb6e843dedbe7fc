"""Explore with larger bounds: ``python -m tests.explore --faults 2 late two``."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import fields

from tests.explore.explorer import Explorer
from tests.explore.world import Bounds
from tests.explore.worlds import worlds


def main() -> int:
    """Explore the worlds that are named, or all; exit with 1 where a promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.explore", description=__doc__)
    numbers = [field.name for field in fields(Bounds) if field.type == "int"]
    for name in numbers:
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, help="at most so many in one history")
    parser.add_argument("--limit", type=int, default=5_000_000, help="stop after so many states")
    parser.add_argument("world", nargs="*", help="all of them unless named")
    given = parser.parse_args()
    known = worlds(**{name: value for name in numbers if (value := getattr(given, name)) is not None})
    if unknown := set(given.world) - set(known):
        parser.error(f"no world {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    broken = False
    for name in given.world or known:
        began = time.monotonic()
        report = Explorer(known[name]).run(given.limit)
        sys.stdout.write(f"{name:12} {report}, {time.monotonic() - began:.1f} s\n")
        for line in (*report.violations, *report.story):
            sys.stdout.write(f"    {line}\n")
        broken = broken or bool(report.violations)
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
