"""Looks at everything that happens, and says what must not be (the invariants of the design)."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from rotator.core.model import Entry as Ending
from rotator.core.model import Record
from rotator.core.outcome import Outcome
from rotator.core.timing import MOST_SKEW
from rotator.vault import documents
from rotator.vault.codec import TokenDocument
from tests.simulate.consumers import Consumers
from tests.simulate.disturbance import Disturbances
from tests.simulate.ending import unsettled
from tests.simulate.fleet import DEPLOYER
from tests.simulate.keys import fingerprint_of
from tests.simulate.promise import NOTICED_LATE, is_excused, noticed_by
from tests.simulate.sessions import App
from tests.simulate.vault import GONE, Entry

if TYPE_CHECKING:
    from tests.simulate.world import World


def _is_told(record: Record, user: str) -> bool:
    """Tell whether a record says that the published token of a user does not work."""
    return record.trouble_of(f"token:{user}") is not None


class Watch:
    """Watches one story.

    Attributes:
        violations: what must not be, with its time.
        detected: for each published token that died: after what part of ``session.verify_every`` the record, or another
            token, told so.
        restoring: Vault is being played back just now; what it forgets is not rotator's doing.
    """

    def __init__(self, world: World) -> None:
        self.world, self.loop = world, world.loop
        self.violations: list[tuple[float, str]] = []
        self.detected: list[float] = []
        self.disturbances = Disturbances()
        self.restoring = False
        self.ends: Counter[Outcome] = Counter()
        self.failed: Counter[str] = Counter()
        self.swaps = 0
        self.consumers: dict[tuple[str, str], Consumers] = {}
        self._dead: dict[tuple[str, str], float] = {}
        self._taken: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
        self._began: dict[str, tuple[object, float]] = {}
        self._endings: defaultdict[str, set[Ending]] = defaultdict(set)
        self._lost: set[str] = set()
        for name in world.names:
            for user in world.configuration.credentials[name].usernames:
                self.consumers[name, user] = Consumers(name, user)
        world.busy = lambda machine: self.wrong(f"the daemon on {machine} works without end")
        world.vault.heard.append(self._stored)
        world.records.append(self._recorded)
        world.published.append(self._published)
        world.org.sessions.ended.append(self._sessions_ended)
        world.org.minted.append(self._minted)
        world.org.installed.append(self._installed)

    def wrong(self, sentence: str) -> None:
        """Note a violation."""
        self.world.tell(f"WRONG: {sentence}")
        self.violations.append((self.loop.now, sentence))

    # -- keys -----------------------------------------------------------------------------------------------------

    def _stored(self, path: str, entry: Entry, before: Entry | None) -> None:
        _base, name, what, *more = path.split("/")
        if what != "keys" or before is None:
            return
        old, new = before.data.get(before.version), entry.data.get(entry.version)
        if old in (None, GONE, documents._TOMBSTONE) or new == old:
            return
        fingerprint = fingerprint_of(documents.KEY.decode(old, path).certificate_pem)
        if self.restoring:
            self._lost.add(fingerprint)
        elif new is GONE:
            self._destroyed(name, int(more[0]), fingerprint)

    def _destroyed(self, name: str, serial: int, fingerprint: str) -> None:
        """A key was destroyed: its certificate must not be in the org, nor on its way, and its time must be over."""
        world, record = self.world, self.world.record(name)
        app = world.app(name)
        self.world.tell(f"{name}: key pair {serial} is destroyed")
        slow_seconds = world.configuration.credentials[name].proof.slow_servers.total_seconds()
        if fingerprint in world.org.held_by(app, slow_seconds):
            self.wrong(f"{name}: key pair {serial} is destroyed while the org holds its certificate")
        if any(
            one.app == app.name and one.fingerprint == fingerprint for one in world.org.deploys.under_way()
        ):
            self.wrong(f"{name}: key pair {serial} is destroyed while its certificate is being deployed")
        if serial in (record.current, record.previous) or (record.change and serial == record.change.target):
            self.wrong(f"{name}: key pair {serial} is destroyed although it is needed")
        quarantine = world.configuration.credentials[name].rotation.quarantine
        for retired in record.retired:
            early = (
                retired.serial == serial
                and retired.handed_out
                and world.loop.date() + MOST_SKEW < retired.since + quarantine
            )
            if early:
                self.wrong(f"{name}: key pair {serial} is destroyed before its quarantine is over")

    def _installed(self, app: App, fingerprint: str, outsider: bool) -> None:
        """A certificate came into the org: its key must be in Vault, unless a restore of Vault took it away."""
        name = self.world.name_of(app)
        self.swaps += 1
        self.world.tell(f"{name}: the org gets certificate {fingerprint[:8]}")
        kept = {fingerprint_of(key.certificate_pem) for key in self.world.keys(name).values()}
        if not outsider and fingerprint not in kept | self._lost:
            self.wrong(f"{name}: the org gets certificate {fingerprint[:8]}, whose key is not in Vault")

    # -- records --------------------------------------------------------------------------------------------------

    def _minted(self, app: App, signer: str, taken: bool) -> None:
        if taken:
            self._taken[self.world.name_of(app)].append((self.loop.now, signer))

    def _recorded(self, name: str, before: Record | None, after: Record) -> None:
        change = after.change
        if change is not None and self._began.get(name, (None, 0))[0] != (change.target, change.began):
            self._began[name] = (change.target, change.began), self.loop.now  # or a backup brought it back
        if self.restoring:
            return
        if before is not None and len(after.history) and after.history[-1:] != before.history[-1:]:
            self._ended(name, before, after)
        elif before is not None and before.current != after.current:
            self.wrong(f"{name}: current went from {before.current} to {after.current} without a change")
        for trouble in after.trouble:
            kind, _, user = trouble.subject.partition(":")
            if kind == "token":
                self._detect(name, user)

    def _ended(self, name: str, before: Record, after: Record) -> None:
        entry = after.history[-1]
        if entry in self._endings[name] and self.world.restorations:
            return  # written by a daemon that a restore of Vault overtook: it ended, and was looked at, before
        self._endings[name].add(entry)
        self.ends[entry.outcome] += 1
        if not entry.outcome.by_proofs:
            if before.current != after.current:
                self.wrong(
                    f"{name}: current went to {after.current} by a change that ended as {entry.outcome}"
                )
            return
        if after.current != entry.target:
            self.wrong(f"{name}: key pair {entry.target} was proved, and current is {after.current}")
        facts = after.key(entry.target)
        since = self._began.get(name, (None, 0.0))[1]
        proofs = [
            at for at, signer in self._taken[name] if at >= since and facts and signer == facts.fingerprint
        ]
        proof = self.world.configuration.credentials[name].proof
        self._taken[name].clear()
        if any(at >= since for at in self.world.restorations):
            return  # a backup may bring back proofs that were counted before it: docs/reliability.md says so
        if len(proofs) < proof.count:
            self.wrong(
                f"{name}: key pair {entry.target} {entry.outcome} with {len(proofs)} proofs of {proof.count}"
            )
        elif self.world.clocks_differed(since):
            return  # clocks that differ measure no spans
        elif proofs[-1] - proofs[0] < proof.span.total_seconds() * 0.9:
            self.wrong(
                f"{name}: key pair {entry.target} {entry.outcome} with proofs within {proofs[-1] - proofs[0]:.0f} s"
            )

    # -- tokens ---------------------------------------------------------------------------------------------------

    def _published(self, name: str, user: str, document: TokenDocument | None) -> None:
        consumers = self.consumers.get((name, user))
        if consumers is None:
            return
        token = document.access_token.reveal() if document is not None else None
        if token == consumers.token:
            return
        if not self.restoring:
            self._detect(name, user)
        self.world.tell(f"{name}: another token for {user}")
        consumers.publish(token, self.loop.now)
        self._dead.pop((name, user), None)
        if token is not None:
            self._await_death(name, user, token)

    def _await_death(self, name: str, user: str, token: str) -> None:
        """Come back when a token is to die, as far as is known now."""
        if self.consumers[name, user].token != token or (name, user) in self._dead:
            return
        dead_at = self.world.org.sessions.dead_at(token)
        if dead_at > self.loop.now:
            self.loop.at(dead_at, self._await_death, name, user, token)
            return
        self._dead[name, user] = self.loop.now
        self.world.tell(f"{name}: the published token of {user} is dead")
        if _is_told(self.world.record(name), user):
            self._detect(name, user)
        self._must_be_noticed(name, user, token, self.loop.now)

    def _sessions_ended(self) -> None:
        for (name, user), consumers in self.consumers.items():
            if consumers.token is not None:
                self._await_death(name, user, consumers.token)

    def _detect(self, name: str, user: str) -> None:
        since = self._dead.get((name, user))
        if since is not None and since >= 0:
            verify_every = self.world.configuration.credentials[name].session.verify_every
            self.detected.append((self.loop.now - since) / verify_every.total_seconds())
            self._dead[name, user] = -1.0  # noted

    def _must_be_noticed(self, name: str, user: str, token: str, since: float) -> None:
        """From when a dead token must be noticed on, look again and again whether the record tells of it."""
        now, consumers = self.loop.now, self.consumers[name, user]
        if consumers.token != token or consumers.published > since:
            return
        due = noticed_by(name, since, now, self)
        if now >= due and not _is_told(self.world.record(name), user):
            self.wrong(f"{name}: the token of {user} is dead for {now - since:.0f} s, and nothing says so")
            return
        self.loop.at(max(due, now + NOTICED_LATE), self._must_be_noticed, name, user, token, since)

    # -- the end --------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Look at how it ended, after a time in which nothing went wrong any more."""
        for consumers in self.consumers.values():
            for failure in consumers.failures(self.world.org.sessions, self.loop.now):
                self.failed[failure.habit.name] += failure.calls
                if not is_excused(failure, self):
                    self.wrong(
                        f"{failure.calls} calls of {failure.name} failed, of a consumer that reads "
                        f"{failure.habit.name}, from {failure.begins:.0f} to {failure.ends:.0f}"
                    )
        for name in (*self.world.names, DEPLOYER):
            for sentence in unsettled(self.world, name):
                self.wrong(f"at the end {name} {sentence}")
