"""What happens to a site in a soak: rotations that are asked for, and one fault after the other."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rotator.core.model import Ask
from rotator.errors import RotatorError
from rotator.run.ask import ask
from tests.soak.consumers import Kill, Patient
from tests.soak.digest import Digest
from tests.soak.watch import Watch
from tests.world.background import Background
from tests.world.ledger import PUBLISHED
from tests.world.site import Site, change

PATIENCE_SECONDS = 90.0
FAULTS = (
    "daemon killed", "session killed", "vault sealed", "reload", "reload refused", "org slow", "org in maintenance",
)  # fmt: skip
SPOILT_DEPLOYS = ("fail_deploys", "break_certificate", "stall_certificate", "lose_deploy_answer")
ASKED = ("acme", "acme", "acme", "acme", "deployer")  # globex is due by itself, all the time


class Asker(Background):
    """Asks for rotations while its ``with`` block runs, as operators do: on the average every ``pace_seconds``."""

    def __init__(self, site: Site, chance: random.Random, pace_seconds: float) -> None:
        super().__init__("asker")
        self._site, self._chance, self._pace_seconds = site, chance, pace_seconds

    def run(self) -> None:
        for name in itertools.cycle(ASKED):
            with suppress(RotatorError):  # another request waits, or Vault is sealed
                ask(self._site.asking, name, Ask.ROTATE)
            if self.stopping.wait(self._pace_seconds * self._chance.uniform(0.7, 1.3)):
                return


class Faults:
    """Deals out one fault after the other, each until the site has got over it.

    Attributes:
        dealt: how often each was.
        kills: the sessions that were killed by an admin.
        wrong: what did not hold at a death of the daemon.
    """

    def __init__(
        self, site: Site, digest: Digest, watch: Watch, working: list[Patient], chance: random.Random
    ) -> None:
        self._site, self._digest, self._watch, self._working = site, digest, watch, working
        self._chance = chance
        self._spoilt = itertools.cycle(chance.sample(SPOILT_DEPLOYS, len(SPOILT_DEPLOYS)))
        self.dealt: Counter[str] = Counter()
        self.kills: list[Kill] = []
        self.wrong: list[str] = []

    def untried(self) -> list[str]:
        """Return what was never dealt; of the ways to spoil a deploy one will do."""
        missing = [name for name in FAULTS if not self.dealt[name]]
        return missing + ["a spoilt deploy"] * (not any(self.dealt[knob] for knob in SPOILT_DEPLOYS))

    def deck(self) -> list[Callable[[], None]]:
        """Return every fault once, and some more often, in random order.

        A death comes first: later ones may come too late to be dealt.
        """
        cards = [
            *[self.daemon_killed] * 2,
            self.session_killed,
            self.session_killed,
            self.vault_sealed,
            self.reload,
            self.refused_reload,
            self.deploy_spoilt,
            self.org_slow,
            self.org_in_maintenance,
        ]
        self._chance.shuffle(cards)
        return [self.daemon_killed, *cards]

    def daemon_killed(self) -> None:
        """SIGKILL at any instruction; what must hold holds at that moment, too."""
        self._watch.leave()
        self._site.daemon.kill()
        self.wrong += self._site.ledger.violations()
        self._start()
        self.dealt["daemon killed"] += 1

    def _start(self) -> None:
        started = self._digest.counts["daemon.started"]
        self._site.daemon.start()
        self._watch.follow(self._site.daemon.pid)
        self._until("the daemon runs", lambda: self._digest.counts["daemon.started"] > started)

    def session_killed(self) -> None:
        """An admin ends the session of a user; those who called with it are served again."""
        users = [user for users in PUBLISHED.values() for user in users]
        for user in self._chance.sample(users, len(users)):
            kill = Kill(user, time.monotonic())
            if self._site.control.kill_sessions(user):
                break
        else:
            return  # nobody has one just now
        self.kills.append(kill)
        self._until(f"{user} has another session", lambda: self._digest.noticed_after(user, kill.at))
        callers = [one for one in self._working if one.user == user and one.outages]
        self._until(f"{user} is served again", lambda: all(one.outages[-1].ended for one in callers))
        self.dealt["session killed"] += 1

    def vault_sealed(self) -> None:
        recovered, sealed = self._digest.counts["vault.recovered"], self._digest.counts["vault.sealed"]
        self._site.stage.vault.seal()
        time.sleep(self._chance.uniform(2, 6))
        noticed = self._digest.counts["vault.sealed"] > sealed
        self._site.stage.vault.unseal()
        if noticed:
            self._until("Vault is back", lambda: self._digest.counts["vault.recovered"] > recovered)
        self.dealt["vault sealed"] += 1

    def reload(self) -> None:
        """SIGHUP, after a setting was changed."""
        every = f"{self._chance.randint(3900, 4100)}ms"
        change(self._site.stage.config, lambda said: said["defaults"]["session"].update(verify_every=every))
        self._reread("configuration.reloaded")
        self.dealt["reload"] += 1

    def refused_reload(self) -> None:
        """SIGHUP, after the file was spoilt: the daemon goes on as it was."""
        config = self._site.stage.config
        text = config.read_text()
        config.write_text(text.replace("reconcile_every", "reconcile_evry"))
        self._reread("configuration.refused")
        config.write_text(text)
        self.dealt["reload refused"] += 1

    def _reread(self, event: str) -> None:
        before = self._digest.counts[event]
        self._site.daemon.reload()
        self._until(event, lambda: self._digest.counts[event] > before)

    def deploy_spoilt(self) -> None:
        """The next deploy fails, or brings no certificate that works, or its answer is lost."""
        knob = next(self._spoilt)
        self._site.control.knobs(**{knob: 1})
        self._until(f"{knob} was met", lambda: not self._site.control.knobs()[knob])
        self.dealt[knob] += 1

    def org_slow(self) -> None:
        with self._knob(slow_seconds=self._chance.uniform(0.2, 0.6)):
            time.sleep(5)
        self.dealt["org slow"] += 1

    def org_in_maintenance(self) -> None:
        with self._knob(maintenance=True):
            time.sleep(self._chance.uniform(1, 4))
        self.dealt["org in maintenance"] += 1

    @contextmanager
    def _knob(self, **values: object) -> Iterator[None]:
        before = self._site.control.knobs()
        self._site.control.knobs(**values)
        yield
        self._site.control.knobs(**{name: before[name] for name in values})

    def _until(self, what: str, holds: Callable[[], object]) -> None:
        self._site.until(what, holds, within_seconds=PATIENCE_SECONDS)
