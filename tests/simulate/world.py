"""Everything that a story plays with: orgs, Vault, machines, people, and the time."""

from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from rotator.config import CredentialConfig
from rotator.core.model import Ask, Phase, Record, Request
from rotator.core.timing import by_hand
from rotator.errors import Transient
from rotator.vault import documents
from rotator.vault.codec import KeyDocument, RequestDocument, TokenDocument
from tests.simulate import fleet
from tests.simulate.adapters import BASE
from tests.simulate.fleet import DEPLOYER
from tests.simulate.keys import Maker, fingerprint_of
from tests.simulate.loop import DAY, HOUR, Loop
from tests.simulate.machine import Machine
from tests.simulate.org import Org
from tests.simulate.process import Process
from tests.simulate.sessions import App
from tests.simulate.vault import Entry, Vault

if TYPE_CHECKING:
    from tests.simulate.drama import Mishap, Plot

ALWAYS = float("-inf")
PERSON_TAKES = 0.7 * HOUR
"""From the alert that a certificate is to be brought in to that it is there."""

LOCKED_OUT_FOR = 8 * HOUR
"""From the alert that no kept key is taken to that a person brings in the certificate that it names."""


def _needs_a_person(record: Record) -> bool:
    """Tell whether only a person can bring in the certificate: the org takes no key, or who deploys cannot log in."""
    trouble = record.trouble_of("change")
    unfinished = trouble is not None and trouble.code == "deploy.unfinished"
    return record.phase is Phase.LOCKED_OUT or unfinished


class World:
    """One story's world.

    Attributes:
        configuration: what it is as a rule.
        in_force: what it is at the moment.
        slowness: share of the calls that take time.
        lost_replies: share of the writes to Vault whose answer is lost.
        cut_off: machines that do not reach Vault.
        busy: called with the name of a machine that works without end.
        meets: called with a mishap when it happens later than it began.
        entered: called with (credential, phase) when a record comes into another phase.
        begun: credentials for which somebody wanted a first key.
        rescued: when a person brought a certificate in because a backup had taken away the keys that the org took.
    """

    def __init__(self, plot: Plot) -> None:
        self.plot, self.seed = plot, plot.seed
        self.loop = Loop()
        self.rng = random.Random(f"{plot.seed}:world")  # noqa: S311 - repeatable
        self.names = plot.names
        self.configuration = fleet.configuration(
            plot.style, plot.names, deployer_rotates=plot.deployer_rotates
        )
        self.in_force = self.configuration
        self.make_pair = Maker()
        self.vault = Vault(lambda: self.loop.now)
        self.vault.heard.append(self._heard)
        self.slowness = 0.25 if plot.daemons > 1 else 0.01
        self.lost_replies = 0.0
        self.cut_off: set[str] = set()
        self.phases: dict[str, Phase] = {}
        self.entered: list[Callable[[str, Phase], None]] = []
        self.records: list[Callable[[str, Record | None, Record], None]] = []
        self.published: list[Callable[[str, str, TokenDocument | None], None]] = []
        self.counts: Counter[str] = Counter()
        self._digest = hashlib.sha256()
        self.lines: list[tuple[float, str]] = []
        self.busy: Callable[[str], None] = lambda _machine: None
        self.meets: Callable[[Mishap], None] = lambda _mishap: None
        self.restorations: set[float] = set()
        self.begun: set[str] = set()
        self.rescued: defaultdict[str, list[float]] = defaultdict(list)
        self.clocks_set: list[float] = []
        self._asked = 0
        org = self._org()
        self.orgs = {org.host: org}
        self.org = org
        for name in (*self.names, DEPLOYER):
            self._settle_in(name, empty=name in plot.empty)
        self.machines = [Machine(self, f"machine {number}") for number in range(1, plot.daemons + 1)]

    def _org(self) -> Org:
        timeout = self.configuration.credentials[self.names[0]].session.timeout.total_seconds()
        return Org(self.loop, self.rng, fleet.host(), "00D000000000001AAA", timeout)

    def _settle_in(self, name: str, *, empty: bool) -> None:
        """Give a credential its app, and, unless it begins empty, its first key pair."""
        config, org = self.configuration.credentials[name], self.org
        app = org.apps[fleet.consumer_key(name)] = App(
            fleet.app_name(name), fleet.consumer_key(name), config.usernames, config.session.format == "jwt"
        )
        self.phases[name] = Phase.EMPTY
        foreign = self._pair(name, 0, timedelta(days=1))
        org.install(app, foreign[1], foreign[0], arrivals=(ALWAYS,))
        if empty:
            return
        # As if made some time ago, so that the fleet is not due all at once.
        left = config.key.lifetime * (self.rng.random() if config.deploy.publisher != "manual" else 1)
        fingerprint, pem = self._pair(name, 1, left)
        facts = documents.KeyPair(documents.Secret(fingerprint), pem).facts(1)
        key = documents.KEY.encode(KeyDocument(documents.Secret(fingerprint), pem))
        self.vault.put(f"{BASE}/{name}/keys/1", Entry(1, {1: key}, 1))
        record = Record(phase=Phase.STEADY, newest=1, current=1, keys=(facts,))
        self.vault.put(f"{BASE}/{name}/record", Entry(1, {1: documents.RECORD.encode(record)}, 5))
        org.install(app, pem, fingerprint, arrivals=(ALWAYS,))

    def _pair(self, name: str, serial: int, lifetime: timedelta) -> tuple[str, str]:
        made = self.make_pair(
            bits=2048, subject={}, lifetime=lifetime, credential=name, serial=serial, now=self.loop.date()
        )
        return fingerprint_of(made.certificate_pem), made.certificate_pem

    def configure(self, name: str, settings: CredentialConfig | None) -> None:
        """Put a credential into the configuration, or take it out, and let all daemons read that."""
        others = {other: one for other, one in self.in_force.credentials.items() if other != name}
        chosen = others if settings is None else {**others, name: settings}
        self.in_force = self.in_force.model_copy(update={"credentials": chosen})
        for machine in self.machines:
            machine.reload()

    # -- telling --------------------------------------------------------------------------------------------------

    def tell(self, line: str) -> None:
        """Add a line to the story."""
        self._digest.update(f"{self.loop.now:.6f} {line}\n".encode())
        if self.plot.telling:
            self.lines.append((self.loop.now, line))

    def digest(self) -> str:
        """Return a hash of the whole story."""
        return self._digest.hexdigest()

    # -- what is in Vault -----------------------------------------------------------------------------------------

    def record(self, name: str) -> Record:
        data = self.vault.latest(f"{BASE}/{name}/record")
        return Record() if data is None else documents.RECORD.decode(data, name)

    def token(self, name: str, user: str) -> TokenDocument | None:
        data = self.vault.latest(f"{BASE}/{name}/tokens/{user}")
        return None if data is None else documents.TOKEN.decode(data, name)

    def keys(self, name: str) -> dict[int, KeyDocument]:
        """Return the living private keys of a credential."""
        found = self.vault.below(f"{BASE}/{name}/keys/")
        return {
            int(serial): documents.KEY.decode(data, serial)
            for serial, data in found
            if data != documents._TOMBSTONE
        }

    def app(self, name: str) -> App:
        return self.org.apps[fleet.consumer_key(name)]

    def name_of(self, app: App) -> str:
        return app.consumer_key.removeprefix(fleet.consumer_key(""))

    def _heard(self, path: str, entry: Entry, before: Entry | None) -> None:
        _base, name, what, *more = path.split("/")
        if what == "record":
            data = entry.data.get(entry.version)
            if data is None:
                return
            old = before.data.get(before.version) if before else None
            record = documents.RECORD.decode(data, path)
            self._record_written(name, old and documents.RECORD.decode(old, path), record)
        elif what == "tokens":
            data = entry.data.get(entry.version)
            document = documents.TOKEN.decode(data, path) if data is not None else None
            for heard in self.published:
                heard(name, more[0], document)
        elif what == "requests":
            for process in self.processes():
                process.want_round()

    def _record_written(self, name: str, before: Record | None, after: Record) -> None:
        change = after.change
        under_way = (
            f"{change.reason} to {change.target}, asked {change.asked}, {change.proofs} proofs"
            if change
            else ""
        )
        self.tell(f"{name}: {after.phase}, current {after.current} {under_way}")
        for heard in self.records:
            heard(name, before, after)
        if change is not None and _needs_a_person(after) and (before is None or not _needs_a_person(before)):
            self.loop.at(self.loop.now + LOCKED_OUT_FOR, self._let_in, name, change.target)
        if after.phase is not self.phases[name]:
            self.phases[name] = after.phase
            for entered in tuple(self.entered):
                entered(name, after.phase)
        begins = after.phase is Phase.PROVING and before is not None and before.phase is not Phase.PROVING
        if begins and change is not None and by_hand(change, self.configuration.credentials[name].terms()):
            self.loop.at(self.loop.now + PERSON_TAKES, self._bring_in, name, change.target)

    def _bring_in(self, name: str, serial: int) -> None:
        """A person puts the certificate that is waited for into the app."""
        record, keys = self.record(name), self.keys(name)
        if record.change is not None and record.change.target == serial and serial in keys:
            pem = keys[serial].certificate_pem
            self.tell(f"a person brings the certificate of key pair {serial} into {self.app(name).name}")
            self.org.install(self.app(name), pem, fingerprint_of(pem))
            if any(at > self.loop.now - DAY for at in self.restorations):
                self.rescued[name].append(self.loop.now)

    def _let_in(self, name: str, serial: int) -> None:
        if _needs_a_person(self.record(name)):
            self._bring_in(name, serial)

    # -- people ---------------------------------------------------------------------------------------------------

    def ask(self, name: str, what: Ask) -> bool:
        """Leave a request, as a command would; tell whether it could be left."""
        path = f"{BASE}/-/requests/{name}"
        if self.vault.away or self.vault.latest(path) is not None:
            return False
        self._asked += 1
        if what is Ask.INIT:
            self.begun.add(name)
        request = Request(
            f"request-{self._asked}", what, self.record(name).newest, self.loop.date(), "somebody"
        )
        data = documents.REQUEST.encode(RequestDocument(request, {}))
        self.vault.put(path, Entry(1, {1: data}, 1))
        return True

    def set_right(self) -> None:
        """Look after what a backup brought back, until nothing is left: a pause that was over, or no key at all."""
        wanted = {name: self._wanted(name) for name in (*self.names, DEPLOYER)}
        for name, what in wanted.items():
            if what is not None:
                self.ask(name, what)
        if any(wanted.values()):
            self.loop.at(self.loop.now + PERSON_TAKES, self.set_right)

    def _wanted(self, name: str) -> Ask | None:
        record = self.record(name)
        if record.paused is not None:
            return Ask.RESUME
        return Ask.INIT if record.phase is Phase.EMPTY and name in self.begun else None

    def clocks_differed(self, since: float) -> bool:
        """Tell whether any machine's clock was not true at any time since then."""
        wrong_now = any(machine.ahead_seconds for machine in self.machines)
        return wrong_now or any(at >= since for at in self.clocks_set)

    # -- processes ------------------------------------------------------------------------------------------------

    def processes(self) -> list[Process]:
        return [machine.process for machine in self.machines if machine.process is not None]

    def waits_for_round(self) -> bool:
        """Tell whether something waits that only a round sees."""
        return any(True for _ in self.vault.below(f"{BASE}/-/requests/"))

    def network_to_vault(self, process: Process, writing: bool, *, arrived: bool) -> None:
        """Raise what the network between a daemon and Vault does."""
        if process.machine.name in self.cut_off and not arrived:
            raise Transient("Vault cannot be reached", code="vault.unreachable", hint="Mend it.")
        if arrived and writing and self.lost_replies and process.machine.rng.random() < self.lost_replies:
            raise Transient(
                "Vault did not answer in time", code="vault.unreachable", maybe_done=True, hint="Mend it."
            )
