"""The daemon is killed at any moment, and another one goes on where the record says."""

from __future__ import annotations

import random
import time

import pytest

from tests.world.daemon import SENT
from tests.world.ledger import APPS
from tests.world.site import site

pytestmark = pytest.mark.timeout(240)

SEED = 20260201
# Killed right after the daemon said so; None: after a random time from the beginning of the rotation.
MOMENTS = (
    "change.begun", "key.created", "validation.passed", SENT, "deploy.finished", "proof.passed",
    "key.promoted", None, None, None, None, None,
)  # fmt: skip
LONGEST_SECONDS = 4.0


def test_killed_at_a_dozen_moments_of_rotations_it_goes_on_and_no_consumer_notices(figures):
    chance = random.Random(SEED)  # noqa: S311 - a seeded choice of moments
    moments = list(MOMENTS)
    chance.shuffle(moments)
    phases, resumed = [], []
    with site() as here, here.consuming():
        for number, event in enumerate(moments):
            name = ("acme", "globex")[number % 2]
            here.rotate_until(event or "change.begun", name)
            if event is None:
                time.sleep(chance.uniform(0, LONGEST_SECONDS))
            here.daemon.kill()
            phases.append(f"{name} {here.ledger.record(name)['phase']}")
            assert here.ledger.violations() == []
            here.daemon.start()
            resumed.append(here.await_steady())
        assert not here.ledger.unsteady("deployer")
        here.until("retired keys are destroyed", lambda: _retired(here) == 0)
        here.daemon.stop()
        told = here.audit()
        for name in ("acme", "globex"):
            assert here.ledger.record(name)["current"] == 1 + len(moments) // 2
    figures(kills=len(moments), phases=phases, slowest_resumption_seconds=round(max(resumed), 1), **told)


def _retired(here):
    return sum(len(here.ledger.record(name)["retired"]) for name in ("acme", "globex"))


def test_killed_while_it_takes_over_what_it_finds_the_next_daemon_takes_it_over(figures):
    events = ("request.accepted", "key.adopted", "proof.passed", "key.promoted")
    phases = []
    with site(adopt=False) as here:
        for event in events:
            since = here.journal.mark()
            here.daemon.start()
            here.journal.wait_for(event, since)
            here.daemon.kill()
            phases.append({name: here.phase(name) for name in APPS})
        here.daemon.start()
        here.until("all is taken over", lambda: {here.phase(name) for name in APPS} == {"steady"})
        here.until("all tokens are published", lambda: not here.ledger.violations())
        here.await_steady()
        here.daemon.stop()
        assert {here.ledger.record(name)["newest"] for name in APPS} == {1}
        figures(phases=phases, **here.audit())
