"""Ask the daemon for something: leave a request in Vault, wait for its answer in the record, follow the change.

Whoever looks for requests may answer: a daemon, or any process that steps the credential (:func:`answer_here`).
"""

from __future__ import annotations

import getpass
import platform
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from rotator.app import Application
from rotator.core import timing
from rotator.core.model import Answered, Ask, Entry, Phase, Record, Request
from rotator.core.requests import answer_to
from rotator.errors import RotatorError, Transient
from rotator.performer import Station
from rotator.run.once import run_to_rest
from rotator.run.weather import is_of_one_credential
from rotator.secret import Secret
from rotator.vault.documents import Documents

LOOK_EVERY_SECONDS = 0.25
PATIENCE_WITH_VAULT = timedelta(minutes=1)
"""For how long a Vault that does not answer is waited for, while a change is followed."""


def ask(documents: Documents, name: str, what: Ask, payload: dict[str, Secret] | None = None) -> Request:
    """Leave a request for a credential, meant for what its record says now. Raises Conflict when one waits already."""
    record, _version = documents.read_record(name)
    request = Request(uuid.uuid4().hex, what, record.newest, datetime.now(UTC), asker())
    documents.write_request(name, request, payload)
    return request


def asker() -> str:
    """Return who asks, as this machine knows it: for the log, nobody checks it."""
    with suppress(OSError, KeyError):  # a user without an entry in the user database
        return f"{getpass.getuser()}@{platform.node()}"
    return platform.node()


def patience(reconcile_every: timedelta) -> timedelta:
    """Return how long an answer is waited for: a daemon looks for requests every ``reconcile_every``."""
    return 2 * reconcile_every + timedelta(seconds=3)


def await_answer(
    documents: Documents, name: str, request: Request, within: timedelta, meanwhile: Callable[[], None]
) -> Answered | None:
    """Return what was said to a request; None if nobody answers in time.

    ``meanwhile`` is called between looks, and may raise.
    """
    give_up = time.monotonic() + within.total_seconds()
    while True:
        record, _version = documents.read_record(name)
        if (said := answer_to(request, record)) is not None:
            return said
        if time.monotonic() >= give_up:
            return None
        meanwhile()
        time.sleep(LOOK_EVERY_SECONDS)


def unanswered(documents: Documents, name: str) -> Request | None:
    """Return the request that waits for a credential; None if none does, or if it was answered already.

    The record is read after the request, so that an answer that comes in between is seen.
    """
    waiting = documents.read_request(name)
    if waiting is None or answer_to(waiting.request, documents.read_record(name)[0]) is not None:
        return None
    return waiting.request


@contextmanager
def answer_here(app: Application, name: str) -> Iterator[Future[list[str]]]:
    """Do meanwhile, in a thread, what a daemon would do for a credential, until it comes to rest."""
    acquaint(app, [name])
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(run_to_rest, app, [name], stop=stop)
        try:
            yield future
        finally:
            stop.set()


def acquaint(
    app: Application, names: Sequence[str] = (), read: Callable[[Station], None] | None = None
) -> None:
    """Read the records that a decision about some credentials (or all) needs.

    A deployer must be steady for its credentials to be changed. What is due depends on the whole fleet: brake, ranks,
    slots. ``read`` stands in for the driver's own way to read.
    """
    stations, read = app.driver.stations, read or app.driver.refresh

    def look(station: Station) -> None:
        try:
            read(station)
        except RotatorError as error:  # whoever steps that credential meets it again, and tells
            if not is_of_one_credential(error):
                raise

    chosen = [stations[name] for name in names or stations]
    with ThreadPoolExecutor(app.configuration.fleet.workers) as pool:
        list(pool.map(look, chosen))
        deployers = {station.config.deployer_name for station in chosen}
        others = [station for name, station in stations.items() if station not in chosen]
        if not any(_is_due(station, datetime.now(UTC)) for station in chosen):
            others = [station for station in others if station.name in deployers]
        list(pool.map(look, others))


def _is_due(station: Station, now: datetime) -> bool:
    due = timing.due_at(station.record, station.terms)
    return due is not None and now >= due


def records(documents: Documents, name: str) -> Iterator[Record]:
    """Yield the record again and again; a Vault that does not answer for a while is waited for."""
    lost_at: float | None = None
    while True:
        try:
            record, _version = documents.read_record(name)
        except Transient:
            lost_at = lost_at or time.monotonic()
            if time.monotonic() > lost_at + PATIENCE_WITH_VAULT.total_seconds():
                raise
        else:
            lost_at = None
            yield record
        time.sleep(LOOK_EVERY_SECONDS)


def ended(record: Record, since: datetime) -> tuple[Entry, ...]:
    """Return the changes that ended at or after a time."""
    return tuple(entry for entry in record.history if entry.ended >= since)


def is_over(record: Record) -> bool:
    """Tell whether no change is under way."""
    return record.phase in (Phase.STEADY, Phase.EMPTY)
