"""Drives steps: answers what they yield, for one credential at a time in each thread."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from rotator import events
from rotator.config import next_window
from rotator.config.model import FleetConfig
from rotator.core.effects import (
    Action,
    Answer,
    Call,
    CreateKey,
    Deploy,
    Destroy,
    Dismiss,
    Do,
    Kind,
    Load,
    Mint,
    Nothing,
    Perform,
    Poll,
    Probe,
    Prove,
    Revoke,
    Save,
    Touch,
    Validate,
    Wait,
)
from rotator.core.model import Record, Snapshot
from rotator.core.timing import held_until, pacing_key
from rotator.errors import Conflict, RotatorError
from rotator.performer import alarms, keys, proofs, tokens
from rotator.performer.fleet import Neighbours
from rotator.performer.station import Held, Station
from rotator.performer.tell import tell_action, tell_record
from rotator.performer.toolbox import Toolbox, answer_to, is_about_document
from rotator.show.logs import emit
from rotator.steps import step

RECORD_AGE = timedelta(minutes=15)
"""How long a record is believed without reading it again, so that a refresh costs a mint and a write.

What another daemon wrote is noticed by then; before anything is done about it, because a write over it is a conflict.
"""

VERSION_AGE = timedelta(seconds=1)
"""How long the version of a record is trusted to hold what was read or written: within a step, no longer.

After a backup it takes another daemon only a few writes to come to the same version again.
"""

VERSION_RETIRED = "salesforce.version_retired"


@dataclass
class Driver:
    """All credentials of this process, and how their steps are answered.

    Attributes:
        stations: may grow and shrink at any time; go through a copy.
    """

    tools: Toolbox
    neighbours: Neighbours
    stations: dict[str, Station]

    @classmethod
    def of(cls, tools: Toolbox, fleet: FleetConfig) -> Driver:
        """Return a driver of no credentials yet."""
        stations: dict[str, Station] = {}
        tools.stations = stations
        return cls(tools, Neighbours(stations, fleet), stations)

    def step(self, name: str) -> Do | Wait:
        """Do one step for a credential and return what was decided. Raises RotatorError when Vault does not answer.

        A conflict ends the step: somebody else wrote, and the next one decides anew.
        """
        station = self.stations[name]
        with station.lock:
            try:
                return self._drive(station)
            except Conflict as conflict:
                station.doubt()
                emit(events.VAULT_CONFLICT, credential=name, message=conflict.message)
                return Wait(self.tools.clock(), "somebody else wrote first")
            except Exception:
                station.doubt()
                raise

    def _drive(self, station: Station) -> Do | Wait:
        steps = step(station.name)
        answer: Any = None
        while True:
            try:
                call: Call = steps.send(answer)
            except StopIteration as stop:
                decision: Do | Wait = stop.value
                if isinstance(decision, Do):
                    station.unrecorded.pop(pacing_key(decision.action), None)
                station.sentence = decision.reason
                return decision
            answer = self._answer(station, call)

    def _answer(self, station: Station, call: Call) -> Any:
        match call:
            case Load():
                snapshot, now = self.snapshot(station), self.tools.clock()
                alarms.sound(station, snapshot, now)
                return snapshot, now
            case Save(record=record, version=version):
                return self._save(station, record, version)
            case Perform(action=action, busy_until=busy_until):
                answer = self._perform(station, action, busy_until)
                again = self._pace(station, action, answer)
                key, brought = pacing_key(action), (action, answer.kind, answer.code)
                if station.unrecorded.get(key) != brought:
                    tell_action(station, action, answer, again=again)
                station.unrecorded[key] = brought
                self._reconcile(station, action, answer)
                return answer

    def snapshot(self, station: Station) -> Snapshot:
        """Return all that a decision is made from. What was read a moment ago is not read again."""
        self.refresh(station)
        return self.known(station)

    def known(self, station: Station) -> Snapshot:
        """Return what a decision would be made from by what was read before. Asks nobody; any thread may call it."""
        now = self.tools.clock()
        window = station.config.rotation.window
        return Snapshot(
            record=station.record,
            version=station.version,
            terms=station.terms,
            tokens=station.facts(),
            request=station.waiting.request if station.waiting else None,
            window=next_window(window, now) if window is not None else None,
            fleet=self.neighbours.allowed(station, now, self.vault_skew_seconds()),
            held=station.held_back(),
            unreconciled=frozenset(station.unreconciled),
        )

    def refresh(self, station: Station) -> None:
        """Read the record and the tokens where they are not known, or not any more.

        Once all was read, a Vault that does not answer is no reason to stop: sessions are kept alive by what is
        known. Raises RotatorError before that, and for a document that can't be used.
        """
        known = station.read_at is not None and station.tokens.keys() >= set(station.terms.users)
        try:
            self._read(station)
        except RotatorError as error:
            if not known or is_about_document(error):
                raise

    def _read(self, station: Station) -> None:
        now = self.tools.clock()
        if station.read_at is None or station.doubted or now > station.read_at + RECORD_AGE:
            record, version = self.tools.documents.read_record(station.name)
            record = _still_leaked(record, station.record)
            if version < station.version or (version == station.version and record != station.record):
                self._went_back(station, version)
            station.record, station.version = record, version
            station.read_at, station.doubted = now, False
            self.neighbours.note(station, record)
        for user in station.terms.users:
            tokens.published(self.tools, station, user)

    def forget(self, name: str) -> None:
        """Know nothing any more of a credential that is not served any more."""
        self.stations.pop(name, None)
        self.neighbours.forget(name)
        self.tools.forget_key(name)

    def _went_back(self, station: Station, version: int) -> None:
        """Vault was restored: what it has is the truth, and of what was read before nothing but which keys leaked."""
        station.went_back("record", version=version, known_version=station.version)
        station.doubt()
        station.held = {}
        self.tools.forget_key(station.name)

    def _reconcile(self, station: Station, action: Action, answer: Answer) -> None:
        """Note what an answer shows of a Vault that was restored: that a key is lost, or that one is taken.

        A user whose token came by another kept key has one all the same; what the org holds is left to its refusals.
        """
        match action, answer.kind:
            case Probe(), _ if answer.lost is not None:
                station.went_back(f"keys/{answer.lost}")
            case Mint(user=user), Kind.OK:
                station.unreconciled.discard(user)
                if station.reconciles(answer.serial):
                    station.gone_back.clear()
                    emit(events.VAULT_RECONCILED, credential=station.name, serial=answer.serial)

    def acquaint(self, station: Station) -> bool:
        """Bring the record of another credential up to date, and return whether that could be. Never waits.

        Not while that one is in a step of its own: it may be who asks. Nor where its documents are in another Vault.
        """
        if station.place != self.tools.documents.place or not station.lock.acquire(blocking=False):
            return False
        try:
            self.refresh(station)
        finally:
            station.lock.release()
        return True

    def clock_jumped(self) -> None:
        """Forget what was to wait until a time, and how clocks differed: ours was set. All is read again."""
        for station in tuple(self.stations.values()):
            station.held = {}
            station.skew_seconds, station.signs_ahead = 0.0, timedelta(0)
            station.doubt()

    def forget_pacing(self, family: str) -> None:
        """Let be tried again at once what failed by a code of this family: what was in the way is gone."""
        for station in tuple(self.stations.values()):
            for held in tuple(station.held.values()):
                if held.code.startswith(family):
                    held.until = None

    def look_for_request(self, station: Station) -> bool:
        """Read the request that waits for a credential, if any, and return whether it could be looked for.

        Its answer may depend on the deployer, whose record is read first unless it was before. Where another thread
        reads that just now it cannot: look again in a moment. Raises RotatorError for a request that can't be read.
        """
        deployer = self.stations.get(station.config.deployer_name or "")
        if deployer is not None and deployer is not station and deployer.read_at is None:
            with suppress(RotatorError):  # the deployer's own step meets it again, and tells
                if not self.acquaint(deployer):
                    station.waiting = None
                    return False
        station.waiting = self.tools.documents.read_request(station.name)
        return True

    def may_write(self, station: Station) -> bool:
        """Tell whether Vault takes a write of the record, by writing it as it is; one that is not there is not made."""
        with station.lock:
            try:
                return station.version > 0 and self._save(station, station.record, station.version) > 0
            except RotatorError:
                return False

    def braked(self) -> list[str]:
        """Return the credentials whose failed rotations hold the fleet back; empty when the brake is off."""
        return self.neighbours.braked()

    def vault_skew_seconds(self) -> float:
        """Return Vault's clock minus ours; 0 before the first answer."""
        skew = self.tools.documents.clock_skew()
        return skew.total_seconds() if skew is not None else 0.0

    def _save(self, station: Station, record: Record, version: int) -> int:
        self._be_sure(station)
        before = station.record
        self.neighbours.take_slot(station, before, record, self.tools.clock())
        try:
            written = self.tools.documents.write_record(station.name, record, version)
        except Exception as error:
            self.neighbours.note(station, before)
            if isinstance(error, RotatorError) and not isinstance(error, Conflict):
                station.hold_telling(error, self.tools.clock())
            raise
        station.held.pop(pacing_key(Nothing()), None)
        station.record, station.version, station.read_at = record, written, self.tools.clock()
        station.doubted = False
        self.neighbours.note(station, record)
        if record.answered != before.answered:
            station.held = {}  # what an operator asked for is tried at once
        tell_record(station, before, record, lambda: self._target_certificate(station, record))
        return written

    def _be_sure(self, station: Station) -> None:
        """See that a version still is the record that is known of it. Raises Conflict when it is not.

        After a backup of Vault versions count on from an older one, and come to this one again by another way.
        """
        if station.read_at is None or self.tools.clock() <= station.read_at + VERSION_AGE:
            return
        read, version = self.tools.documents.read_record(station.name)
        if version == station.version and _still_leaked(read, station.record) != station.record:
            raise Conflict(
                "Vault was restored, and this version of the record is another one",
                code="vault.conflict",
                hint="The step is decided again from the record as it is now; there is nothing to do.",
            )

    def _target_certificate(self, station: Station, record: Record) -> str:
        """Return the certificate that a person may have to bring in; empty where it cannot be read now."""
        if record.change is None:
            return ""
        try:
            return self.tools.key_pair(station.name, record.change.target).certificate_pem
        except RotatorError:
            return ""

    def _perform(self, station: Station, action: Action, busy_until: datetime | None) -> Answer:
        began = time.perf_counter()
        failed: dict[str, Any] = {}
        try:
            answer = self._effect(station, action, busy_until)
        except Conflict:
            raise
        except RotatorError as error:
            if error.code == VERSION_RETIRED:
                station.api_version = None  # the newest is looked for again
            answer, failed = answer_to(error, self.tools.clock()), {"policy": error.policy}
        if not isinstance(action, Nothing):
            emit(
                events.EFFECT_DONE,
                credential=station.name,
                effect=pacing_key(action).partition(":")[0],
                answer=answer.kind.value,
                seconds=round(time.perf_counter() - began, 4),
                **failed,
            )
        return answer

    def _effect(self, station: Station, action: Action, busy_until: datetime | None) -> Answer:
        tools = self.tools
        match action:
            case Nothing():
                return Answer(Kind.OK, tools.clock())
            case Mint():
                return tokens.perform_mint(tools, station, action)
            case Revoke():
                return tokens.perform_revoke(tools, station, action)
            case Touch():
                return tokens.perform_touch(tools, station, action)
            case Prove():
                return proofs.perform_prove(tools, station, action)
            case Probe():
                return proofs.perform_probe(tools, station, action)
            case CreateKey():
                return keys.perform_create(tools, station, action)
            case Validate():
                return keys.perform_validate(tools, station, action)
            case Deploy():
                return keys.perform_deploy(tools, station, action, busy_until or tools.clock())
            case Poll():
                return keys.perform_poll(tools, station, action)
            case Destroy():
                return keys.perform_destroy(tools, station, action)
            case Dismiss():
                return keys.perform_dismiss(tools, station, action)

    def _pace(self, station: Station, action: Action, answer: Answer) -> bool:
        """Hold back the next try of an action, as its answer asks for; return whether it failed so before."""
        if isinstance(action, Nothing):
            return False
        held = station.held.setdefault(pacing_key(action), Held())
        held.until = held_until(action, answer, held.failures, station.record, station.terms)
        well = answer.kind in (Kind.OK, Kind.PENDING)
        again = not well and held.failures > 0 and held.code == answer.code
        held.failures = 0 if well else held.failures + 1
        held.code, held.message, held.hint = (
            ("", "", "") if well else (answer.code, answer.message, answer.hint)
        )
        held.asked = answer.not_before is not None
        match action, answer.kind:
            case Mint(user=user), Kind.OK:
                station.held.pop(pacing_key(Touch(user)), None)  # another token: it begins anew
            case Touch(user=user), Kind.REFUSED:
                mint = Mint(user, ())
                failing = station.failing(mint)
                if failing.failures and not failing.asked:
                    # The org answers, and its consumers are refused: what failed before does not hold this back.
                    station.held.pop(pacing_key(mint), None)  # the clock may be set just now
        return again


def _still_leaked(read: Record, known: Record) -> Record:
    """Return a record that was read, in which keys count as leaked that ever did: no backup undoes that.

    That it was restored does not always show: another daemon may have written over it.
    """
    leaked = {facts.fingerprint for facts in known.keys if facts.leaked}
    keys = tuple(replace(facts, leaked=facts.leaked or facts.fingerprint in leaked) for facts in read.keys)
    return replace(read, keys=keys)
