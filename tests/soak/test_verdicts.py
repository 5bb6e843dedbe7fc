"""What the soak calls a violation, and what it does not."""

from __future__ import annotations

import argparse
import json
import os

import pytest

from rotator.events import CATALOGUE
from rotator.salesforce.budget import LoginBudget
from tests.soak.__main__ import seconds
from tests.soak.consumers import Kill, is_of_kill
from tests.soak.digest import Digest
from tests.soak.faults import FAULTS, SPOILT_DEPLOYS
from tests.soak.judge import (
    EXPLAINED,
    SHORTEST_LOOK_SECONDS,
    WARM_UP_SECONDS,
    WARM_UP_SHARE,
    growths,
    slopes,
    unexplained,
    watched,
)
from tests.soak.settings import LOGINS_A_MINUTE, LOGINS_AT_ONCE, pace_seconds
from tests.soak.watch import Sample, Watch, sample
from tests.world.consumer import Outage

HOUR = 3600


def life(duration_seconds: int, **an_hour: float) -> list[Sample]:
    """A process that grows by so much an hour."""
    begin = {"rss_kib": 80_000, "files": 20, "threads": 13}
    return [
        Sample(float(at), *(int(value + an_hour.get(name, 0) * at / HOUR) for name, value in begin.items()))
        for at in range(duration_seconds)
    ]


def test_an_outage_belongs_to_the_kill_of_the_users_session_that_it_follows_within_the_bound():
    kills = [Kill("ann", 100.0), Kill("bob", 200.0)]
    assert is_of_kill(Outage(101.0, 109.0, read=90.0), "ann", kills, 10)
    assert is_of_kill(Outage(160.0, 161.0, read=90.0), "ann", kills, 10), "it slept, and met the dead token"
    assert is_of_kill(Outage(105.0, 109.0, read=104.0), "ann", kills, 10), "nobody knows of the death yet"
    assert not is_of_kill(Outage(99.0, 109.0, read=90.0), "ann", kills, 10), "it began before"
    assert not is_of_kill(Outage(101.0, 112.0, read=90.0), "ann", kills, 10), "it lasts too long"
    assert not is_of_kill(Outage(201.0, 202.0, read=190.0), "ann", kills, 10), "another user's was killed"


def test_a_process_that_stays_as_it_is_has_not_grown():
    assert growths(life(HOUR)) == []
    assert slopes(life(HOUR)) == {"rss_kib": 0.0, "files": 0.0, "threads": 0.0}


@pytest.mark.parametrize(("what", "an_hour"), [("rss_kib", 20_000.0), ("files", 30.0), ("threads", 6.0)])
def test_a_process_that_grows_for_an_hour_is_told(what, an_hour):
    assert [said.split()[0] for said in growths(life(HOUR, **{what: an_hour}))] == [what]


def test_a_process_may_fill_its_arenas_in_its_first_minutes():
    assert growths(life(80, rss_kib=13_000 * HOUR / 80)) == []
    assert growths(life(HOUR, rss_kib=13_000)) != []


def test_what_is_watched_begins_after_the_warm_up_and_lasts_long_enough():
    shortest = int(WARM_UP_SECONDS + SHORTEST_LOOK_SECONDS) + 1
    assert watched(life(shortest))[0].at == WARM_UP_SECONDS
    assert watched(life(shortest - 1)) == []
    assert watched(life(HOUR + 1))[0].at == WARM_UP_SHARE * HOUR


def test_an_alert_is_a_violation_unless_one_of_the_faults_that_explain_it_was_dealt():
    assert unexplained({"vault.sealed": 2}, {"vault sealed": 1}) == []
    for alerts, dealt in (({"vault.sealed": 2}, {"reload": 1}), ({"step.failed": 2}, {"vault sealed": 1})):
        assert [said.split()[:4] for said in unexplained(alerts, dealt)] == [[*alerts, "was", "told", "2"]]


def test_what_explains_alerts_are_alerts_of_the_catalogue_and_faults_of_the_soak():
    assert EXPLAINED.keys() <= {event.name for event in CATALOGUE if event.alert}
    assert {fault for faults in EXPLAINED.values() for fault in faults} <= {*FAULTS, *SPOILT_DEPLOYS}


def test_a_process_can_be_looked_at(tmp_path):
    before = sample(os.getpid())
    with (tmp_path / "file").open("w"):
        assert sample(os.getpid()).files == before.files + 1
    assert before.rss_kib > 1000
    assert before.threads >= 1


def test_the_digest_counts_and_forgets_what_was_looked_at():
    digest = Digest()
    for line in (
        {"event": "step.taken", "credential": "acme", "seconds": 0.1, "late_seconds": 0.02},
        {"event": "step.taken", "credential": "acme", "seconds": 0.1},
        {"event": "token.published", "user": "ann", "unchanged": True},
        {"event": "vault.sealed", "alert": True},
    ):
        digest.write(json.dumps(line) + "\n")
    assert list(digest.late_seconds) == [0.02]
    assert digest.counts["step.taken"] == 2
    assert digest.alerts == {"vault.sealed": 1}
    assert digest.noticed_after("ann", 0.0) is None
    digest.write(json.dumps({"event": "token.dead", "user": "ann"}) + "\n")
    assert digest.noticed_after("ann", 0.0) is not None
    assert digest.noticed_after("ann", float("inf")) is None
    assert digest.take_text().count("\n") == 5
    assert (digest.take_text(), digest.lines) == ("", [])
    assert digest.counts["step.taken"] == 2


def test_durations_are_written_as_make_is_given_them():
    assert [seconds(text) for text in ("200s", "3m", "1h")] == [200, 180, 3600]
    for wrong in ("", "3", "3 m", "1d", "-4m"):
        with pytest.raises(argparse.ArgumentTypeError, match="duration"):
            seconds(wrong)
    with pytest.raises(argparse.ArgumentTypeError, match="too short"):
        seconds("2m")


class Counting:
    """A Vault server that counts: what it tells is of the ten seconds before."""

    def __init__(self, *told):
        self.told = iter(told)

    def request(self, _method, _path):
        at, counts = next(self.told)
        samples = [{"Name": f"vault.route.{name}-", "Count": count} for name, count in counts.items()]
        return {"Timestamp": at, "Samples": samples}


def test_what_vault_was_asked_is_summed_over_its_intervals_and_counted_once():
    watch = Watch(
        Counting(
            ("10:00", {"read.secret": 3, "list.secret": 1, "create.secret": 2, "update.auth-token": 9}),
            ("10:00", {"read.secret": 5, "list.secret": 1, "create.secret": 2}),
            ("10:10", {"read.secret": 4, "update.secret": 1}),
        )
    )
    for _ in range(3):
        watch._count()
    assert watch.asked == {"reads": 10, "writes": 3}


def test_the_pace_is_that_of_the_logins_which_rotator_grants():
    granted = LoginBudget()
    assert (granted._burst, granted._per_second * 60) == (LOGINS_AT_ONCE, LOGINS_A_MINUTE)
    assert pace_seconds(180) < 10 < pace_seconds(600) < pace_seconds(HOUR) < 60
