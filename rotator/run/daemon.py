"""The daemon: timer, ready queue and workers."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from rotator import __version__, events
from rotator.app import Application, application
from rotator.config import Configuration, Problem
from rotator.core.effects import Do
from rotator.core.model import Trouble
from rotator.core.timing import due_at
from rotator.errors import RotatorError
from rotator.performer import Driver, Station
from rotator.performer.fleet import is_rotating
from rotator.performer.tell import iso
from rotator.run import lifesign
from rotator.run.crew import Crew
from rotator.run.members import Members
from rotator.run.notify import Notifier
from rotator.run.pulse import Pulse
from rotator.run.ready import Ready
from rotator.run.reload import reread, tell_problems
from rotator.run.rounds import Rounds
from rotator.run.sight import sight
from rotator.run.timer import Timer
from rotator.run.weather import VaultWeather, is_of_one_credential, pause_after
from rotator.show import logs
from rotator.show.logs import emit
from rotator.vault.refusals import PERMISSION_DENIED
from rotator.web import Port

BEAT = timedelta(seconds=1)
STOP_SECONDS = 15.0
"""How long a stop waits for steps under way. What they leave half-way the record knows."""

SURPRISE = timedelta(minutes=1)
"""When a credential is tried again after an error that nobody foresaw."""

SOONEST = timedelta(milliseconds=10)


def serve(
    configuration: Configuration,
    problems: Sequence[Problem] = (),
    *,
    notifier: Notifier | None = None,
    token_file: Path | None = None,
) -> int:
    """Run until SIGTERM or SIGINT, and return the exit code. SIGHUP reads the configuration again.

    Signals only leave a note: ``SimpleQueue.put`` may be called within a signal handler.
    """
    notifier = notifier or Notifier.from_environment()
    sign = lifesign.place(configuration.file)
    caught: SimpleQueue[int] = SimpleQueue()

    def note(number: int, _frame: FrameType | None) -> None:
        caught.put(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, note)
    logs.configure(format=configuration.log.format, level=configuration.log.level)
    with Port() as port, application(configuration, token_file) as app:
        daemon = Daemon(app, notifier, sign)
        daemon.flaws = tell_problems(configuration, problems)
        daemon.problems = tuple(problems)
        daemon.start()
        port.show(sight(daemon), daemon.is_alive)
        port.serve(configuration.web)
        while (asked := _wait_for_signal(caught, daemon, port)) == signal.SIGHUP:
            reread(daemon)
            port.serve(app.configuration.web)
        notifier.stopping()
        finished = daemon.stop(signal.Signals(asked).name)
    lifesign.withdraw(sign)
    if not finished:
        os._exit(0)  # a call that hangs would hold the interpreter; the record knows what is half-way
    return 0


def _wait_for_signal(caught: SimpleQueue[int], daemon: Daemon, port: Port) -> int:
    while True:
        try:
            return caught.get(timeout=BEAT.total_seconds())
        except Empty:
            daemon.timer.follow_clock()
            port.keep()


class Daemon:
    """Serves the credentials of an application.

    Attributes:
        flaws: what is wrong with the configuration file, in a few words, until it is mended.
        refusal: why the configuration as it was read last is not in force; None if it is.
    """

    def __init__(
        self,
        app: Application,
        notifier: Notifier,
        sign: Path | None = None,
        *,
        timer: Callable[[Callable[[str], None]], Timer] = Timer,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing runs yet.

        Args:
            sign: the file that shows that we are alive.
            timer: makes what calls back when the time of a name has come.
            steady: a clock that nobody sets, in seconds. The other one is that of the toolbox.
        """
        self.app, self.notifier, self.sign = app, notifier, sign
        self.stations = app.driver.stations
        self.clock, self.steady = app.tools.clock, steady
        self.ready = Ready(self._host_of, _most_per_host(self.workers))
        self.crew = Crew(self.ready, self.serve)
        self.members = Members(self)
        self.timer = timer(self.offer)
        self.weather = VaultWeather(steady)
        app.documents.watch_writes(self.weather.wrote)
        self.rounds = Rounds(self)
        self.pulse = Pulse(self)
        self.due: dict[str, datetime] = {}
        self.asked: set[str] = set()
        self.steps = 0
        self.beaten_at = steady()
        self._failures: Counter[str] = Counter()
        self._told: dict[tuple[str, str], tuple[str, str]] = {}  # credential, document -> code, what is wrong
        self._unsigned = False
        self.flaws = ""
        self.refusal: Trouble | None = None
        self.problems: tuple[Problem, ...] = ()
        self.loaded_at = self.clock()

    @property
    def driver(self) -> Driver:
        """What does the steps that begin now."""
        return self.app.driver

    @property
    def workers(self) -> int:
        return self.app.configuration.fleet.workers

    @property
    def reconcile_every(self) -> timedelta:
        return self.app.configuration.fleet.reconcile_every

    def renew(self, configuration: Configuration) -> None:
        """Go on by another configuration; whoever depends on one learns here that it changed.

        Only what must changes: credentials whose settings are the same notice nothing, the others are brought up to
        date by the workers between two steps (:class:`Members`). Raises RotatorError for a secret or CA file that can't
        be read; then nothing has changed.
        """
        client, before = self.app.client, self.app.configuration.fleet
        self.members.follow(configuration)
        if self.app.client is not client:
            self.app.documents.watch_writes(self.weather.wrote)
            self.rounds.keep_lease_of(self.app.client)
        if self.workers != before.workers:
            self.ready.most_per_host = _most_per_host(self.workers)
            self.crew.resize(self.workers)
        if self.reconcile_every != before.reconcile_every:
            self.timer.every(self.reconcile_every, self.rounds.go, executor="rounds")

    def unusable(self) -> dict[str, tuple[str, str]]:
        """Return the credentials whose record cannot be used: code and what is wrong."""
        return {name: said for (name, document), said in tuple(self._told.items()) if document == "record"}

    # -- life ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to serve. Does not wait for Vault: a sealed Vault at boot must not make a restart loop."""
        emit(
            events.DAEMON_STARTED,
            version=__version__,
            config=str(self.app.configuration.file),
            credentials=len(self.stations),
            workers=self.workers,
        )
        self.crew.resize(self.workers)
        self.timer.every(BEAT, self.beat, executor="beat")
        self.timer.every(self.reconcile_every, self.rounds.go, executor="rounds")
        self.timer.start()
        self.take_up_all()
        self.notifier.ready()
        self.notifier.status(self.rounds.sentence())

    def stop(self, cause: str) -> bool:
        """Finish the steps under way, and return whether all came to an end in time."""
        began = time.monotonic()
        emit(events.DAEMON_STOPPING, signal=cause, steps=self.ready.sizes()[1])
        self.ready.close()
        self.timer.stop()
        ended = self.crew.join(STOP_SECONDS)
        finished = self.rounds.wait(max(0.0, began + STOP_SECONDS - time.monotonic())) and ended
        took = round(time.monotonic() - began, 3)
        emit(events.DAEMON_STOPPED, seconds=took, steps=self.steps)
        return finished

    def beat(self) -> None:
        """Feed the watchdog and give a sign of life, if all moves. Called by the timer, so a timer that died feeds nobody."""
        if self.pulse.beat():
            self.beaten_at = self.steady()
            self.notifier.alive()
            self._give_sign()

    def is_alive(self) -> bool:
        """Tell whether all moved a moment ago, as `rotator alive` does. Waits for nobody."""
        return lifesign.is_fresh(self.steady() - self.beaten_at)

    def _give_sign(self) -> None:
        if self.sign is None:
            return
        try:
            lifesign.give(self.sign)
        except OSError as error:
            if not self._unsigned:
                emit(events.LIFE_SIGN_FAILED, file=str(self.sign), error=error.strerror or str(error))
            self._unsigned = True
        else:
            self._unsigned = False

    # -- steps --------------------------------------------------------------------------------------------------

    def offer(self, name: str) -> None:
        """Let a credential have a step; the sooner its first token runs out, the earlier.

        Those that have run out take turns: in an org that hangs the first of them would let no other have a step.
        """
        station, now = self.stations.get(name), self.clock()
        if station is None:
            return
        published = tuple(station.tokens.values())
        ends = min((token.expires_at for token, _version in published if token is not None), default=now)
        self.ready.offer(name, max(ends, now))

    def offer_all(self) -> None:
        """Let every credential have a step."""
        for name in tuple(self.stations):
            self.offer(name)

    def take_up_all(self) -> None:
        """Let every credential have a step, and each look for a request that waits for it."""
        self.asked.update(self.stations)
        self.offer_all()

    def forget(self, name: str) -> None:
        """Have nothing to do with a credential any more. To be called between two steps of it."""
        self.driver.forget(name)
        self.timer.disarm(name)
        self.due.pop(name, None)
        self.asked.discard(name)
        self._failures.pop(name, None)
        for document in ("record", "request"):
            self._told.pop((name, document), None)

    def serve(self, name: str) -> None:
        """Do a step for a credential that was taken out of the ready queue, and see to its next one.

        The next time is set while nobody else can have the credential: no later step sets an earlier one.
        """
        try:
            if not self.members.settle(name):
                return
            again = self._timed_step(name)
            self.due[name] = again
            if again > self.clock():
                self.timer.arm(name, again)
            else:
                self.offer(name)
        except Exception as error:  # noqa: BLE001 - the round takes the credential up again
            self._surprised(name, error)
        finally:
            self.ready.done(name)

    def _timed_step(self, name: str) -> datetime:
        """Do one step, tell how late it came and how long it took, and return when the next one is due."""
        due, now, began = self.due.get(name), self.clock(), self.steady()
        again = self._step(name)
        told: dict[str, Any] = {"credential": name, "seconds": round(self.steady() - began, 4)}
        if due is not None and now >= due:
            told["late_seconds"] = round((now - due).total_seconds(), 4)
        emit(events.STEP_TAKEN, **told)
        return again

    def _step(self, name: str) -> datetime:
        """Do one step, and return when the next one is due."""
        station = self.stations[name]
        self.steps += 1
        try:
            if name in self.asked:
                self.look_for_request(station)
            decision = self.driver.step(name)
        except RotatorError as error:
            emit(events.STEP_HINDERED, credential=name, code=error.code, policy=error.policy)
            return self._failed(station, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other credentials go on
            return self._surprised(name, error)
        self._failures.pop(name, None)
        code, _message = self._told.get((name, "record"), ("", ""))
        # A step does not show that it may write the record: it may have written a token alone, or nothing.
        if code != PERMISSION_DENIED or self.driver.may_write(station):
            self._tell_usable(name, "record")
        now = self.clock()
        if isinstance(decision, Do):
            return now
        soon = now + self.reconcile_every
        until = soon if decision.until is None else max(decision.until, now + SOONEST)
        return min(until, soon) if _waits_for_others(station, now) else until

    def look_for_request(self, station: Station) -> None:
        """Read the request that waits for a credential. One that can't be read is told, and keeps nobody from work."""
        try:
            looked = self.driver.look_for_request(station)
        except RotatorError as error:
            station.waiting = None
            if is_of_one_credential(error):
                self._tell_unusable(station.name, "request", error)
                self.asked.discard(station.name)
            return
        self._tell_usable(station.name, "request")
        if looked and station.waiting is None:
            self.asked.discard(station.name)

    def _failed(self, station: Station, error: RotatorError) -> datetime:
        """Tell that Vault failed, and return when to try again.

        Where a request may be what could not be answered, tokens have their turn before the next round finds it again.
        """
        if station.waiting is not None:
            station.waiting = None
            self.asked.discard(station.name)
            pause = timedelta(seconds=error.retry_after_seconds or 0.0)
        else:
            pause = pause_after(error, self._failures[station.name], station.terms)
            self._failures[station.name] += 1
        station.sentence = error.message
        if is_of_one_credential(error):
            self._tell_unusable(station.name, "record", error)
        else:
            self.weather.failed(error)
        return self.clock() + pause

    def _tell_unusable(self, name: str, document: str, error: RotatorError) -> None:
        """Tell once what is wrong with a document of one credential; a right that all lack is told once for all."""
        denied = error.code == PERMISSION_DENIED
        code, message = self._told.get((name, document), ("", ""))
        if message == error.message or (
            denied and (code == PERMISSION_DENIED or self.weather.tells(PERMISSION_DENIED))
        ):
            return
        self._told[name, document] = (error.code, error.message)
        event = events.VAULT_PERMISSION_DENIED if denied else events.VAULT_DOCUMENT_UNUSABLE
        emit(event, credential=name, code=error.code, message=error.message, hint=error.hint)

    def _tell_usable(self, name: str, document: str) -> None:
        """Tell that it is over, if something was told."""
        if self._told.pop((name, document), None) is not None:
            emit(events.VAULT_DOCUMENT_USABLE, credential=name)

    def _surprised(self, name: str, error: Exception) -> datetime:
        again = self.due[name] = self.clock() + SURPRISE
        emit(
            events.STEP_FAILED,
            credential=name,
            error=type(error).__name__,
            not_before=iso(again),
            exc_info=error,
        )
        return again

    def _host_of(self, name: str) -> str:
        station = self.stations.get(name)
        return "" if station is None else urlsplit(station.config.login_url).netloc


def _most_per_host(workers: int) -> int:
    """Return how many workers one org may have: one that hangs on every call does not hold them all."""
    return max(1, workers * 3 // 4)


def _waits_for_others(station: Station, now: datetime) -> bool:
    """Tell whether something outside may let a credential go on at any time: the fleet, its deployer, a person."""
    due = due_at(station.record, station.terms)
    return is_rotating(station.record) or (due is not None and now >= due)
