"""Kill the daemon before and after every write, path by path: ``make crash``.

All of it: ``python -m tests.crash``. A sample: ``--points 6 --seed 7``. One point once more: ``--path rotation --at
before:org/deploy#1``. Exits with 1 on the first thing that must not be, and tells how to repeat it.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial

from tests.crash.matrix import Matrix, sample
from tests.crash.paths import PATHS
from tests.crash.wire import Point
from tests.world.ending import end_in_good_order

JOBS = 2 * (os.cpu_count() or 1)
"""By default. Most of the time a run waits."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.crash",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--path", action="append", choices=PATHS, help="only this one; may be repeated")
    parser.add_argument("--points", type=int, help="at most about so many of each path; all unless given")
    parser.add_argument("--seed", type=int, default=1, help="of the choice of points")
    parser.add_argument("--at", type=Point.read, action="append", help="these points alone")
    parser.add_argument("--jobs", type=int, default=JOBS, help="so many runs at the same time")
    given = parser.parse_args()
    end_in_good_order()
    choose = (lambda _points: given.at) if given.at else partial(sample, count=given.points, seed=given.seed)
    matrix = Matrix(given.path or PATHS, choose, given.jobs, lambda line: print(line, flush=True))  # noqa: T201
    return 0 if matrix.run() else 1


if __name__ == "__main__":
    sys.exit(main())
