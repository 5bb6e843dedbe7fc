"""What a daemon lets be seen by whoever looks at its port."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rotator.config import Problem
from rotator.core.model import Trouble
from rotator.web import Seen

if TYPE_CHECKING:
    from rotator.run.daemon import Daemon


def sight(daemon: Daemon, problems: Sequence[Problem], loaded_at: datetime) -> Callable[[], Seen]:
    """Return what looks at a daemon. ``problems``: what is wrong with single credentials; of each the first is shown."""
    aside: dict[str, Trouble] = {}
    for problem in problems:
        said = f"{problem.file}:{problem.line}: {problem.key}: {problem.message}"
        first = Trouble("configuration", loaded_at, "configuration", said, problem.mend, lasting=True)
        aside.setdefault(problem.credential or "", first)

    def look() -> Seen:
        app, now = daemon.app, daemon.clock()
        queued, running = daemon.ready.sizes()
        return Seen(
            at=now,
            configuration=app.configuration,
            loaded_at=loaded_at,
            driver=daemon.driver,
            stations=dict(daemon.stations),
            aside=aside,
            unusable={
                name: Trouble("record", now, code, message, lasting=True)
                for name, (code, message) in daemon.unusable().items()
            },
            vault_trouble=daemon.weather.trouble(),
            lease=app.client.lease(),
            secret_id_ends=app.client.secret_id_ends(),
            skews=dict(daemon.rounds.skewed),
            queued=queued,
            running=running,
            beaten_at=now - timedelta(seconds=daemon.steady() - daemon.beaten_at),
        )

    return look
