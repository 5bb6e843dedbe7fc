"""Two hundred credentials are served while their configuration changes: nobody misses a step, no consumer a token."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from statistics import quantiles
from typing import Any

import pytest
import yaml

from tests.world.consumer import Consumer, query_until_useful
from tests.world.crowd import Crowd, crowd, user_of
from tests.world.daemon import Daemon, Journal
from tests.world.site import FAST

pytestmark = pytest.mark.timeout(500)

SERVED, ADDED, REMOVED, CHANGED = 200, 20, 15, 15
ORGS, FILES = 2, 4
VERIFIED_SECONDS = 15
LIVES = replace(FAST, session_timeout_seconds=240, refresh_seconds=30, verify_seconds=VERIFIED_SECONDS)
CALL_EVERY_SECONDS = 3.0
CEILING_SECONDS = 120.0


class Files:
    """The configuration in a file for each part of the fleet, and what is written into it."""

    def __init__(self, main: Path, names: Iterable[str]) -> None:
        self._main, self._said = main, yaml.safe_load(main.read_text())
        self._credentials: dict[str, Any] = self._said.pop("credentials")
        self._said |= {"include": ["config.d/*.yaml"], "log": {"level": "debug", "format": "json"}}
        (main.parent / "config.d").mkdir()
        self.write(names)

    def write(self, names: Iterable[str], changed: Iterable[str] = ()) -> None:
        """Have these credentials in it, some with other settings than before."""
        for name in changed:
            self._credentials[name]["session"] = {"refresh_every": "25s"}
        parts: list[dict[str, Any]] = [{} for _ in range(FILES)]
        for name, number in zip(sorted(names), itertools.cycle(range(FILES)), strict=False):
            parts[number][name] = self._credentials[name]
        for number, part in enumerate(parts):
            file = self._main.parent / "config.d" / f"{number}.yaml"
            file.write_text(yaml.safe_dump({"credentials": part}))
        self._main.write_text(yaml.safe_dump(self._said))

    def spoil(self) -> None:
        self._main.write_text(self._main.read_text().replace("reconcile_every", "reconcile_evry"))


def test_two_hundred_credentials_notice_nothing_of_a_reload_that_changes_fifty_others(figures):
    journal = Journal()
    with crowd([(SERVED + ADDED) // ORGS] * ORGS, LIVES, ending={}) as here, ExitStack() as running:
        names = [name for org in here.members for name in org]
        added, removed, changed = names[:ADDED], names[ADDED:][:REMOVED], names[-CHANGED:]
        files = Files(here.config, names[ADDED:])
        after = [name for name in names if name not in removed]
        untouched = [name for name in after if name not in added + changed]
        daemon = running.enter_context(Daemon(here.config, journal))
        daemon.start()
        journal.wait_for("daemon.started", credentials=SERVED)
        await_verified(journal, names[ADDED:], 0)
        consumers = [running.enter_context(consumer(here, name)) for name in untouched + changed]

        marks = [journal.mark()]
        await_verified(journal, names[ADDED:], marks[-1])

        marks.append(journal.mark())
        files.write(after, changed)
        daemon.reload()
        line = journal.wait_for("configuration.reloaded", marks[-1])
        told = {what: line[what] for what in ("added", "removed", "changed", "kept", "finishing")}
        assert told == {
            "added": sorted(added),
            "removed": sorted(removed),
            "changed": sorted(changed),
            "kept": [],
            "finishing": [],
        }
        for name in removed:
            journal.wait_for("credential.let_go", marks[-1], credential=name)
        await_verified(journal, after, marks[-1])

        marks.append(journal.mark())
        files.spoil()
        daemon.reload()
        journal.wait_for("configuration.refused", marks[-1])
        await_verified(journal, after, marks[-1])

        marks.append(journal.mark())
        running.pop_all().close()
        calls, failed = sum(one.calls for one in consumers), sum(one.failed for one in consumers)
        assert failed == 0, [word for one in consumers for word in one.words]
        assert all(query_until_useful(here.token(name)).status_code == 200 for name in after)
        assert len(journal.find("daemon.started")) == len(journal.find("vault.login")) == 1
        assert not journal.find("daemon.stopping")
        assert [line["event"] for line in journal.alerts()] == ["configuration.refused"]
        windows = [steps(journal, untouched, *span) for span in itertools.pairwise(marks)]
        unasked = [line for window in windows for line in window if "late_seconds" not in line]
        assert not unasked, unasked[:3]
        figures(
            credentials=SERVED,
            changed_by_the_reload=ADDED + REMOVED + CHANGED,
            reload_seconds=took(journal, marks[1], "configuration.reloaded"),
            consumer_calls=calls,
            failed_calls=failed,
            steps_of_the_untouched=sum(map(len, windows)),
            unasked_steps=len(unasked),
            lateness_before=lateness(windows[0]),
            lateness_with_the_reload=lateness(windows[1]),
            lateness_with_the_refused_one=lateness(windows[2]),
        )


def consumer(here: Crowd, name: str) -> Consumer:
    return Consumer(
        here.vault.address,
        here.vault.root_token,
        name,
        user_of(name),
        read_every_seconds=CALL_EVERY_SECONDS,
        call_every_seconds=CALL_EVERY_SECONDS,
    )


def await_verified(journal: Journal, names: Iterable[str], since: int) -> None:
    """Wait until the org was called with the token of each. One that misses its time comes too late."""
    for name in names:
        journal.wait_for("token.verified", since, credential=name, within_seconds=CEILING_SECONDS)


def steps(journal: Journal, names: Iterable[str], since: int, until: int) -> list[dict[str, Any]]:
    """Return the steps of some credentials between two marks."""
    chosen = set(names)
    return [
        line
        for line in journal.lines[since:until]
        if line["event"] == "step.taken" and line["credential"] in chosen
    ]


def lateness(lines: list[dict[str, Any]]) -> dict[str, float]:
    """Return how many seconds after their time steps were taken; each within the period of its credential."""
    late = sorted(line["late_seconds"] for line in lines)
    assert late[-1] < VERIFIED_SECONDS
    cuts = quantiles(late, n=100)
    return {"p50": round(cuts[49], 3), "p99": round(cuts[98], 3), "most": round(late[-1], 3)}


def took(journal: Journal, since: int, event: str) -> float:
    """Return the seconds from the last line before a mark to an event after it."""
    began, ended = journal.lines[since - 1], journal.find(event, since)[0]
    seconds = datetime.fromisoformat(ended["timestamp"]) - datetime.fromisoformat(began["timestamp"])
    return round(seconds.total_seconds(), 3)
