"""The daemon under load and faults for as long as is wanted: ``python -m tests.soak 1h --seed 7``."""

from __future__ import annotations

import argparse
import itertools
import json
import random
import re
import sys
import time
from contextlib import ExitStack

from tests.soak import report
from tests.soak.consumers import consumers
from tests.soak.digest import Digest
from tests.soak.faults import Asker, Faults
from tests.soak.judge import Judge
from tests.soak.settings import LIVES, edited, pace_seconds
from tests.soak.watch import Watch
from tests.world import rude
from tests.world.ending import end_in_good_order
from tests.world.site import site

LOOK_EVERY_SECONDS = 20.0
TELL_EVERY_SECONDS = 30.0
SHORTEST_SECONDS = 180
DEADLY_SHARE = 1 / 3
"""The daemon is killed in the first third; then one process lives on, so that it is seen whether it grows."""
UNITS = {"s": 1, "m": 60, "h": 3600}


def main() -> int:
    """Soak, print the figures, and return 1 where something did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("duration", type=seconds, help="such as 3m or 1h")
    parser.add_argument("--seed", type=int, default=1, help="of the weather and the faults")
    given = parser.parse_args()
    end_in_good_order()
    rude.sow(given.seed, "soak")
    result = soak(given.duration, random.Random(given.seed))  # noqa: S311 - repeatable
    last = {"soak": "failed" if result.wrong else "passed", "seed": given.seed, **result.figures()}
    if result.wrong:
        sys.stderr.writelines(
            json.dumps(line) + "\n" for line in (*result.digest.called, *result.digest.last)
        )
    told = [report.table(result), *(f"violation: {one}" for one in result.wrong), json.dumps(last)]
    sys.stdout.write("\n".join(told) + "\n")
    return int(bool(result.wrong))


def seconds(text: str) -> float:
    """Return a duration such as 3m or 1h in seconds."""
    found = re.fullmatch(r"(\d+)([smh])", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write 10m or 1h")
    wanted = int(found[1]) * UNITS[found[2]]
    if wanted < SHORTEST_SECONDS:
        raise argparse.ArgumentTypeError(f"{text} is too short to tell whether a process grows: at least 3m")
    return wanted


def soak(duration_seconds: float, chance: random.Random) -> report.Result:
    """Let a site work for so long, and return what came of it."""
    digest, pace = Digest(), pace_seconds(duration_seconds)
    with (
        site(LIVES, edit=lambda said: edited(said, pace), journal=digest) as here,
        Watch(here.stage.vault) as watch,
    ):
        watch.follow(here.daemon.pid)
        judge = Judge(here, digest)
        working = consumers(here, chance)
        faults = Faults(here, digest, watch, working, chance)
        result = report.Result(digest, watch, judge, faults, working)
        own = random.Random(chance.random())  # noqa: S311 - repeatable, whatever the faults draw meanwhile
        asker = Asker(here, own, pace / 2)  # two users share its proofs
        code = 0
        with ExitStack() as running:
            for one in working:
                running.enter_context(one)
            running.enter_context(result.told_every(TELL_EVERY_SECONDS))
            try:
                with asker:
                    suffer(faults, judge, duration_seconds)
                here.await_steady()
                watch.leave()
                code, _took = here.daemon.stop()
            except AssertionError as error:
                result.wrong.append(str(error))
        result.logins = max(map(len, here.stage.org.org.logins.values()))
        result.conclude(code)
    return result


def suffer(faults: Faults, judge: Judge, duration_seconds: float) -> None:
    """Deal out faults until the time is over, each once at the least, and judge now and then."""
    began = looked = time.monotonic()
    for is_first in itertools.chain([True], itertools.repeat(False)):
        for fault in faults.deck():
            if fault == faults.daemon_killed and time.monotonic() > began + DEADLY_SHARE * duration_seconds:
                continue
            fault()
            if time.monotonic() >= looked + LOOK_EVERY_SECONDS:
                judge.look()
                looked = time.monotonic()
            if time.monotonic() >= began + duration_seconds and not is_first:
                return
            time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
