"""What must hold all the while: enough proofs, no secret in the log; and the bounds of what may grow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rotator.sandbox.vault_api import BaoError
from tests.soak.arithmetic import Point, growth, slope
from tests.soak.digest import Digest
from tests.soak.faults import SPOILT_DEPLOYS
from tests.soak.settings import LIVES
from tests.soak.watch import Sample
from tests.world.ledger import APPS, PUBLISHED
from tests.world.site import Site

VERSIONS_KEPT = 5000
SPOILT_ORG = ("daemon killed", *SPOILT_DEPLOYS, "org slow", "org in maintenance")
EXPLAINED = {
    "configuration.refused": ("reload refused",),
    "vault.sealed": ("vault sealed",),
    "change.failed": SPOILT_ORG,
    "change.stuck": SPOILT_ORG,
    "credential.locked_out": SPOILT_ORG,
    "fleet.brake_on": SPOILT_ORG,
    "rotation.due_but_held": SPOILT_ORG,
    "token.unproven": ("vault sealed", "org slow", "org in maintenance"),
    "token.refused": ("session killed",),
    "token.not_replaced": ("session killed",),
    "bridge.lacking": ("session killed", "vault sealed"),
}
"""The alerts that may be told, and of which faults. An org that takes neither certificate, and a daemon that is killed in
the restore, come to a lock-out; a user whose session is killed in a change may get no other before its end. What counts
is that all is steady again without anybody."""

WARM_UP_SECONDS = 45.0
WARM_UP_SHARE = 1 / 3
"""So much of a life does not count: libraries are loaded, connections opened, caches and arenas filled."""
SHORTEST_LOOK_SECONDS = 60.0
"""Lives that were watched for less after their warm-up say nothing of slopes."""

RSS_FILLING_KIB_SECONDS = 16 * 1024 * 90.0
RSS_KIB_PER_HOUR = 4096.0
"""What the memory may grow while it is watched: what fills, less the longer it is watched, and a drift.

The allocator's arenas, one for each of a dozen threads, fill for some ten minutes and then stay. Measured were 78 MiB
after 15 s, 86 after two minutes, 91 after eight, and 91 for the seven minutes after that; on a machine that is ten times
overloaded up to 8.5 of these 13 MiB came after the warm-up of a short life. Twice that is allowed then, 7 MiB in six
minutes, 2 in half an hour. So three minutes see a leak of a MB for each rotation, and an hour one of 40 kB, or of a
third of a kB for each step.
"""
FILES_MAY_GROW = 6.0  # connections that are kept, or not, of eight workers
THREADS_MAY_GROW = 1.0


class Judge:
    """Looks now and then, and remembers what was wrong."""

    def __init__(self, site: Site, digest: Digest) -> None:
        self._site, self._digest = site, digest
        self._looked_at = {name: site.ledger.newest(name) for name in APPS}
        self._before = ""
        self.proved = 0
        self.wrong: list[str] = []
        site.ledger.keep_all_versions(VERSIONS_KEPT)

    def look(self) -> None:
        """Judge all that happened since the last look. Vault must be open."""
        for name in APPS:
            newest = self._site.ledger.newest(name)
            among = range(self._looked_at[name], newest + 1)
            self._looked_at[name] = newest
            proved, wrong = self._site.ledger.unproved(name, LIVES.proofs, LIVES.proof_span_seconds, among)
            self.proved += proved
            self.wrong += wrong
        self._search()

    def _search(self) -> None:
        """Search what was said since the look before the last one: a key may be found after it was spoken of."""
        ledger = self._site.ledger
        known, ledger.secrets = ledger.secrets, {}
        for name in APPS:
            self._read_keys(name)
            for user in PUBLISHED.get(name, ()):
                ledger.token(name, user)
        said = self._digest.take_text()
        fresh, ledger.secrets = ledger.secrets, known | ledger.secrets
        self.wrong += [f"the log holds {what}" for what in self._site.leaks(self._before + said)]
        self._before, ledger.secrets = said, fresh

    def _read_keys(self, name: str) -> None:
        try:
            self._site.ledger.keys(name)
        except BaoError:  # one was destroyed meanwhile
            self._site.ledger.keys(name)

    def end(self, dealt: Mapping[str, int]) -> list[str]:
        """Return all that was and is wrong after faults that were dealt so often; no daemon runs any more."""
        self.look()
        return self.wrong + unexplained(self._digest.alerts, dealt) + self._site.ledger.violations()


def unexplained(alerts: Mapping[str, int], dealt: Mapping[str, int]) -> list[str]:
    """Return the alerts for which there was no fault."""
    return [
        f"{event} was told {count} times, for which there was no fault"
        for event, count in alerts.items()
        if not any(dealt.get(fault) for fault in EXPLAINED.get(event, ()))
    ]


def watched(life: Sequence[Sample]) -> list[Sample]:
    """Return the looks at a process after its warm-up; none where they are over too short a time."""
    whole_seconds = life[-1].at - life[0].at
    begin = life[0].at + max(WARM_UP_SECONDS, WARM_UP_SHARE * whole_seconds)
    return [one for one in life if one.at >= begin] if life[-1].at - begin >= SHORTEST_LOOK_SECONDS else []


def slopes(warm: Sequence[Sample]) -> dict[str, float]:
    """Return by how much a process grows an hour."""
    return {name: 3600 * slope(points) for name, points in _curves(warm).items()}


def growths(warm: Sequence[Sample]) -> list[str]:
    """Return what of a process grew more than it may."""
    watched_seconds = warm[-1].at - warm[0].at
    hours = watched_seconds / 3600
    filling_kib = RSS_FILLING_KIB_SECONDS / (WARM_UP_SECONDS + watched_seconds / 2)
    bounds = {
        "rss_kib": filling_kib + RSS_KIB_PER_HOUR * hours,
        "files": FILES_MAY_GROW,
        "threads": THREADS_MAY_GROW,
    }
    grown = {name: growth(points) for name, points in _curves(warm).items()}
    return [
        f"{name} grew by {grown[name]:.1f} in {hours * 60:.0f} min, more than {bound:.1f}"
        for name, bound in bounds.items()
        if grown[name] > bound
    ]


def _curves(warm: Sequence[Sample]) -> dict[str, list[Point]]:
    return {
        "rss_kib": [(one.at, float(one.rss_kib)) for one in warm],
        "files": [(one.at, float(one.files)) for one in warm],
        "threads": [(one.at, float(one.threads)) for one in warm],
    }
