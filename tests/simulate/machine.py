"""A machine with a clock of its own, and the daemon that runs on it, until it is killed."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from greenlet import getcurrent, greenlet

from rotator.app import Application, station_of
from rotator.config import Configuration
from rotator.errors import Transient
from rotator.performer import Driver
from rotator.performer.toolbox import Toolbox
from rotator.run.daemon import Daemon
from rotator.run.notify import Notifier
from rotator.salesforce.budget import LoginBudget
from rotator.salesforce.http import Reply
from rotator.salesforce.rest import Org as Session
from rotator.salesforce.rest import query_accounts
from rotator.secret import Secret
from rotator.vault.documents import Documents
from rotator.vault.login import Lease
from rotator.vault.settings import Token, VaultSettings
from tests.simulate.keys import Maker, load_key
from tests.simulate.loop import EPOCH, Killed, Loop
from tests.simulate.vault import Kv

if TYPE_CHECKING:
    from tests.simulate.world import World

BASE = "salesforce"
_SETTINGS = VaultSettings(address="https://vault.example:8200", login=Token(Secret("token")), base_path=BASE)
_LEASE = Lease(Secret("token"), EPOCH, None, None, renewable=False)


class Machine:
    """Where one daemon at a time runs.

    Attributes:
        ahead_seconds: how far its wall clock is ahead of the true time.
        asleep_until: it is suspended; nothing runs on it before.
    """

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name, self.loop = world, name, world.loop
        self.rng = random.Random(f"{world.seed}:{name}")  # noqa: S311 - repeatable
        self.ahead_seconds = 0.0
        self.asleep_until = 0.0
        self._slept_seconds = 0.0
        self.process: Process | None = None
        self._steps = 0

    @property
    def steps(self) -> int:
        """How many steps were done on it."""
        return self._steps + (self.process.daemon.steps if self.process is not None else 0)

    def clock(self) -> datetime:
        """Return what its wall clock shows."""
        return self.loop.date(self.ahead_seconds)

    def steady(self) -> float:
        """Return a clock that nobody sets, and that stands still while the machine sleeps."""
        return self.loop.now - self._slept_seconds

    def boot(self) -> None:
        """Start the daemon, unless it runs."""
        if self.process is None:
            self.process = Process(self)
            self.process.begin()

    def kill(self) -> None:
        """End the daemon in the middle of whatever it does."""
        if self.process is not None:
            process, self.process, self._steps = self.process, None, self.steps
            process.end()

    def suspend(self, seconds: float) -> None:
        """Let nothing run for a while, as if the lid was closed."""
        until = self.loop.now + seconds
        if until > self.asleep_until:
            self._slept_seconds += until - max(self.asleep_until, self.loop.now)
            self.asleep_until = until

    def set_clock(self, ahead_seconds: float) -> None:
        self.ahead_seconds = ahead_seconds
        self.world.clocks_set.append(self.loop.now)
        if self.process is not None:
            self.process.want_round()


class Process:
    """One run of the daemon: the real one, whose workers are tasks of the loop.

    Attributes:
        fuse: happens at the so-many-th border of a call from now, with (how many, what).
    """

    def __init__(self, machine: Machine) -> None:
        self.machine, self.world, self.loop = machine, machine.world, machine.loop
        self.app = _application(self)
        self.daemon = Daemon(
            self.app,
            Notifier(),
            timer=lambda fire: Timer(self, fire),
            steady=machine.steady,  # type: ignore[arg-type, return-value]
        )
        self.alive = True
        self.fuse: tuple[int, Callable[[], None]] | None = None
        self._tasks: set[greenlet] = set()
        self._working = 0
        self._round_at: float | None = None
        self._round_runs = False

    def begin(self) -> None:
        self.daemon.take_up_all()
        self.want_round()
        self.pump()

    def end(self) -> None:
        """Be no more. A task that runs now ends itself."""
        self.alive = False
        for task in self._tasks - {getcurrent()}:
            self.loop.at(self.loop.now, _end, task)
        if getcurrent() in self._tasks:
            raise Killed

    # -- workers and rounds ---------------------------------------------------------------------------------------

    def pump(self) -> None:
        """See that somebody works while something is to be done."""
        if self.alive and self._working < self.daemon.workers and self.daemon.ready.sizes()[0]:
            self._working += 1
            self._start(self._work)

    def _start(self, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                if self.alive:
                    work()
            except Killed:
                pass
            finally:
                self._tasks.discard(task)

        task = self.loop.start(guarded)
        self._tasks.add(task)

    def _work(self) -> None:
        daemon = self.daemon
        try:
            self._rest()
            while self.alive and (name := daemon.ready.take(wait=False)) is not None:
                self.pump()
                daemon.serve(name)
                if daemon.weather.trouble() is not None:
                    self.want_round()
        finally:
            self._working -= 1

    def want_round(self) -> None:
        """Have a round at its next time. Rounds that would see nothing are left out."""
        every = self.daemon.reconcile_every.total_seconds()
        if self.alive and self._round_at is None:
            self._round_at = (self.loop.now // every + 1) * every
            self.loop.at(self._round_at, self._begin_round)

    def _begin_round(self) -> None:
        self._round_at = None
        if self._round_runs:
            self.want_round()
        elif self.alive:
            self._round_runs = True
            self._start(self._round)

    def _round(self) -> None:
        try:
            self._rest()
            self.daemon.rounds.go()
        finally:
            self._round_runs = False
        if self.daemon.weather.trouble() is not None or self.world.waits_for_round():
            self.want_round()
        self.pump()

    # -- calls ----------------------------------------------------------------------------------------------------

    def border(self) -> None:
        """Stand at the border of a call: time may pass, and whatever was to happen at just this one happens."""
        if self.fuse is not None:
            left, happening = self.fuse
            self.fuse = (left - 1, happening) if left > 0 else None
            if left <= 0:
                happening()
        if not self.alive:
            raise Killed
        if self.world.slowness and self.machine.rng.random() < self.world.slowness:
            self.loop.sleep(self.machine.rng.uniform(0.01, 3.0))
        self._rest()

    def _rest(self) -> None:
        """Sleep while the machine does."""
        while (left := self.machine.asleep_until - self.loop.now) > 0:
            self.loop.sleep(left)
        if not self.alive:
            raise Killed

    def vault_called(self, _what: str, writing: bool) -> None:
        self.border()
        self.world.network_to_vault(self, writing, arrived=False)

    def vault_answered(self, _what: str, writing: bool) -> None:
        self.app.client.skew = timedelta(seconds=-self.machine.ahead_seconds)  # type: ignore[attr-defined]
        self.border()
        self.world.network_to_vault(self, writing, arrived=True)


class Timer:
    """Stands in for :class:`rotator.run.timer.Timer`: it waits by the steady clock, and looks at the other one then."""

    def __init__(self, process: Process, fire: Callable[[str], None]) -> None:
        self._process, self._fire = process, fire
        self._armed: dict[str, object] = {}

    def arm(self, name: str, at: datetime) -> None:
        order = self._armed[name] = object()
        self._wait(name, at, order)

    def _wait(self, name: str, at: datetime, order: object) -> None:
        machine = self._process.machine
        seconds = (at - machine.clock()).total_seconds()
        machine.loop.at(machine.loop.now + max(seconds, 1e-3), self._ring, name, at, order)

    def _ring(self, name: str, at: datetime, order: object) -> None:
        process, machine = self._process, self._process.machine
        if not process.alive or self._armed.get(name) is not order:
            return
        if machine.asleep_until > machine.loop.now:
            machine.loop.at(machine.asleep_until, self._ring, name, at, order)
        elif machine.clock() < at:
            self._wait(name, at, order)
        else:
            self._fire(name)
            process.pump()


class Client:
    """Stands in for :class:`rotator.vault.client.VaultClient`, as far as the daemon speaks to it itself."""

    settings = _SETTINGS

    def __init__(self) -> None:
        self.skew: timedelta | None = None

    def lease(self) -> Lease:
        return _LEASE

    def keep_alive(self, _now: datetime) -> None:
        """A root token needs no care."""

    def clock_skew(self) -> timedelta | None:
        return self.skew

    def close(self) -> None:
        """There is nothing to close."""


class Wire:
    """Stands in for :class:`rotator.salesforce.http.Wire`."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def __call__(self) -> Wire:
        return self

    def close(self) -> None:
        """There is nothing to close."""

    def send(self, method: str, url: str, **asked: Any) -> Reply:
        process, world = self._process, self._process.world
        process.border()
        org = world.orgs[str(urlsplit(url).hostname)]
        cut = org.weather.cuts and process.machine.rng.random() < org.weather.cuts
        lost = Transient(
            f"{org.host} did not answer in time",
            code="salesforce.unreachable",
            maybe_done=method not in ("GET", "HEAD"),
        )
        if cut and process.machine.rng.random() < 0.5:
            raise lost
        reply = org.answer(method, url, asked)
        process.border()
        if cut:
            raise lost
        return reply


class Files:
    """Stands in for the metadata files of an app."""

    api_version = "66.0"

    def __init__(self, app: str, pem: str) -> None:
        self._app, self._pem = app, pem

    def certificate_der(self) -> bytes | None:
        from rotator.salesforce.appxml import certificate_der

        return certificate_der(self._pem) if self._pem else None

    def with_certificate(self, certificate_pem: str) -> Files:
        return Files(self._app, certificate_pem)

    def package(self) -> bytes:
        return f"{self._app}\n{self._pem}".encode()


def _application(process: Process) -> Application:
    """Put the parts together, as :func:`rotator.app.application` does."""
    machine, world = process.machine, process.world
    configuration: Configuration = world.configuration
    client: Any = Client()
    kv: Any = Kv(world.vault, process.vault_called, process.vault_answered)
    documents = Documents(client, kv)
    wires: Any = Wire(process)
    budget = LoginBudget(clock=machine.steady)
    tools = Toolbox(documents, wires, budget, machine.clock, make_pair=world.make_pair, load_key=load_key)
    driver = Driver(tools, configuration.fleet)
    for name, credential in configuration.credentials.items():
        station = driver.stations[name] = station_of(credential, tools, driver)
        if hasattr(station.publisher, "_retrieve"):
            station.publisher._retrieve = _retriever(world, wires, name)
    return Application(configuration, client, documents, tools, driver)


def _retriever(world: World, wires: Any, name: str) -> Callable[..., Files]:
    def retrieve(session: Session, _until: datetime, _version: str = "") -> Files:
        query_accounts(wires(), session)  # the session is needed for it
        app = world.app(name)
        return Files(app.name, app.pem)

    return retrieve


def _end(task: greenlet) -> None:
    if not task.dead:
        task.throw(Killed)


__all__ = ["BASE", "Loop", "Machine", "Maker", "Process"]
