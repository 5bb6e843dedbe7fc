"""Do everything that is due, see changes through to their end, and stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from rotator.app import Application
from rotator.core.effects import Do, Wait
from rotator.core.model import PauseKind, Phase, Record
from rotator.errors import RotatorError
from rotator.performer.station import Station
from rotator.run.weather import is_of_one_credential, pause_after
from rotator.standing import waits_for_person

Told = Callable[[str, Do | Wait], None]

TOKENS = ("mint:", "touch:")
PROOFS = "prove:"
LONGEST_WAIT_SECONDS = 1.0
MOMENT_SECONDS = 0.01
MOST_FAILURES = 5
"""What failed so often in a row, with growing pauses, is left to a later run."""


def run_to_rest(
    app: Application,
    names: Sequence[str] | None = None,
    *,
    told: Told | None = None,
    stop: threading.Event | None = None,
) -> list[str]:
    """Step each credential until nothing is due and no change is under way; return those that are not well.

    Changes are seen through, however long they take, except where a person is waited for or where something fails
    again and again: then the record says where to go on. Raises RotatorError when Vault does not answer.
    """
    chosen = list(app.driver.stations) if names is None else list(names)
    stop = stop or threading.Event()
    if not chosen:
        return []
    with ThreadPoolExecutor(min(app.configuration.fleet.workers, len(chosen))) as pool:
        done = list(pool.map(lambda name: _to_rest(app, name, told, stop), chosen))
    return [name for name, well in zip(chosen, done, strict=True) if not well]


def _to_rest(app: Application, name: str, told: Told | None, stop: threading.Event) -> bool:
    station, failures, unanswered = app.driver.stations[name], 0, ""
    while not stop.is_set():
        try:
            decision = app.driver.step(name) if unanswered else _step(app, station, stop)
        except RotatorError as error:
            station.sentence = error.message
            if station.waiting is not None:  # perhaps it could not be answered: tokens go on without
                station.waiting, unanswered = None, error.message
                continue
            if is_of_one_credential(error):
                return False
            pause = pause_after(error, failures, station.terms)
            failures += 1
            if failures >= MOST_FAILURES:
                raise
            stop.wait(pause.total_seconds())
            continue
        failures = 0
        if told is not None:
            told(name, decision)
        if isinstance(decision, Wait):
            if at_rest(station.record, station) or in_vain(station, datetime.now(UTC)):
                break
            _wait(decision, stop)
    if unanswered:
        station.sentence = unanswered
        return False
    return is_well(station)


def _step(app: Application, station: Station, stop: threading.Event) -> Do | Wait:
    try:
        while not app.driver.look_for_request(station):
            if stop.wait(MOMENT_SECONDS):  # another thread reads the deployer, on whom the answer may depend
                return Wait(None, "a stop was asked for")
    except RotatorError as error:
        if not is_of_one_credential(error):
            raise
        station.waiting = None  # nobody can read it; whoever asked is told so by the command
    return app.driver.step(station.name)


def is_well(station: Station) -> bool:
    """Tell whether a credential is served as it should be, as far as this run has seen."""
    record = station.record
    lost = record.phase is Phase.LOCKED_OUT or _is_foreign(record)
    return not record.trouble and not lost and at_rest(record, station)


def at_rest(record: Record, station: Station) -> bool:
    """Tell whether nothing goes on that ends by itself soon."""
    if record.phase in (Phase.EMPTY, Phase.LOCKED_OUT) or _is_foreign(record):
        return True
    if record.phase is Phase.STEADY:
        return not any(held.failures for action, held in station.held.items() if action.startswith(TOKENS))
    return waits_for_person(record, station.terms, datetime.now(UTC))


def _is_foreign(record: Record) -> bool:
    """Tell whether a person has to say which org or app is meant."""
    return record.paused is not None and record.paused.kind is PauseKind.IDENTITY


def in_vain(station: Station, now: datetime) -> bool:
    """Tell whether something fails again and again, or a change that has sent nothing yet is kept from it for long.

    Proofs have a deadline of their own: keys are refused while a certificate spreads.
    """
    change = station.record.change
    if change is not None and not change.asked and now > change.began + station.terms.deploy_deadline:
        return True
    return any(
        held.failures >= MOST_FAILURES
        for action, held in station.held.items()
        if not action.startswith(PROOFS)
    )


def _wait(decision: Wait, stop: threading.Event) -> None:
    left = LONGEST_WAIT_SECONDS
    if decision.until is not None:
        left = min(left, (decision.until - datetime.now(UTC)).total_seconds())
    stop.wait(max(left, MOMENT_SECONDS))
