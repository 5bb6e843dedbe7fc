"""One look at how credentials stand: what `status` shows, once or again and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rotator.app import Application
from rotator.cli.exits import Exit
from rotator.cli.status.standings import standings
from rotator.config import Problem
from rotator.core import timing
from rotator.core.model import Phase, Request
from rotator.core.slot import is_leaked
from rotator.errors import RotatorError
from rotator.publishers.manual import upload_steps
from rotator.run.ask import unanswered
from rotator.standing import Standing, waits_for_person
from rotator.vault.refusals import PERMISSION_DENIED


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen.

    Attributes:
        aside: what is wrong with the settings of credentials that are not served.
        requests: those of operators that nobody has answered, by credential; None where our policy hides them.
        cures: how a person brings a certificate in, line by line, for each credential that waits for it.
        only_problems: those that are well are not shown.
    """

    at: datetime
    standings: Sequence[Standing]
    aside: Sequence[Problem] = ()
    requests: Mapping[str, Request] | None = None
    cures: Mapping[str, Sequence[str]] = field(default_factory=dict)
    only_problems: bool = False

    @property
    def troubled(self) -> list[Standing]:
        """Those for which a person must do something."""
        return [one for one in self.standings if one.level.is_problem]

    @property
    def shown(self) -> Sequence[Standing]:
        """Those that are to be shown."""
        return self.troubled if self.only_problems else self.standings

    @property
    def code(self) -> Exit:
        """Whether all is well, for scripts."""
        return Exit.PROBLEM if self.troubled or self.aside else Exit.OK

    def plain(self) -> dict[str, Any]:
        """Return what programs are told."""
        waiting = (
            None
            if self.requests is None
            else [{"credential": name, "request": request} for name, request in self.requests.items()]
        )
        return {
            "at": self.at,
            "credentials": self.shown,
            "requests": waiting,
            "set_aside": [{"credential": one.credential, "problem": str(one)} for one in self.aside],
        }  # fmt: skip


def look(
    app: Application, aside: Sequence[Problem], names: tuple[str, ...], *, only_problems: bool = False
) -> Look:
    """Look at credentials (all, or those named). Raises RotatorError."""
    now = datetime.now(UTC)
    found = standings(app, names, now)
    return Look(
        at=now,
        standings=found,
        aside=aside,
        requests=_requests(app, [one.credential for one in found]),
        cures=_cures(app, found, now),
        only_problems=only_problems,
    )


def _requests(app: Application, names: Sequence[str]) -> dict[str, Request] | None:
    """Return the requests that wait for an answer; None where our policy does not let us see them."""
    try:
        waiting = set(app.documents.list_requests())
    except RotatorError as error:
        if error.code != PERMISSION_DENIED:
            raise
        return None
    found: dict[str, Request] = {}
    for name in names:
        if name in waiting:
            with suppress(RotatorError):  # one that cannot be read is told of by whoever should answer it
                request = unanswered(app.documents, name)
                if request is not None:
                    found[name] = request
    return found


def _cures(app: Application, found: Sequence[Standing], now: datetime) -> dict[str, list[str]]:
    cures = {}
    for one in found:
        station = app.driver.stations[one.credential]
        change, record = station.record.change, station.record
        if change is not None and is_leaked(record, change.target):
            continue  # its certificate is to stay out
        if one.phase is Phase.LOCKED_OUT or waits_for_person(record, station.terms, now):
            within = timing.seen_within(one.phase, station.terms)
            cures[one.credential] = upload_steps(station.app, one.credential, within)
    return cures
