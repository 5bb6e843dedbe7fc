"""The configuration changes under a daemon that runs: only what must changes with it, and between two steps."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from rotator.core.model import Ask, Entry, Phase, Reason
from rotator.core.outcome import Outcome
from rotator.performer.station import Held
from rotator.run import reload as module
from rotator.run.daemon import Daemon
from rotator.run.reload import reread
from rotator.run.sight import sight
from tests.world.lab import NAMES, Edit, Lab, credential
from tests.world.serving import PATIENCE_SECONDS, often, serving, until

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)
SHORTER = credential("globex", session={"refresh_every": "7s"})


@pytest.fixture
def ready(lab):
    lab.steady()
    return lab


def change(lab: Lab, daemon: Daemon, *edits: Edit) -> None:
    """Write the configuration, edited, and let the daemon read it."""
    lab.configuration(often, *edits)
    reread(daemon)


def without(*names: str) -> Edit:
    return lambda said: [said["credentials"].pop(name) for name in names]


def named_anew(said) -> None:
    said["credentials"]["umbrella"] = said["credentials"].pop("globex")


def await_first_tokens(lab: Lab, daemon: Daemon) -> None:
    """Wait until all have their tokens, each has a time for its next step, and a round has been."""
    until(lambda: len(lab.told("token.published")) == 3, "three tokens")
    until(lambda: daemon.due.keys() == set(NAMES) and daemon.ready.sizes() == (0, 0), "all wait")
    until(lambda: lab.told("vault.login"), "a round tells of the login")


def hold(daemon: Daemon, name: str) -> tuple[threading.Event, threading.Event]:
    """Let the steps of a credential hang; return what tells that one does, and what lets them go on."""
    hangs, free = threading.Event(), threading.Event()
    step = daemon.driver.step

    def held(of: str):
        if of == name:
            hangs.set()
            free.wait(PATIENCE_SECONDS)
        return step(of)

    daemon.driver.step = held
    daemon.offer(name)
    assert hangs.wait(PATIENCE_SECONDS)
    return hangs, free


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
        stations, neighbours = app.driver.stations, app.driver.neighbours
        for name in ("acme", "globex"):
            stations[name].record = replace(stations[name].record, history=(failed,))
            neighbours.note(stations[name], stations[name].record)
        assert neighbours.braked() == ["acme", "globex"]
        app.renew(lab.configuration(lambda said: said["fleet"].update(stop_after_failures=2, workers=3)))
        assert app.driver.braked() == ["acme", "globex"]
        app.renew(lab.configuration(lambda said: said["fleet"].update(stop_after_failures=3)))
        assert app.driver.braked() == []
        app.renew(lab.configuration(lambda said: said["fleet"].update(stop_after_failures=1)))
        app.driver.forget("acme")
        assert app.driver.braked() == ["globex"]


def test_rounds_come_as_often_as_the_configuration_says_now(ready):
    with serving(ready) as daemon:
        await_first_tokens(ready, daemon)
        change(ready, daemon, lambda said: said["fleet"].update(reconcile_every="1h"))
        assert daemon.timer._rounds["rounds"][0] == daemon.reconcile_every == timedelta(hours=1)


# -- what is told


def test_the_service_manager_hears_when_a_reload_begins_and_when_it_is_over(ready):
    with serving(ready) as daemon:
        heard = daemon.notifier.heard
        heard.clear()
        change(ready, daemon, SHORTER)
        told = [message for message in heard if not message.startswith(("WATCHDOG", "STATUS"))]
        assert (told[0].partition("=")[0], told[1:]) == ("RELOADING", ["READY=1"])


def test_what_was_refused_stands_in_the_status_until_it_is_mended(ready):
    with serving(ready) as daemon:
        await_first_tokens(ready, daemon)
        before, heard = daemon.app.configuration, daemon.notifier.heard
        file = before.file
        text = file.read_text()
        file.write_text(text.replace("reconcile_every", "reconcile_evry"))
        reread(daemon)
        assert daemon.app.configuration is before
        assert "READY=1" in heard[-3:]
        assert "reconcile_evry" in daemon.rounds.sentence()
        assert ready.told("configuration.refused")[0]["runbook"] == "configuration"
        assert "reconcile_evry" in sight(daemon)().refusal.message
        file.write_text(text)
        reread(daemon)
        assert "reconcile_evry" not in daemon.rounds.sentence()
        assert sight(daemon)().refusal is None


def test_an_included_file_that_does_not_hold_is_told_with_those_who_keep_their_settings(ready):
    with serving(ready) as daemon:
        await_first_tokens(ready, daemon)
        main = daemon.app.configuration.file
        said = yaml.safe_load(main.read_text())
        part = main.parent / "part.yaml"
        part.write_text(yaml.safe_dump({"credentials": {"globex": said["credentials"].pop("globex")}}))
        main.write_text(yaml.safe_dump(said | {"include": ["part.yaml"]}))
        station = daemon.stations["globex"]
        reread(daemon)
        part.write_text("credentials: [")
        reread(daemon)
        moved, refused = ready.told("configuration.reloaded")
        assert (moved["changed"], refused["kept"], refused["removed"]) == ([], ["globex"], [])
        (line,) = ready.told("configuration.file_refused")
        assert (line["file"], line["kept"], line["alert"]) == (str(part), ["globex"], True)
        assert "is not YAML" in line["mistakes"]
        assert f"{part} refused" in daemon.rounds.sentence()
        seen = sight(daemon)()
        assert (list(seen.refused), list(seen.aside)) == ([str(part)], [])
        assert daemon.stations["globex"] is station


def test_who_is_kept_stands_in_the_status_until_that_is_mended(ready):
    with serving(ready) as daemon:
        change(ready, daemon)
        said = yaml.safe_load(daemon.app.configuration.file.read_text())
        said["credentials"]["globex"]["session"] = {"verify_every": "5 min"}
        daemon.app.configuration.file.write_text(yaml.safe_dump(said))
        reread(daemon)
        assert "globex served with former settings" in daemon.rounds.sentence()
        change(ready, daemon)
        assert "globex" not in daemon.rounds.sentence()


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda said: said["vault"]["login"].update(token={"file": "absent"}), id="secret"),
        pytest.param(lambda said: said["salesforce"].update(ca_file="absent.pem"), id="ca_file"),
    ],
)
def test_where_a_file_cannot_be_read_the_whole_is_refused(ready, edit):
    with serving(ready) as daemon:
        await_first_tokens(ready, daemon)
        before = daemon.app.configuration
        change(ready, daemon, edit, without("globex"))
        assert "absent" in ready.told("configuration.refused")[0]["mistakes"]
        assert (daemon.app.configuration, len(daemon.stations)) == (before, 3)
        assert daemon.app.documents.read_record("globex")[1]


def test_an_error_that_nobody_foresaw_leaves_the_configuration_in_force(ready, monkeypatch):
    def surprising(_old):
        raise ZeroDivisionError

    with serving(ready) as daemon:
        before = daemon.app.configuration
        monkeypatch.setattr(module, "reload", surprising)
        reread(daemon)
        assert daemon.app.configuration is before
    (line,) = ready.told("configuration.refused")
    assert line["mistakes"].startswith("ZeroDivisionError")
    assert "Traceback" in line["exception"]
