"""The matrix: which points there are, which of them a run takes, and what came of it.

The points of a path are found in a run without a kill. A sample always holds both sides of what matters most: the
first deploy, the first key that is written, the change that ends. Beside these some are drawn by a seed.
"""

from __future__ import annotations

import random
import re
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from tests.crash.outcome import State
from tests.crash.paths import PATHS
from tests.crash.run import Ran, run
from tests.crash.wire import Point, Side, Write

MATTERS_MOST = re.compile(
    r"org/(deploy|by-program.*)#1|vault/data/\w+/(keys/\d+|record:steady:\d+)#1|vault/destroy/.*#1"
)

MOST_MISSED = 0.2
"""So large a part of the points of a path may be missed, and at least one, but none of those that matter most."""

Tell = Callable[[str], None]


def points_of(writes: Iterable[Write]) -> list[Point]:
    """Return both sides of every write."""
    return [Point(side, write) for write in writes for side in Side]


def sample(points: list[Point], count: int | None, seed: int) -> list[Point]:
    """Return what matters most and so many points beside it, in their order; None: all."""
    if count is None:
        return points
    taken = {point for point in points if _matters_most(point)}
    rest = [point for point in points if point not in taken]
    chance = random.Random(seed)  # noqa: S311 - a seeded choice
    taken.update(chance.sample(rest, min(count, len(rest))))
    return [point for point in points if point in taken]


def _matters_most(point: Point) -> bool:
    return MATTERS_MOST.fullmatch(str(point.write)) is not None


def walk(name: str, point: Point | None = None, wanted: State | None = None) -> Ran:
    """Do one run of a path, in a process of its own."""
    return run(PATHS[name], point, wanted)


class Matrix:
    """Runs and tells.

    Args:
        names: the paths.
        choose: the points that are tried, of those of a path.
        jobs: how many runs go on at the same time.
    """

    def __init__(
        self, names: Iterable[str], choose: Callable[[list[Point]], list[Point]], jobs: int, tell: Tell
    ) -> None:
        self._names, self._choose, self._jobs, self._tell = tuple(names), choose, jobs, tell
        self._began = time.monotonic()
        self.undisturbed: dict[str, Ran] = {}
        self.killed: dict[str, list[Ran]] = {name: [] for name in self._names}

    def run(self) -> bool:
        """Return whether every run converged."""
        with ProcessPoolExecutor(self._jobs, mp_context=get_context("spawn")) as pool:
            try:
                self._run_in(pool)
            except BaseException:  # also a signal: what has begun is taken down, and no other run begins
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        for line in (*self._table(), self._figures()):
            self._tell(line)
        unsaid = [name for name, runs in self.killed.items() if _says_nothing(runs)]
        if unsaid:
            self._tell(f"too many points were not met, or one that matters most: {', '.join(unsaid)}")
        return not self._failed() and not unsaid

    def _run_in(self, pool: ProcessPoolExecutor) -> None:
        """Walk every path undisturbed, and then with each kill."""
        runs: set[Future[Ran]] = {pool.submit(walk, name) for name in self._names}
        first = {future.result().path: future.result() for future in as_completed(runs)}
        self.undisturbed = {name: first[name] for name in self._names}
        for ran in self.undisturbed.values():
            self._tell_failure(ran)
        runs = {pool.submit(walk, *task) for task in self._tasks()}
        for future in as_completed(runs):
            ran = future.result()
            self.killed[ran.path].append(ran)
            self._tell_run(ran)

    def _tasks(self) -> list[tuple[str, Point, State]]:
        """Return what is to be run, mixed, so that no path is left to the end alone."""
        tasks = [
            (name, point, ran.state)
            for name, ran in self.undisturbed.items()
            if not ran.wrong
            for point in self._choose(points_of(ran.writes))
        ]
        random.Random(len(tasks)).shuffle(tasks)  # noqa: S311 - an order
        return tasks

    def _failed(self) -> list[Ran]:
        return [ran for ran in (*self.undisturbed.values(), *self._all()) if ran.wrong]

    def _all(self) -> list[Ran]:
        return [ran for runs in self.killed.values() for ran in runs]

    def _tell_run(self, ran: Ran) -> None:
        if ran.missed and not ran.wrong:
            self._tell(f"{ran.path:12} {ran.point!s:64} was not met")
        elif not ran.wrong:
            after = f"{ran.steps} steps, {ran.rest} writes, {ran.seconds:.1f} s"
            self._tell(f"{ran.path:12} {ran.point!s:64} converged in {after}")
        self._tell_failure(ran)

    def _tell_failure(self, ran: Ran) -> None:
        if ran.wrong:
            self._tell(f"{ran.path:12} {ran.point or 'without a kill'!s:64} FAILED")
            for line in (*(f"  {one}" for one in ran.wrong), *ran.story):
                self._tell(line)
            which = f"--at {ran.point}" if ran.point else "--points 0"
            self._tell(f'  again: make crash ARGS="--path {ran.path} {which}"')

    def _table(self) -> Iterator[str]:
        yield ""
        yield f"{'path':12} {'writes':>6} {'points':>7} {'converged':>10}   in steps (median, most) {'seconds':>12} {'failed calls':>13}"
        for name, runs in self.killed.items():
            well = [ran for ran in runs if not ran.wrong and not ran.missed]
            steps, seconds = [ran.steps for ran in well] or [0], [ran.seconds for ran in well] or [0]
            failed = sum(ran.failed_calls for ran in runs)
            promised = "" if not PATHS[name].may_fail else " (sessions are ended on purpose)"
            yield (
                f"{name:12} {len(self.undisturbed[name].writes):6} {len(runs):7} {len(well):10}"
                f"   {statistics.median(steps):15.0f} {max(steps):7} {statistics.median(seconds):6.1f} {max(seconds):5.1f}"
                f" {failed:13}{promised}"
            )

    def _figures(self) -> str:
        runs, failed = self._all(), self._failed()
        missed = sum(ran.missed for ran in runs)
        well = [ran for ran in runs if not ran.wrong and not ran.missed]
        calls = sum(ran.calls for ran in runs)
        spoilt = sum(ran.failed_calls for ran in runs if not PATHS[ran.path].may_fail)
        most = max((ran.steps for ran in runs), default=0)
        return (
            f"crash: {len(self._names)} paths, {len(runs) - missed} kills, {len(well)} converged in at most "
            f"{most} steps, {missed} points not met, {len(failed)} violations, {spoilt} of {calls} calls of consumers failed where none may, "
            f"{time.monotonic() - self._began:.0f} s"
        )


def _says_nothing(runs: list[Ran]) -> bool:
    """Tell whether too much of a path was missed for what was met to say anything."""
    missed = [ran for ran in runs if ran.missed]
    missing_most = any(ran.point is not None and _matters_most(ran.point) for ran in missed)
    return missing_most or len(missed) > max(1, MOST_MISSED * len(runs))
