"""The configuration changes under a daemon that runs: only what must changes with it, and between two steps."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rotator.core.model import Ask, Entry, Phase, Reason
from rotator.core.outcome import Outcome
from rotator.performer.station import Held
from tests.world.lab import NAMES, credential
from tests.world.reloading import SHORTER, await_first_tokens, change, hold, without
from tests.world.serving import PATIENCE_SECONDS, serving, until

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)


# -- single credentials


def test_a_credential_whose_settings_are_the_same_notices_nothing(ready):
    with serving(ready) as daemon:
        await_first_tokens(ready, daemon)
        before, due = dict(daemon.stations), daemon.due["acme"]
        client, timer, threads = daemon.app.client, daemon.timer, list(daemon.crew.threads)
        steps = []
        step = daemon.driver.step
        daemon.driver.step = lambda name: steps.append(name) or step(name)
        change(ready, daemon, SHORTER)
        until(lambda: "globex" in steps, "the one that changed decides anew")
        assert daemon.stations["acme"] is before["acme"]
        assert daemon.stations["deployer"] is before["deployer"]
        assert daemon.due["acme"] == due or "acme" in steps  # its own time had come meanwhile
        assert (daemon.app.client, daemon.timer, daemon.crew.threads) == (client, timer, threads)
        assert daemon.stations["globex"].tokens == before["globex"].tokens
        assert not ready.told("daemon.stopping")
    assert len(ready.told("daemon.started")) == len(ready.told("vault.login")) == 1
    (line,) = ready.told("configuration.reloaded")
    named = {field: line[field] for field in ("added", "removed", "changed", "kept", "finishing")}
    assert named == {"added": [], "removed": [], "changed": ["globex"], "kept": [], "finishing": []}


def test_other_settings_count_from_the_next_step_and_a_step_that_hangs_holds_nobody(ready):
    with serving(ready) as daemon:
        await_first_tokens(ready, daemon)
        former = daemon.stations["globex"]
        _hangs, free = hold(daemon, "globex")
        change(ready, daemon, SHORTER, credential("acme", session={"refresh_every": "6s"}))
        refresh = lambda name: daemon.stations[name].terms.refresh_every  # noqa: E731
        until(lambda: refresh("acme") == timedelta(seconds=6), "the other one has its new settings")
        assert daemon.stations["globex"] is former
        free.set()
        until(lambda: refresh("globex") == timedelta(seconds=7), "it has them after its step")
        assert daemon.stations["globex"].tokens == former.tokens


def test_the_latest_of_two_reloads_counts(ready):
    with serving(ready) as daemon:
        await_first_tokens(ready, daemon)
        _hangs, free = hold(daemon, "globex")
        change(ready, daemon, SHORTER)
        change(ready, daemon, without("globex"))
        change(ready, daemon, credential("globex", session={"refresh_every": "6s"}))
        free.set()
        until(lambda: daemon.stations["globex"].terms.refresh_every == timedelta(seconds=6), "the latest")
        assert not daemon.stations["globex"].leaving
    assert not ready.told("credential.let_go")


def test_settings_that_are_taken_back_while_they_come_into_force_do_not_stay(ready):
    with serving(ready) as daemon:
        await_first_tokens(ready, daemon)
        comes, free = threading.Event(), threading.Event()
        renew = daemon.app.renew_station

        def held(station, settings):
            comes.set()
            free.wait(PATIENCE_SECONDS)
            return renew(station, settings)

        daemon.app.renew_station = held
        change(ready, daemon, SHORTER)
        assert comes.wait(PATIENCE_SECONDS)
        change(ready, daemon)
        free.set()
        until(lambda: not daemon.ready.waits("globex"), "it has had its step")
        assert daemon.stations["globex"].config == daemon.app.configuration.credentials["globex"]


def test_settings_come_into_force_later_where_an_error_kept_them_from_it(ready):
    with serving(ready) as daemon:
        await_first_tokens(ready, daemon)
        renew = daemon.app.renew_station

        def failing(_station, _settings):
            daemon.app.renew_station = renew
            raise ZeroDivisionError

        daemon.app.renew_station = failing
        change(ready, daemon, SHORTER)
        until(lambda: ready.told("step.failed", credential="globex", error="ZeroDivisionError"), "told")
        daemon.offer("globex")
        until(lambda: daemon.stations["globex"].terms.refresh_every == timedelta(seconds=7), "in force")


def test_who_is_new_is_taken_up_and_who_is_gone_is_let_go(ready):
    with serving(ready, without("globex")) as daemon:
        until(lambda: len(ready.told("token.published")) == 2, "two tokens")
        change(ready, daemon, without("acme"))
        until(lambda: ready.told("token.published", credential="globex"), "the new one is served")
        until(lambda: ready.told("credential.let_go", credential="acme"), "the other one is not")
        assert daemon.stations.keys() == {"globex", "deployer"}
        assert "acme" not in daemon.due
        daemon.offer("acme")
        daemon.rounds.go()
        ready.ask("acme", Ask.PAUSE)
        until(lambda: ready.told("request.refused", credential="acme"), "nobody of this name")
        assert daemon.rounds.sentence().startswith("2 credentials")


def test_the_users_that_are_left_keep_their_tokens(ready):
    with serving(ready) as daemon:
        await_first_tokens(ready, daemon)
        before = dict(daemon.stations["acme"].tokens)
        first, second = before
        change(ready, daemon, credential("acme", users=[second]))
        until(lambda: daemon.stations["acme"].terms.users == (second,), "renewed")
        assert daemon.stations["acme"].tokens == {second: before[second]}
        change(ready, daemon)
        until(lambda: daemon.stations["acme"].tokens.keys() == {first, second}, "read again")


def test_what_failed_is_tried_again_at_once_unless_the_other_side_asked_us_to_wait(lab):
    with lab.application() as app:
        station = app.driver.stations["globex"]
        station.held = {"ours": Held(1, NOON), "theirs": Held(1, NOON, asked=True)}
        renewed = app.renew_station(station, app.configuration.credentials["globex"])
        assert (renewed.held.keys(), app.driver.stations["globex"]) == ({"theirs"}, renewed)


def test_tokens_that_consumers_did_not_see_are_published_from_now_on(ready):
    with serving(ready, credential("globex", publish=False)) as daemon:
        until(daemon.stations["globex"].facts, "a token that nobody sees")
        assert not ready.told("token.published", credential="globex")
        change(ready, daemon)
        until(lambda: ready.told("token.published", credential="globex"), "published")


# -- what all share


def test_another_vault_client_is_made_when_its_settings_change_and_what_was_read_still_counts(ready):
    with serving(ready) as daemon:
        await_first_tokens(ready, daemon)
        client, tokens = daemon.app.client, daemon.stations["globex"].tokens
        driver, budget = daemon.driver, daemon.app.tools.budget
        change(ready, daemon, lambda said: said["vault"].update(timeout="11s"))
        until(lambda: len(ready.told("vault.login")) == 2, "another login is told")
        assert daemon.app.client is not client
        until(lambda: daemon.due.keys() == set(NAMES) and daemon.ready.sizes() == (0, 0), "all wait again")
        assert daemon.stations["globex"].tokens == tokens
        assert (daemon.driver is not driver, daemon.app.tools.budget) == (True, budget)
        ready.ask("globex", Ask.PAUSE)
        until(lambda: ready.told("credential.paused", credential="globex"), "requests are seen there")


def test_elsewhere_in_vault_all_is_read_anew(ready):
    with serving(ready) as daemon:
        await_first_tokens(ready, daemon)
        assert daemon.stations["globex"].version
        change(ready, daemon, lambda said: said["vault"].update(base_path=f"{ready.base}/elsewhere"))
        until(lambda: daemon.stations["globex"].record.phase is Phase.EMPTY, "nothing is there")
        until(lambda: daemon.stations["globex"].read_at, "it was looked for")
        assert not daemon.stations["globex"].facts()
    assert not ready.told("vault.went_back")


def test_a_step_that_is_about_to_begin_reads_no_other_vault_into_what_is_known_of_this_one(ready):
    with serving(ready) as daemon:
        await_first_tokens(ready, daemon)
        settle, moved = daemon.members.settle, threading.Event()

        def move_after(name):
            served = settle(name)
            if name == "globex" and not moved.is_set():
                moved.set()
                daemon.stations[name].doubt()
                change(ready, daemon, lambda said: said["vault"].update(base_path=f"{ready.base}/elsewhere"))
            return served

        daemon.members.settle = move_after
        daemon.offer("globex")
        until(lambda: daemon.stations["globex"].record.phase is Phase.EMPTY, "it has moved")
        until(lambda: daemon.stations["globex"].read_at, "it was looked for")
    assert not ready.told("vault.went_back")


def test_a_step_under_way_ends_in_the_vault_in_which_it_began(ready):
    with serving(ready) as daemon:
        await_first_tokens(ready, daemon)
        written = daemon.app.documents.write_record
        hangs, free = threading.Event(), threading.Event()

        def write(name, record, version):
            hangs.set()
            free.wait(PATIENCE_SECONDS)
            return written(name, record, version)

        daemon.app.documents.write_record = write
        ready.ask("globex", Ask.PAUSE)
        assert hangs.wait(PATIENCE_SECONDS)
        change(ready, daemon, lambda said: said["vault"].update(base_path=f"{ready.base}/elsewhere"))
        free.set()
        until(lambda: ready.told("credential.paused", credential="globex"), "written")
    assert ready.record("globex").paused


def test_other_settings_of_salesforce_give_each_thread_another_wire(ready):
    with serving(ready) as daemon:
        await_first_tokens(ready, daemon)
        wires = daemon.app.tools.wires
        here = wires()
        change(ready, daemon)
        assert wires() is here
        change(ready, daemon, lambda said: said["salesforce"].update(read_timeout="1s"))
        assert (wires() is not here, daemon.app.tools.wires) == (True, wires)


@pytest.mark.parametrize("workers", [2, 12])
def test_workers_come_and_go(ready, workers):
    with serving(ready) as daemon:
        await_first_tokens(ready, daemon)
        change(ready, daemon, lambda said: said["fleet"].update(workers=workers))
        until(lambda: len(daemon.crew.threads) == workers, "as many as wanted")
        assert (daemon.crew.whole(), daemon.ready.most_per_host) == (True, workers * 3 // 4)
        change(ready, daemon, SHORTER)
        until(lambda: daemon.stations["globex"].terms.refresh_every == timedelta(seconds=7), "they work")
    assert not ready.told("heartbeat.late")


def test_a_worker_that_is_too_many_ends_its_step_first(ready):
    with serving(ready, lambda said: said["fleet"].update(workers=2)) as daemon:
        await_first_tokens(ready, daemon)
        _hangs, free = hold(daemon, "globex")
        change(ready, daemon, lambda said: said["fleet"].update(workers=1))
        until(lambda: len(daemon.crew.threads) == 1, "the idle one left")
        free.set()
        until(lambda: not daemon.ready.waits("globex"), "its step came to an end")
        assert daemon.crew.whole()


def test_the_brake_stays_on_and_who_left_counts_no_more(lab):
    failed = Entry(2, Reason.ROTATION, Outcome.RESTORED, NOON, NOON, deployed=True)
    with lab.application(lambda said: said["fleet"].update(stop_after_failures=2)) as app:

        def renew(**fleet):
            app.renew(app.prepare(lab.configuration(lambda said: said["fleet"].update(fleet))))

        stations, neighbours = app.driver.stations, app.driver.neighbours
        for name in ("acme", "globex"):
            stations[name].record = replace(stations[name].record, history=(failed,))
            neighbours.note(stations[name], stations[name].record)
        assert neighbours.braked() == ["acme", "globex"]
        renew(stop_after_failures=2, workers=3)
        assert app.driver.braked() == ["acme", "globex"]
        renew(stop_after_failures=3)
        assert app.driver.braked() == []
        renew(stop_after_failures=1)
        app.driver.forget("acme")
        assert app.driver.braked() == ["globex"]


def test_rounds_come_as_often_as_the_configuration_says_now(ready):
    with serving(ready) as daemon:
        await_first_tokens(ready, daemon)
        change(ready, daemon, lambda said: said["fleet"].update(reconcile_every="1h"))
        assert daemon.timer._rounds["rounds"][0] == daemon.reconcile_every == timedelta(hours=1)
