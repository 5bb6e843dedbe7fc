"""What a daemon lets be seen by whoever looks at its port."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rotator.config import Problem
from rotator.core.model import Trouble
from rotator.run.reading import Reading
from rotator.web import Seen

if TYPE_CHECKING:
    from rotator.run.daemon import Daemon


def sight(daemon: Daemon) -> Callable[[], Seen]:
    """Return what looks at a daemon."""

    def look() -> Seen:
        app, now, reading = daemon.app, daemon.clock(), daemon.reading
        queued, running = daemon.ready.sizes()
        return Seen(
            at=now,
            configuration=app.configuration,
            loaded_at=reading.at,
            driver=daemon.driver,
            stations=dict(daemon.stations),
            aside=_first_of_each(reading, lambda problem: problem.credential),
            refused=_first_of_each(reading, _file_of),
            refusal=reading.refusal,
            unusable={
                name: Trouble("record", now, code, message, lasting=True)
                for name, (code, message) in daemon.unusable.records().items()
            },
            vault_trouble=_of_vault(daemon, now),
            lease=app.client.lease(),
            secret_id_ends=app.client.secret_id_ends(),
            skews=dict(daemon.rounds.skewed),
            queued=queued,
            running=running,
            beaten_at=now - timedelta(seconds=daemon.steady() - daemon.beaten_at),
        )

    return look


def _of_vault(daemon: Daemon, now: datetime) -> Trouble | None:
    outage = daemon.weather.trouble()
    if outage is None:
        return None
    since = now - timedelta(seconds=daemon.steady() - outage.began)
    return Trouble("vault", since, outage.code, outage.message, outage.hint)


def _first_of_each(reading: Reading, concerned: Callable[[Problem], str | None]) -> dict[str, Trouble]:
    """Return the first thing that is wrong in the configuration with each that is concerned; None is nobody."""
    found: dict[str, Trouble] = {}
    for problem in reading.problems:
        if (name := concerned(problem)) is not None:
            first = Trouble(
                "configuration", reading.at, "configuration", problem.what, problem.mend, lasting=True
            )
            found.setdefault(name, first)
    return found


def _file_of(problem: Problem) -> str | None:
    return str(problem.file) if problem.credential is None else None
