"""What the acts have in hand: the stage, the daemon, the consumers, the teller, and a way to wait."""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from rotator.app import Application
from rotator.core.model import Ask, Record, Request
from rotator.core.timing import due_at
from rotator.demo.consumers import Consumer
from rotator.demo.daemon import Daemon, LogLine
from rotator.demo.tellers import Seen, Signer, Teller, View
from rotator.demo.words import Narrator
from rotator.sandbox.stage import Stage

T = TypeVar("T")
_TICK_SECONDS = 0.1
_SHOW_EVERY_SECONDS = 0.25


class BrokenPromiseError(Exception):
    """Something that rotator promises did not happen; the message says what."""


class StoppedError(Exception):
    """A signal ended the story."""


@dataclass
class Scene:
    """Everything on the stage. Used by one thread.

    Attributes:
        operator: what an operator may do in Vault: look at records, and ask.
        ends_at: when the patience of the spectators is over, on the monotonic clock.
        seen: all that the daemons logged so far.
    """

    stage: Stage
    daemon: Daemon
    operator: Application
    consumers: list[Consumer]
    teller: Teller
    stopping: threading.Event
    began: float
    ends_at: float
    seen: list[LogLine] = field(default_factory=list)
    kills: int = 0
    _act: int = 0
    _shown_at: float = 0.0
    _narrator: Narrator = field(default_factory=Narrator)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def act(self, title: str) -> None:
        """Open the next act."""
        self._act += 1
        self.teller.act(self.seconds, self._act, title)

    def say(self, sentence: str) -> None:
        """Tell something that no log line tells."""
        self.teller.say(self.seconds, sentence, None)

    def record(self, credential: str) -> Record:
        """Return how a credential stands, as an operator sees it."""
        return self.operator.documents.read_record(credential)[0]

    def ask(self, credential: str, ask: Ask) -> None:
        """Ask the daemon for something, as an operator does."""
        serial = self.record(credential).newest
        request = Request(str(uuid.uuid4()), ask, serial, datetime.now(UTC), by="the operator")
        self.operator.documents.write_request(credential, request)

    def happened(self, event: str, since: int = 0, **fields: object) -> LogLine | None:
        """Return the first such line of the log from number ``since`` on."""
        for line in self.seen[since:]:
            if line["event"] == event and all(line.get(name) == value for name, value in fields.items()):
                return line
        return None

    def until(self, what: str, done: Callable[[], T | None]) -> T:
        """Let the story go on until ``done`` returns something, and return that.

        Raises BrokenPromiseError when it does not within the time of the spectators, or when the daemon ends.
        """
        while True:
            self.listen()
            found = done()
            if found is not None:
                return found
            if self.stopping.is_set():
                raise StoppedError
            if (code := self.daemon.ended) is not None:
                raise BrokenPromiseError(f"the daemon ended by itself (exit code {code}) before {what}")
            if time.monotonic() > self.ends_at:
                raise BrokenPromiseError(f"not in time: {what}")

    def pause(self, seconds: float) -> None:
        """Let the story go on for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.stopping.is_set():
            self.listen()

    def listen(self) -> None:
        """Tell what the daemon has logged meanwhile, and show how everything stands."""
        wait = True
        while True:
            try:
                line = (
                    self.daemon.lines.get(timeout=_TICK_SECONDS) if wait else self.daemon.lines.get_nowait()
                )
            except queue.Empty:
                break
            wait = False
            self.seen.append(line)
            if (sentence := self._narrator.sentence(line)) is not None:
                self.teller.say(self.seconds, sentence, line)
        if time.monotonic() >= self._shown_at + _SHOW_EVERY_SECONDS:
            self._shown_at = time.monotonic()
            self.teller.show(self.view())

    def view(self) -> View:
        return View(
            self.seconds,
            self._act,
            tuple(self._signer(name) for name in self.operator.configuration.credentials),
            tuple(_seen(consumer) for consumer in self.consumers),
        )

    def _signer(self, name: str) -> Signer:
        record, terms = self.record(name), self.operator.driver.stations[name].terms
        due = due_at(record, terms)
        left = None if due is None else round((due - datetime.now(UTC)).total_seconds(), 1)
        return Signer(name, record.phase, record.current, left)

    def figures(self) -> dict[str, Any]:
        """Return what the consumers went through."""
        return {
            "consumer_calls": sum(consumer.calls for consumer in self.consumers),
            "failed_consumer_calls": sum(consumer.failed for consumer in self.consumers),
        }


def _seen(consumer: Consumer) -> Seen:
    held = consumer.held
    return Seen(
        consumer.user,
        held.key_serial if held else None,
        held.sequence if held else None,
        consumer.calls,
        consumer.failed,
    )
