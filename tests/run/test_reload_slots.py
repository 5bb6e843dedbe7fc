"""A credential that leaves its app in the middle of a change ends that first, and nobody else has the app before."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rotator.core.model import Ask, Change, Pause, PauseKind, Phase, Reason
from rotator.run.daemon import Daemon
from tests.world.lab import GLOBEX, NAMES, Edit, Lab, credential
from tests.world.reloading import SHORTER, await_first_tokens, change, without
from tests.world.serving import Manager, serving, until

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)


def named_anew(said) -> None:
    said["credentials"]["umbrella"] = said["credentials"].pop("globex")


# -- taken out in the middle of a change


@contextmanager
def changing(lab: Lab, *edits: Edit) -> Iterator[Daemon]:
    """A daemon in which globex is in a change that ends by itself, but not soon: the org takes its time to deploy."""
    lab.control.knobs(deploy_seconds=5)
    with serving(lab, *edits) as daemon:
        await_first_tokens(lab, daemon)
        lab.ask("globex", Ask.ROTATE)
        until(lambda: lab.told("deploy.sent"), "in the middle of a change")
        until(lambda: daemon.stations["globex"].record.phase is Phase.DEPLOYING, "deploying")
        yield daemon


def test_a_change_is_finished_with_its_deployer_and_its_tokens_before_a_credential_is_let_go(ready):
    only = credential("acme", deploy={"publisher": "manual"})
    with changing(ready, only) as daemon:
        change(
            ready,
            daemon,
            without("globex", "deployer"),
            credential("acme", deploy={"publisher": "manual", "with": "acme"}),
        )
        until(lambda: len(ready.told("credential.finishing")) == 2, "told")
        (line,) = ready.told("configuration.reloaded")
        assert (line["removed"], line["finishing"]) == (["deployer", "globex"], ["deployer", "globex"])
        served = len(ready.told("token.verified", credential="globex"))
        until(lambda: len(ready.told("token.verified", credential="globex")) > served, "tokens are seen to")
        assert daemon.stations.keys() == set(NAMES)
        until(lambda: len(ready.told("credential.let_go")) == 2, "let go")
        assert daemon.stations.keys() == {"acme"}
    assert [line["credential"] for line in ready.told("credential.let_go")] == ["globex", "deployer"]
    assert ready.told("key.promoted", credential="globex", serial=2)
    assert ready.record("globex").phase is Phase.STEADY


def test_one_that_comes_back_while_it_finishes_stays(ready):
    with changing(ready) as daemon:
        change(ready, daemon, without("globex"))
        until(lambda: ready.told("credential.finishing"), "told")
        change(ready, daemon, SHORTER)
        until(lambda: not daemon.stations["globex"].leaving, "it is back")
        until(lambda: daemon.stations["globex"].terms.refresh_every == timedelta(seconds=7), "as it is now")
        until(lambda: ready.told("key.promoted", credential="globex", serial=2), "promoted")
        until(lambda: ready.told("token.published", credential="globex", key_serial=2), "served on")
    assert not ready.told("credential.let_go")


def test_under_another_name_an_app_is_taken_up_when_the_former_one_is_let_go(ready):
    with changing(ready) as daemon:
        change(ready, daemon, named_anew)
        until(lambda: ready.told("credential.finishing"), "told")
        assert "umbrella" not in daemon.stations
        until(lambda: "umbrella" in daemon.stations, "taken up")
        assert "globex" not in daemon.stations


def test_settings_that_bring_an_app_of_one_that_finishes_wait_for_it(ready):
    def taken_over(said):
        said["credentials"]["acme"]["consumer_key"] = said["credentials"].pop("globex")["consumer_key"]

    with changing(ready) as daemon:
        former = daemon.stations["globex"].config.consumer_key
        change(ready, daemon, taken_over)
        until(lambda: ready.told("credential.finishing"), "told")
        daemon.offer("acme")
        until(lambda: not daemon.ready.waits("acme"), "it had a step")
        assert daemon.stations["acme"].config.consumer_key != former
        until(lambda: daemon.stations["acme"].config.consumer_key == former, "now")
        assert "globex" not in daemon.stations


def test_who_takes_over_the_app_of_its_deployer_does_not_wait_for_it_forever(ready):
    def taken_over(said):
        deployer = said["credentials"].pop("deployer")
        said["credentials"]["globex"]["consumer_key"] = deployer["consumer_key"]
        for name in ("acme", "globex"):
            said["credentials"][name]["deploy"] = {"publisher": "manual"}

    with serving(ready) as daemon:
        await_first_tokens(ready, daemon)
        key = daemon.stations["deployer"].config.consumer_key
        change(ready, daemon, taken_over)
        until(lambda: ready.told("credential.let_go", credential="deployer"), "let go")
        until(lambda: daemon.stations["globex"].config.consumer_key == key, "taken over")


def test_one_that_leaves_begins_no_rotation_of_its_own(lab):
    with lab.application() as app:
        station = app.driver.stations["globex"]
        lab.steady()
        app.driver.refresh(station)
        due = station.record.key(1).not_after - timedelta(seconds=200)
        assert app.driver.neighbours.allowed(station, due, 0.0).may_not_begin is None
        station.leaving = True
        assert "taken out" in app.driver.neighbours.allowed(station, due, 0.0).may_not_begin


def test_while_vault_is_sealed_nobody_is_let_go_of_whom_nothing_is_known(ready):
    ready.vault.seal()
    with serving(ready) as daemon:
        until(lambda: ready.told("vault.sealed"), "sealed")
        change(ready, daemon, without("globex"), credential("acme", session={"refresh_every": "7s"}))
        (line,) = ready.told("configuration.reloaded")
        assert (line["removed"], line["finishing"]) == (["globex"], ["globex"])
        until(lambda: ready.told("credential.finishing"), "told")
        ready.vault.unseal()
        until(lambda: ready.told("credential.let_go", credential="globex"), "let go")
        until(lambda: ready.told("token.published", credential="acme"), "the others are served")
        assert daemon.stations["acme"].terms.refresh_every == timedelta(seconds=7)
    assert len(ready.told("vault.sealed")) == len(ready.told("vault.recovered")) == 1


# -- another app in the middle of a change

ANOTHER_APP = {
    "consumer key": lambda said: said["credentials"]["globex"].update(consumer_key="3MVG9another"),
    "app": lambda said: said["credentials"]["globex"]["app"].update(name="Another"),
    "org": lambda said: said["credentials"]["globex"].update(
        login_url=said["credentials"]["globex"]["login_url"].replace("127.0.0.1", "localhost")
    ),
}


def test_another_app_counts_once_the_change_has_ended_which_is_told_once(ready):
    with changing(ready) as daemon:
        former = daemon.stations["globex"].config
        change(ready, daemon, ANOTHER_APP["org"], credential("globex", session={"refresh_every": "7s"}))
        (line,) = ready.told("configuration.reloaded")
        assert line["finishing"] == ["globex"]
        until(lambda: ready.told("credential.finishing", credential="globex"), "told")
        assert daemon.stations["globex"].config == former
        until(lambda: daemon.stations["globex"].config != former, "it has another app")
        assert ready.told("key.promoted", credential="globex", serial=2)
        assert daemon.stations["globex"].config == daemon.app.configuration.credentials["globex"]
        assert not daemon.stations["globex"].leaving
    assert len(ready.told("credential.finishing")) == 1
    assert not ready.told("credential.let_go")


def test_what_is_taken_back_before_the_change_has_ended_never_counted(ready):
    with changing(ready) as daemon:
        former = daemon.stations["globex"].config
        change(ready, daemon, ANOTHER_APP["consumer key"])
        until(lambda: ready.told("credential.finishing", credential="globex"), "told")
        change(ready, daemon)
        assert ready.told("configuration.reloaded")[-1]["finishing"] == []
        until(lambda: ready.told("key.promoted", credential="globex", serial=2), "promoted")
        assert daemon.stations["globex"].config == former
        assert not ready.told("identity.mismatch")


@pytest.mark.parametrize("how", ["with another consumer key", "while it goes to another app itself"])
def test_a_new_credential_waits_for_an_app_to_which_another_one_still_deploys(ready, how):
    def arrange(said):
        former = said["credentials"]["globex"]
        said["credentials"]["umbrella"] = copy.deepcopy(former)
        if how == "with another consumer key":
            said["credentials"]["umbrella"]["consumer_key"] = "3MVG9another"
            del said["credentials"]["globex"]
        else:
            former["consumer_key"] = "3MVG9another"

    with changing(ready) as daemon:
        change(ready, daemon, arrange)
        until(lambda: ready.told("credential.finishing", credential="globex"), "told")
        assert "umbrella" not in daemon.stations
        until(lambda: "umbrella" in daemon.stations, "taken up")
        assert ready.told("key.promoted", credential="globex", serial=2)


def test_two_credentials_change_places(ready):
    def swapped(said):
        acme, globex = (said["credentials"][name] for name in ("acme", "globex"))
        for key in ("consumer_key", "app"):
            acme[key], globex[key] = globex[key], acme[key]

    with serving(ready) as daemon:
        await_first_tokens(ready, daemon)
        change(ready, daemon, swapped)
        wanted = daemon.app.configuration.credentials
        until(lambda: all(one.config == wanted[one.name] for one in daemon.stations.values()), "swapped")
        assert not any(one.leaving for one in daemon.stations.values())
    assert not ready.told("credential.finishing")


CHANGE = Change(target=2, rival=1, reason=Reason.ROTATION, users=GLOBEX, began=NOON)
FOREIGN = Pause(PauseKind.IDENTITY, NOON, "another org")


@pytest.mark.parametrize("what", ANOTHER_APP)
@pytest.mark.parametrize(
    ("known", "at_once"),
    [
        pytest.param({"phase": Phase.STAGED, "change": CHANGE}, True, id="nothing was asked of the org"),
        pytest.param(
            {"phase": Phase.STAGED, "change": replace(CHANGE, asked=1)}, False, id="a deploy may land"
        ),
        pytest.param({"phase": Phase.PROVING, "change": replace(CHANGE, asked=1)}, False, id="proving"),
        pytest.param({"phase": Phase.LOCKED_OUT, "change": CHANGE}, True, id="locked out"),
        pytest.param(
            {"phase": Phase.PROVING, "change": replace(CHANGE, asked=1), "paused": FOREIGN},
            True,
            id="a person has to name the app",
        ),
    ],
)
def test_another_app_counts_at_once_where_no_deploy_to_the_former_one_may_be_under_way(
    lab, known, at_once, what
):
    with lab.application() as app:
        daemon, former = Daemon(app, Manager()), app.driver.stations["globex"]
        former.read_at, former.record = NOON, replace(former.record, **known)
        daemon.members.follow(app.prepare(lab.configuration(ANOTHER_APP[what])))
        _driver, station = daemon.members.settle("globex")
        assert (station.config == app.configuration.credentials["globex"]) is at_once
        assert (station.config == former.config) is not at_once


def test_the_consumer_key_of_a_new_app_is_not_waited_with(lab):
    with lab.application(lambda said: said["credentials"]["globex"].pop("consumer_key")) as app:
        daemon, former = Daemon(app, Manager()), app.driver.stations["globex"]
        asked = replace(CHANGE, asked=1)
        former.read_at, former.record = NOON, replace(former.record, phase=Phase.PROVING, change=asked)
        daemon.members.follow(app.prepare(lab.configuration()))
        _driver, station = daemon.members.settle("globex")
        assert station.config.consumer_key


def test_who_waits_for_the_app_of_another_one_begins_nothing_by_itself(lab):
    def taken_over(said):
        said["credentials"]["acme"]["consumer_key"] = said["credentials"]["globex"]["consumer_key"]
        said["credentials"]["globex"]["consumer_key"] = "3MVG9another"

    with lab.application() as app:
        daemon, stations = Daemon(app, Manager()), app.driver.stations
        for name in ("acme", "globex"):
            stations[name].read_at = NOON
        asked = replace(CHANGE, asked=1)
        stations["globex"].record = replace(stations["globex"].record, phase=Phase.PROVING, change=asked)
        daemon.members.follow(app.prepare(lab.configuration(taken_over)))
        _driver, acme = daemon.members.settle("acme")
        assert (acme.config, acme.leaving) == (stations["acme"].config, True)
        assert acme.config.consumer_key != app.configuration.credentials["acme"].consumer_key
        stations["globex"].record = replace(stations["globex"].record, phase=Phase.STEADY, change=None)
        daemon.members.settle("globex")
        _driver, acme = daemon.members.settle("acme")
        assert acme.config == app.configuration.credentials["acme"]
        assert not acme.leaving


def test_what_concerns_no_app_waits_for_nobody(lab):
    """Two orgs behind one login host may have apps of the same name."""

    def alike(said):
        said["credentials"]["acme"]["app"] = dict(said["credentials"]["globex"]["app"])

    with lab.application(alike) as app:
        daemon, leaving = Daemon(app, Manager()), app.driver.stations["globex"]
        asked = replace(CHANGE, asked=1)
        leaving.read_at, leaving.record = NOON, replace(leaving.record, phase=Phase.PROVING, change=asked)
        slower = credential("acme", session={"refresh_every": "7s"})
        daemon.members.follow(app.prepare(lab.configuration(alike, without("globex"), slower)))
        _driver, acme = daemon.members.settle("acme")
        assert acme.config == app.configuration.credentials["acme"]
        assert "globex" in app.driver.stations
