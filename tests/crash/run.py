"""One run: a path from its beginning to its end in a world of its own, with one kill or none."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tests.crash.outcome import State, differences, end_state
from tests.crash.paths import UNHURRIED, Path
from tests.crash.wire import Point, Wire, Write
from tests.world.rude import CALM
from tests.world.site import Site, restored_seconds, site

WITHIN_SECONDS = 150.0
"""How long a path may take, a restart included: many times what it takes on a busy machine."""

MOST_STEPS = 500
"""Within so many decisions after the restart all must be at rest; to ask after a deploy for some seconds takes most."""

QUIET_SECONDS = 1.0
"""For so long nothing was written when a path begins: what belongs to what came before must not count."""

LOOK_EVERY_SECONDS = CALL_EVERY_SECONDS = 0.3
LAST_WRITES, LAST_LINES = 8, 30


@dataclass
class Ran:
    """What came of a run.

    Attributes:
        writes: of the whole path, in order.
        rest: how many of them came after the restart.
        steps: decisions of all credentials from the restart until the daemon was stopped because all was at rest, as
            the daemon itself counts them; decisions to wait are among them.
        seconds: from the kill until all was at rest.
        missed: the run did not come by its point, and nobody was killed: how often the daemon logs in at the end of a
            path depends on the moment.
        wrong: what must not be.
        story: what happened last, if something is wrong.
    """

    path: str
    point: Point | None
    state: State = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)
    rest: int = 0
    steps: int = 0
    seconds: float = 0.0
    calls: int = 0
    failed_calls: int = 0
    missed: bool = False
    wrong: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)


def run(
    path: Path,
    point: Point | None = None,
    wanted: State | None = None,
    *,
    within_seconds: float = WITHIN_SECONDS,
) -> Ran:
    """Walk a path, be killed at a point, go on, and be judged; ``wanted`` is the end state of an undisturbed run."""
    ran = Ran(path.name, point)
    try:
        with site(UNHURRIED, adopt=False, weather=CALM, names=path.names) as here, Wire(here) as wire:
            try:
                _Walk(here, wire, path, ran, within_seconds).walk()
                if wanted is not None:
                    ran.wrong += differences(wanted, ran.state)
            finally:
                ran.writes = list(wire.writes)
                ran.story = _story(here, wire)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other points are tried
        where = traceback.extract_tb(error.__traceback__)[-1]
        ran.wrong.append(f"{type(error).__name__} in {where.name}: {error}")
    return ran


def _story(here: Site, wire: Wire) -> list[str]:
    last = [f"    {write}" for write in wire.writes[-LAST_WRITES:]]
    said = [f"    {line.rstrip()}" for line in here.journal.text[-LAST_LINES:]]
    return ["  the last writes:", *last, "  the last lines of the daemon:", *said]


class _Walk:
    """Notes in a :class:`Ran` what comes of it."""

    def __init__(self, here: Site, wire: Wire, path: Path, ran: Ran, within_seconds: float) -> None:
        self._within_seconds = within_seconds
        self._here, self._wire, self._path, self._ran = here, wire, path, ran
        self._killed_at: float | None = None
        self._since = self._written_before = 0

    def walk(self) -> None:
        here, path = self._here, self._path
        here.edit(self._wire.lead, *([path.edit(here, self._wire.control_url)] if path.edit else []))
        self._prepare()
        with here.consuming(every_seconds=CALL_EVERY_SECONDS):
            self._wire.watch(self._ran.point)
            if not path.adopted or path.restart:
                here.daemon.start()
            self._drive(path.script(here))
            here.until("every consumer has called", lambda: all(one.calls for one in here.consumers))
            self._wire.ignore()
            if self._killed_at is not None:
                self._ran.seconds = time.monotonic() - self._killed_at
            code, _seconds = here.daemon.stop()
            if code:
                self._ran.wrong.append(f"the daemon ended with exit code {code}")
        self._judge()

    def _prepare(self) -> None:
        """Lead the world to where the path begins."""
        here, path = self._here, self._path
        if path.adopted:
            here.adopt()
        if path.before:
            self._drive(path.before(here))
        if path.restart:
            here.daemon.stop()
            here.edit(path.restart)
        else:
            here.until("the daemon is quiet", lambda: self._wire.quiet_seconds() > QUIET_SECONDS)

    def _drive(self, script: Iterator[None]) -> None:
        """Let people act until the script is over and all is at rest. Meanwhile a killed daemon is started again."""
        give_up = time.monotonic() + self._within_seconds
        while True:
            missing = self._restless() if next(script, self) is self else ["the script is not over"]
            if self._killed_at is None and self._wire.has_killed():
                self._start_again()
            elif not missing:
                return
            if time.monotonic() > give_up:
                raise AssertionError(f"not within {self._within_seconds:.0f} s: {missing}")
            time.sleep(LOOK_EVERY_SECONDS)

    def _start_again(self) -> None:
        self._killed_at = time.monotonic()
        self._written_before = len(self._wire.writes)
        if self._path.adopted and not self._path.spoilt:
            self._ran.wrong += [f"right after the kill: {one}" for one in self._here.ledger.key_violations()]
        self._since = self._here.journal.mark()
        self._wire.reads.clear()
        self._here.daemon.start()

    def _restless(self) -> list[str]:
        """Return what keeps the world from being at rest."""
        return [one for name in self._here.ledger.names for one in self._restless_of(name)]

    def _restless_of(self, name: str) -> Iterator[str]:
        ledger = self._here.ledger
        record = ledger.record(name)
        if ledger.exists(f"-/requests/{name}"):
            yield f"a request for {name} waits"
        for what in ("trouble", "revoke"):
            if record[what]:
                yield f"{name}: {what} {record[what]}"
        documents = [f"{name}/record", *(f"{name}/tokens/{user}" for user in ledger.published.get(name, ()))]
        for path in documents:
            if not ledger.exists(path):
                yield f"there is no {path}"
            if f"/v1/secret/data/salesforce/{path}" not in self._wire.reads:
                yield f"the daemon has not looked at {path} yet"
        yield from ledger.unsteady(name)

    def _judge(self) -> None:
        here, ran = self._here, self._ran
        ran.state = end_state(here)
        ran.calls = sum(one.calls for one in here.consumers)
        ran.failed_calls = sum(one.failed for one in here.consumers)
        ran.missed = ran.point is not None and self._killed_at is None
        if self._killed_at is not None:
            ran.rest = len(self._wire.writes) - self._written_before
            ran.steps = here.journal.find("daemon.stopped", self._since)[-1]["steps"]
            if ran.steps > MOST_STEPS:
                ran.wrong.append(f"{ran.steps} decisions are more than {MOST_STEPS}")
        here.audit(refused_seconds=self._refused_seconds())

    def _refused_seconds(self) -> dict[str, float]:
        """Return for how long calls may be refused where rotator ends sessions: it needs not find out that it did.

        Whoever is killed in between has replaced them when all is at rest again.
        """
        if not self._path.may_fail:
            return {}
        bound_seconds = restored_seconds(replace(UNHURRIED, verify_seconds=0)) + self._ran.seconds
        return {one.user: bound_seconds for one in self._here.consumers}
