"""Fleets in virtual time: a seed tells the same story every time, and in none of them anything is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest

from rotator.core.model import Phase
from rotator.core.outcome import Outcome
from tests.simulate.aims import PASSING, Aim, aims
from tests.simulate.drama import Mishap, Moment, Plot
from tests.simulate.figures import Figures
from tests.simulate.loop import DAY, HOUR, Lock, Loop
from tests.simulate.mishaps import FIRST_KEY, MISHAPS
from tests.simulate.playwright import plot
from tests.simulate.shrink import fewest
from tests.simulate.story import tell
from tests.simulate.vault import Entry, Vault

SHORT = Plot(7, "daily", 2.0, names=("cred1",))
NOON = Moment(DAY / 2 + 100)


def told(*mishaps: Mishap, **changes: object):
    outcome = tell(replace(SHORT, mishaps=mishaps, **changes))
    assert not outcome.violations
    return outcome


def test_a_seed_tells_the_same_story_in_every_process():
    """Also where Python orders sets in another way."""
    made = replace(plot(204), days=0.5)
    here = tell(made)
    code = (
        "from dataclasses import replace; from tests.simulate.playwright import plot; from tests.simulate.story import tell;"
        "print(tell(replace(plot(204), days=0.5)).digest)"
    )
    there = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "3"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.strip() == here.digest


def test_another_seed_tells_another_story():
    assert tell(replace(SHORT, days=0.1)).digest != tell(replace(SHORT, days=0.1, seed=8)).digest


def test_a_story_without_mishaps_has_no_failed_call_and_rotates():
    outcome = told()
    assert not outcome.failed
    assert outcome.ends[Outcome.PROMOTED] > 10
    assert outcome.ends.keys() == {Outcome.PROMOTED}


@pytest.mark.parametrize("codec", ["plain", "json"])
def test_documents_are_the_same_with_and_without_their_codec(codec):
    outcome = told(days=0.5, plain=codec == "plain")
    assert outcome.digest == told(days=0.5).digest


@pytest.mark.parametrize("daemons", [1, 2])
@pytest.mark.parametrize(
    ("kind", "seconds"),
    [
        ("clock back", 11 * HOUR),
        ("clock ahead", 11 * HOUR),
        ("suspended", HOUR),
        ("killed", HOUR),
        ("maintenance", HOUR),
        ("sealed", 11 * HOUR),
        ("unwritable", 11 * HOUR),
        ("restored", 5 * HOUR),
        ("lost replies", HOUR),
        ("flood", 3 * HOUR),
    ],
)
def test_no_call_fails(kind, seconds, daemons):
    """Shorter than a session lives, or nothing that keeps the daemon from calling."""
    outcome = told(Mishap(kind, NOON, seconds=seconds), style="daily", daemons=daemons, days=2.2)
    assert outcome.failed.keys() <= {"at its start, once a day"}


@pytest.mark.parametrize("phase", [Phase.CREATING, Phase.STAGED, Phase.DEPLOYING, Phase.PROVING])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_credential_that_is_taken_out_in_a_change_and_put_back_ends_it_and_no_call_fails(phase, after):
    when = Moment(0.0, "cred1", phase, 2)
    outcome = told(Mishap("reloaded", when, "cred1", HOUR, after), style="daily", days=2.2)
    assert outcome.failed.keys() <= {"at its start, once a day"}
    assert outcome.ends[Outcome.PROMOTED] > 5


def test_a_clock_that_is_set_ahead_of_a_quarantine_destroys_no_key_whose_deploy_takes_effect_later():
    late = Mishap("late commits", Moment(0.0, "cred1", Phase.STAGED, 2), seconds=HOUR)
    ahead = Mishap("clock ahead", Moment(60.0, "cred1", Phase.STEADY, 2), seconds=5 * HOUR)
    assert told(late, ahead, days=2.2).ends[Outcome.REFUSED] == 1


def test_a_pause_that_a_backup_brings_back_is_resumed_by_somebody_and_rotations_go_on():
    paused = Mishap("paused", Moment(DAY / 2 - 2 * HOUR), "cred1", HOUR)
    outcome = told(paused, Mishap("restored", NOON, seconds=1.5 * HOUR), days=2.2, telling=True)
    back = [line for _at, line in outcome.lines].index("Vault is restored to an older snapshot")
    assert any("rotation" in line for _at, line in outcome.lines[back + 1 :])


def test_a_first_key_that_a_backup_took_away_is_wanted_and_brought_in_once_more():
    begun = Mishap(FIRST_KEY, Moment(2 * HOUR), "cred2")
    lost = Mishap("restored", NOON, seconds=11 * HOUR)
    cast = {"names": ("cred1", "cred2"), "empty": ("cred2",)}
    outcome = told(begun, lost, days=2.2, telling=True, **cast)
    brought = "a person brings the certificate of key pair 1 into Rotator_cred2"
    assert [line for _at, line in outcome.lines].count(brought) == 2


def test_a_vault_that_is_restored_twice_is_as_it_was_at_any_time_before():
    loop = Loop()
    vault = Vault(lambda: loop.now)
    loop.at(1, vault.put, "one", Entry(1, {1: "early"}))
    loop.at(2, vault.put, "one", Entry(2, {2: "late"}))
    loop.at(3, vault.restore, 1.5)
    loop.at(4, vault.put, "two", Entry(1, {1: "after"}))
    loop.run(5)
    assert (vault.latest("one"), vault.latest("two")) == ("early", "after")
    loop.at(6, vault.restore, 2.5)
    loop.run(7)
    assert (vault.latest("one"), vault.latest("two")) == ("late", None)


def test_a_session_that_an_admin_ends_is_replaced_within_the_interval_of_verification():
    outcome = told(Mishap("sessions killed", NOON), style="defaults", days=2.6)
    assert 0 < max(outcome.detected) <= 1
    assert 0 < outcome.failed["every 5 s"] <= 11


def test_a_kind_of_mishap_that_meets_no_credential_in_a_phase_is_named():
    figures = Figures()
    figures.add(told(Mishap("flood", NOON, seconds=60.0), days=1.6))
    missed = figures.met_less_than(1)
    assert "flood in locked_out with 1 daemon (0)" in missed
    assert "flood in steady with 1 daemon (1)" not in " ".join(missed)


def test_dense_stories_aim_at_every_mishap_in_every_phase_of_a_change_equally_often():
    everything = {Aim(phase, kind) for phase in PASSING for kind in MISHAPS}
    aimed = Counter(aim for nth in range(1000) for aim in aims(44, nth))
    assert everything < aimed.keys()
    assert max(aimed.values()) - min(aimed.values()) <= 1


def test_who_waits_for_a_lock_lets_its_holder_go_on():
    """Credentials look at the one that deploys for them, and hold its lock meanwhile."""
    loop, said = Loop(), []
    lock = Lock(loop)

    def work(name):
        said.append((name, lock.acquire(blocking=False)))
        if not said[-1][1]:
            lock.acquire()
        loop.sleep(5)
        said.append((name, loop.now))
        lock.release()

    loop.start(work, "first")
    loop.start(work, "second")
    loop.run(20)
    assert said == [
        ("first", True),
        ("second", False),
        ("first", 5.0),
        ("second", pytest.approx(10, abs=0.2)),
    ]


def test_the_fewest_parts_that_fail_are_found():
    assert fewest(range(20), lambda parts: {3, 11} <= set(parts)) == [3, 11]
    assert fewest(range(20), lambda _parts: True) == []
    assert fewest(range(20), lambda parts: 7 in parts) == [7]
