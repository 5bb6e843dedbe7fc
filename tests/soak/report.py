"""What a soak tells: a line now and then, a table and the figures at the end."""

from __future__ import annotations

import itertools
import statistics
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.soak.arithmetic import percentile
from tests.soak.consumers import Patient, is_of_kill
from tests.soak.digest import Digest
from tests.soak.faults import Faults
from tests.soak.judge import Judge, growths, slopes, watched
from tests.soak.settings import RESTORED_SECONDS
from tests.soak.watch import Sample, Watch
from tests.world.consumer import Outage


@dataclass
class Result:
    """All that is known of a soak.

    Attributes:
        logins: the most that one user made in an hour.
        wrong: what did not hold; complete after :meth:`conclude`.
    """

    digest: Digest
    watch: Watch
    judge: Judge
    faults: Faults
    working: Sequence[Patient]
    began: float = field(default_factory=time.monotonic)
    wrong: list[str] = field(default_factory=list)
    logins: int = 0

    @contextmanager
    def told_every(self, pause_seconds: float) -> Iterator[None]:
        """Print a line now and then meanwhile."""
        stopping = threading.Event()

        def tell() -> None:
            while not stopping.wait(pause_seconds):
                sys.stdout.write(self.line() + "\n")
                sys.stdout.flush()

        thread = threading.Thread(target=tell, name="teller", daemon=True)
        thread.start()
        yield
        stopping.set()
        thread.join()

    def line(self) -> str:
        life: Sequence[Sample] = self.watch.lives[-1]
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        told = [f"{name} {value}" for name, value in self._counts().items()]
        if life:
            told.append(f"{life[-1].rss_kib // 1024} MiB, {life[-1].files} files, {life[-1].threads} threads")
        return f"{minutes:3}:{seconds:02} " + ", ".join(told)

    def conclude(self, exit_code: int) -> None:
        """Find all that did not hold. The daemon has ended."""
        self.wrong += self.faults.wrong + self.judge.end(self.faults.dealt)
        self.wrong += [f"{one} was not tried" for one in self.faults.untried()]
        if not self._counts()["rotations"]:
            self.wrong.append("nothing was rotated")
        self.wrong += [f"{one.name} never called" for one in self.working if not one.calls]
        if exit_code:
            self.wrong.append(f"the daemon ended with exit code {exit_code}")
        self.wrong += self._failures()
        for life in self.lives():
            self.wrong += growths(life)
        if not self.lives():
            self.wrong.append("no process lived for long enough to tell whether it grows")

    def _outages(self) -> Iterator[tuple[Patient, Outage, bool]]:
        """Return what consumers went through, and whether a killed session accounts for it."""
        for one in self.working:
            for outage in tuple(one.outages):
                yield one, outage, is_of_kill(outage, one.user, self.faults.kills, RESTORED_SECONDS)

    def _failures(self) -> Iterator[str]:
        for one, outage, is_told in self._outages():
            if not is_told:
                since = [outage.began - kill.at for kill in self.faults.kills if kill.user == one.user]
                last = min((round(passed, 1) for passed in since if passed >= 0), default=None)
                yield (
                    f"{outage.calls} calls of {one.user} failed in {outage.seconds:.1f} s from "
                    f"{outage.began - self.began:.1f} s on, {last} s after its session was killed: {one.words[-1]}"
                )

    def lives(self) -> list[list[Sample]]:
        """Return the lives that were watched for long enough."""
        return [warm for life in self.watch.lives if life and (warm := watched(life))]

    def _counts(self) -> dict[str, int]:
        counts = self.digest.counts
        refused = {True: 0, False: 0}
        for _one, outage, is_told in self._outages():
            refused[is_told] += outage.calls
        return {
            "rotations": self.digest.reasons["rotation"],
            "restores": counts["change.restored"],
            "kills": self.faults.dealt["daemon killed"],
            "consumer_calls": sum(one.calls for one in self.working),
            "failed_calls": refused[False],
            "failed_calls_after_killed_sessions": refused[True],
            "spoilt_calls": sum(one.spoilt for one in self.working),
        }

    def figures(self) -> dict[str, Any]:
        """Return the figures of the whole run."""
        late = self.digest.late_seconds
        noticed = [
            when - kill.at
            for kill in self.faults.kills
            if (when := self.digest.noticed_after(kill.user, kill.at)) is not None
        ]
        lives = self.lives()
        grow = [slopes(life) for life in lives]
        every = list(itertools.chain.from_iterable(lives))
        return {
            **self._counts(),
            "changes_proved": self.judge.proved,
            "sessions_killed": len(self.faults.kills),
            "noticed_after_p50_seconds": round(statistics.median(noticed), 2) if noticed else None,
            "noticed_after_max_seconds": round(max(noticed), 2) if noticed else None,
            "lives_watched": len(lives),
            "rss_kib_max": max((one.rss_kib for one in every), default=0),
            "rss_kib_per_hour": [round(one["rss_kib"]) for one in grow],
            "files_per_hour": [round(one["files"], 1) for one in grow],
            "threads_min": min((one.threads for one in every), default=0),
            "threads_max": max((one.threads for one in every), default=0),
            "steps": self.digest.counts["step.taken"],
            "late_p50_ms": round(1000 * percentile(late, 50), 1),
            "late_p99_ms": round(1000 * percentile(late, 99), 1),
            "late_max_ms": round(1000 * max(late, default=0.0), 1),
            "openbao": self.watch.asked,
            "logins_of_a_user_max": self.logins,
            "violations": len(self.wrong),
        }


def table(result: Result) -> str:
    """Return the figures, the faults and the alerts, one a line."""
    rows: dict[str, object] = {
        **result.figures(),
        **{f"fault: {name}": count for name, count in sorted(result.faults.dealt.items())},
        **{f"alert: {name}": count for name, count in sorted(result.digest.alerts.items())},
    }
    return "\n".join(f"{name:40} {value}" for name, value in rows.items())
