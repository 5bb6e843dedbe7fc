"""The daemon in this process: nothing is lost, nothing holds the others, troubles are told once."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

from rotator.core.effects import Do, Nothing, Wait
from rotator.core.model import Ask, Phase
from rotator.errors import Misconfigured, Transient
from rotator.performer.station import Held
from rotator.run import daemon as module
from rotator.run.daemon import Daemon
from rotator.secret import Secret
from rotator.vault.codec import TokenDocument
from tests.world.lab import GLOBEX, Clock, Lab
from tests.world.serving import PATIENCE_SECONDS, Manager, serving, take_step, until

USER = GLOBEX[0]
HOUR = timedelta(hours=1)


def published(lab: Lab):
    return lambda: lab.told("token.published", user=USER)


def test_it_serves_all_that_is_configured(ready):
    with serving(ready) as daemon:
        until(lambda: len(ready.told("token.published")) == 3, "three tokens")
        assert daemon.rounds.sentence() == "3 credentials: 3 steady"
        assert daemon.notifier.heard[0] == "READY=1"
        until(lambda: "WATCHDOG=1" in daemon.notifier.heard, "the watchdog is fed")
        until(lambda: ready.told("vault.login", method="token"), "the login is told")
    assert ready.told("daemon.stopped")


def test_it_is_ready_without_vault_and_takes_everything_up_when_vault_is_there(ready):
    ready.vault.seal()
    with serving(ready) as daemon:
        assert daemon.notifier.heard[0] == "READY=1"
        until(lambda: ready.told("vault.sealed"), "told that Vault is sealed")
        until(lambda: daemon._failures["globex"] >= 2, "tried twice")
        ready.vault.unseal()
        until(lambda: len(ready.told("token.published")) == 3, "three tokens")
    assert len(ready.told("vault.sealed")) == len(ready.told("vault.recovered")) == 1


def test_a_damaged_record_stops_its_credential_and_is_not_told_as_vault_being_away(ready):
    ready.put("acme/record", {"phase": "nonsense", "schema": 1})
    with serving(ready) as daemon:
        until(published(ready), "the others are served")
        until(lambda: daemon._failures["acme"] >= 3, "tried again and again")
        (line,) = ready.told("vault.document_unusable")
        assert (line["credential"], line["runbook"]) == ("acme", "vault-document")
        ready.steady("acme")
        until(lambda: ready.told("token.published", credential="acme"), "taken up after it was mended")
    assert len(ready.told("vault.document_usable", credential="acme")) == 1
    assert not ready.told("vault.recovered")
    assert not ready.told("vault.unavailable")


def test_a_request_that_cannot_be_read_is_told_once_and_keeps_nobody_from_work(ready):
    ready.put("-/requests/globex", {"request": "nonsense", "schema": 1})
    with serving(ready) as daemon:
        until(published(ready), "its tokens are served")
        steps = daemon.steps
        until(lambda: daemon.steps > steps + 10, "some rounds later")
    assert len(ready.told("vault.document_unusable", credential="globex")) == 1


def test_each_step_tells_how_late_it_came_unless_it_came_before_its_time(ready):
    with serving(ready) as daemon:
        until(published(ready), "its token is published")
        for ahead, is_late in ((HOUR, False), (-HOUR, True)):
            until(lambda: not daemon.ready.waits("globex"), "no step is under way")
            steps = len(ready.told("step.taken", credential="globex"))
            daemon.due["globex"] = datetime.now(UTC) + ahead
            daemon.offer("globex")
            until(lambda steps=steps: len(ready.told("step.taken", credential="globex")) > steps, "a step")
            (step, *_later) = ready.told("step.taken", credential="globex")[steps:]
            assert (step.get("late_seconds", 0) >= HOUR.total_seconds()) == is_late
            assert step["seconds"] >= 0


def test_workers_that_end_because_the_daemon_stops_are_not_late(ready):
    with serving(ready) as daemon:
        until(published(ready), "served")
    assert not any(thread.is_alive() for thread in daemon.crew.threads)
    daemon.beat()
    assert ready.told("heartbeat.late") == []


def test_a_request_for_a_name_that_is_not_configured_is_told_once(ready):
    ready.ask("acne", Ask.PAUSE)
    with serving(ready) as daemon:
        until(lambda: ready.told("request.refused", credential="acne"), "told")
        rounds = len(daemon.notifier.heard)
        until(lambda: len(daemon.notifier.heard) > rounds + 3, "some rounds later")
    assert len(ready.told("request.refused")) == 1


def test_a_request_is_taken_within_a_round_and_deleted(ready):
    with serving(ready) as daemon:
        until(published(ready), "served")
        ready.ask("globex", Ask.PAUSE)
        until(lambda: ready.told("request.accepted", ask="pause", by="tester"), "accepted")
        until(lambda: not daemon.app.documents.list_requests(), "deleted")
        until(lambda: "globex" not in daemon.asked, "not looked for any more")
    assert ready.record("globex").paused is not None


def test_an_error_that_nobody_foresaw_is_told_and_the_credential_comes_back(ready, monkeypatch):
    monkeypatch.setattr(module, "SURPRISE", timedelta(milliseconds=20))

    def arrange(daemon):
        step, broken = daemon.driver.step, iter(range(2))

        def surprising(name):
            if name == "globex" and next(broken, None) is not None:
                raise ZeroDivisionError
            return step(name)

        daemon.driver.step = surprising

    with serving(ready, before=arrange):
        until(published(ready), "served after all")
    assert [line["error"] for line in ready.told("step.failed", credential="globex")] == [
        "ZeroDivisionError"
    ] * 2


def test_a_worker_survives_whatever_happens_outside_of_a_step(ready):
    def arrange(daemon):
        arm, broken = daemon.timer.arm, iter(range(5))

        def surprising(name, at):
            if next(broken, None) is not None:
                raise ZeroDivisionError
            arm(name, at)

        daemon.timer.arm = surprising

    with serving(ready, before=arrange) as daemon:
        until(lambda: len(ready.told("token.published")) == 3, "all are served")
        assert all(thread.is_alive() for thread in daemon.crew.threads)
        until(lambda: "globex" in daemon.due, "the next step is planned")


def test_a_part_of_a_round_that_fails_is_told_and_keeps_the_others_from_nothing(ready):
    def arrange(daemon):
        def surprising():
            raise ZeroDivisionError

        daemon.driver.braked = surprising

    with serving(ready, before=arrange) as daemon:
        until(lambda: len(ready.told("round.failed", part="look_at_brake")) > 1, "told at each round")
        until(lambda: [said for said in daemon.notifier.heard if said.startswith("STATUS=")][1:], "status")


def test_a_timer_that_lost_its_job_is_armed_again_by_the_round(ready):
    with serving(ready) as daemon:
        until(published(ready), "served")
        until(lambda: not daemon.ready.waits("globex") and "globex" in daemon.due, "waits")
        daemon.timer._scheduler.remove_job("at:globex")
        steps, daemon.due["globex"] = [], daemon.due["globex"] - timedelta(hours=1)
        step = daemon.driver.step
        daemon.driver.step = lambda name: steps.append(name) or step(name)
        until(lambda: "globex" in steps, "taken up by a round")


def test_an_org_that_hangs_does_not_hold_the_others(lab):
    """Six credentials hang in one org; the one of another org has its step meanwhile."""
    hung, free = threading.Event(), threading.Event()
    with lab.application(lambda said: said["fleet"].update(workers=2)) as app:
        daemon = Daemon(app, Manager())
        hosts = {"globex": "well", "acme": "hung", "deployer": "hung"}
        daemon.ready._host_of = hosts.__getitem__
        daemon.ready.most_per_host = 1

        def step(name):
            if hosts[name] == "hung":
                hung.set()
                free.wait(PATIENCE_SECONDS)
            else:
                hung.wait(PATIENCE_SECONDS)
                done.append(name)
            return Wait(None, "")

        done: list[str] = []
        daemon.driver.step = step
        daemon.start()
        until(lambda: done, "the other org has its step")
        assert not free.is_set()
        free.set()
        assert daemon.stop("test")


def test_a_jump_of_the_clock_lets_everything_be_decided_anew(ready):
    with serving(ready) as daemon:
        until(published(ready), "served")
        until(lambda: not daemon.ready.waits("globex"), "waits")
        station = daemon.stations["globex"]
        station.held["prove"] = station.held[f"mint:{USER}"]
        wall, steady = daemon.rounds._clocks
        daemon.rounds._clocks = (wall - timedelta(hours=1), steady)
        until(lambda: ready.told("clock.jumped"), "told")
        until(lambda: not station.doubted and station.held.get("prove") is None, "read again")
    assert abs(ready.told("clock.jumped")[0]["seconds"] - 3600) < 5


def test_clocks_that_differ_are_told_once_and_once_that_they_agree_again(ready):
    ready.control.clock(offset_seconds=90 - ready.servers.aged)
    with serving(ready) as daemon:
        until(lambda: ready.told("clock.skewed"), "told")
        rounds = len(daemon.notifier.heard)
        until(lambda: len(daemon.notifier.heard) > rounds + 3, "some rounds later")
        ready.control.clock(offset_seconds=-ready.servers.aged)
        ready.control.kill_sessions()  # so that the org is asked again soon
        until(lambda: ready.told("clock.agrees"), "told that it is over")
    (line,) = ready.told("clock.skewed")
    assert [over["peer"] for over in ready.told("clock.agrees")] == [line["peer"]]
    assert line["peer"] == ready.servers.org.url.removeprefix("http://")
    assert 80 < line["seconds"] < 100


def test_the_watchdog_is_not_fed_when_a_worker_is_gone(ready):
    with serving(ready) as daemon:
        until(lambda: "WATCHDOG=1" in daemon.notifier.heard, "fed")
        gone = threading.Thread(target=lambda: None)
        gone.start()
        gone.join()
        daemon.crew.threads.append(gone)
        until(lambda: ready.told("heartbeat.late", part="workers"), "told")
        daemon.crew.threads.remove(gone)


def test_the_watchdog_is_not_fed_while_one_step_of_many_hangs(ready):
    """Fewer credentials than workers, and only one of them hangs."""
    free = threading.Event()

    def arrange(daemon):
        step = daemon.driver.step
        daemon.driver.step = lambda name: step(name) if name != "globex" else hang()

    def hang():
        free.wait(PATIENCE_SECONDS)
        return Wait(None, "")

    with serving(ready, before=arrange) as daemon:
        until(lambda: "globex" in daemon.ready.running(), "it hangs")
        until(lambda: "WATCHDOG=1" in daemon.notifier.heard, "fed as long as it may take")
        began, host = daemon.ready._began["globex"]
        daemon.ready._began["globex"] = began - 24 * 3600, host
        until(lambda: ready.told("heartbeat.late", part="step"), "told")
        fed = daemon.notifier.heard.count("WATCHDOG=1")
        daemon.beat()
        assert daemon.notifier.heard.count("WATCHDOG=1") == fed
        free.set()
        until(lambda: daemon.notifier.heard.count("WATCHDOG=1") > fed, "fed again")
    (line,) = ready.told("heartbeat.late")
    assert (line["credential"], line["runbook"]) == ("globex", "daemon-does-not-move")
    assert line["seconds"] > line["limit_seconds"] > 0


def test_the_watchdog_is_not_fed_while_a_round_hangs(ready):
    free = threading.Event()

    def hang():
        free.wait(PATIENCE_SECONDS)
        return []

    def arrange(daemon):
        daemon.driver.braked = hang

    with serving(ready, before=arrange) as daemon:
        until(daemon.rounds.seconds, "it hangs")
        daemon.beat()
        assert "WATCHDOG=1" in daemon.notifier.heard
        daemon.rounds._began -= 3600
        until(lambda: ready.told("heartbeat.late", part="round"), "told")
        fed = daemon.notifier.heard.count("WATCHDOG=1")
        daemon.beat()
        assert daemon.notifier.heard.count("WATCHDOG=1") == fed
        free.set()
        until(lambda: daemon.notifier.heard.count("WATCHDOG=1") > fed, "fed again")
    assert len(ready.told("heartbeat.late")) == 1


def test_the_watchdog_is_not_fed_while_no_worker_takes_what_is_queued(ready):
    with ready.application() as app:
        daemon = Daemon(app, Manager())
        daemon.ready.moved_at -= 3600  # nothing was to be done for an hour
        daemon.offer_all()
        daemon.beat()
        assert daemon.notifier.heard == ["WATCHDOG=1"]
        daemon.ready.moved_at -= 60
        daemon.beat()
        assert daemon.notifier.heard == ["WATCHDOG=1"]
        daemon.ready.take()
        daemon.beat()
        assert daemon.notifier.heard == ["WATCHDOG=1"] * 2
    assert ready.told("heartbeat.late", part="queue")


def test_a_sign_of_life_that_cannot_be_given_is_told_once(ready, tmp_path):
    with ready.application() as app:
        daemon = Daemon(app, Manager(), tmp_path / "gone" / "sign")
        daemon.beat()
        daemon.beat()
        assert len(ready.told("life_sign.failed")) == 1
        assert daemon.notifier.heard == ["WATCHDOG=1"] * 2
        (tmp_path / "gone").mkdir()
        daemon.beat()
        (tmp_path / "gone" / "sign").unlink()
        (tmp_path / "gone").rmdir()
        daemon.beat()
    assert len(ready.told("life_sign.failed")) == 2


def test_a_daemon_that_hangs_gives_no_sign_of_life(ready, tmp_path):
    with ready.application() as app:
        daemon = Daemon(app, Manager(), tmp_path / "sign")
        daemon.rounds._began = -1e9
        daemon.beat()
        assert not (tmp_path / "sign").exists()


def test_it_stops_within_seconds_in_the_middle_of_a_change_and_the_next_one_ends_it(ready):
    with serving(ready) as daemon:
        until(
            lambda: ready.told("key.promoted") or daemon.driver.stations["deployer"].record.current, "known"
        )
        until(published(ready), "served")
        ready.ask("globex", Ask.ROTATE)
        until(lambda: ready.told("deploy.sent"), "in the middle of a change")
        began = time.monotonic()
    assert time.monotonic() - began < module.STOP_SECONDS
    assert ready.record("globex").phase in (Phase.DEPLOYING, Phase.PROVING)
    with serving(ready):
        until(lambda: ready.told("key.promoted", serial=2), "promoted by the next daemon")
    assert ready.data(f"globex/tokens/{USER}")["instance_url"]


def test_two_daemons_on_one_vault_agree(ready):
    with serving(ready) as one, serving(ready) as two:
        until(lambda: len(ready.told("token.published", user=USER)) >= 1, "served")
        ready.ask("globex", Ask.ROTATE)
        until(lambda: ready.told("key.promoted", serial=2), "rotated")
        for daemon in (one, two):
            daemon.driver.stations["globex"].doubt()
            daemon.offer("globex")
        until(lambda: {d.driver.stations["globex"].record.current for d in (one, two)} == {2}, "both know")
    assert len(ready.told("key.promoted", serial=2)) == 1
    assert len([d for d in ready.control.state()["deploys"] if not d["check_only"]]) == 1


def test_the_next_time_is_set_before_another_worker_can_have_the_credential(ready):
    """Offered in the middle of its step, a credential has another one; the time of that one counts."""
    with ready.application() as app:
        daemon = Daemon(app, Manager())
        clock, armed = Clock(), []

        def step(name):
            first = not armed
            if first:
                daemon.offer(name)
            return Wait(clock() + (timedelta(hours=1) if first else timedelta(minutes=1)), "")

        daemon.driver.step = step
        daemon.timer.arm = lambda _name, at: armed.append((at, daemon.ready.waits("globex")))
        daemon.crew.resize(1)
        daemon.offer("globex")
        until(lambda: len(armed) == 2, "two steps")
        daemon.ready.close()
        assert daemon.crew.join(PATIENCE_SECONDS)
    assert armed[1][0] < armed[0][0]
    assert all(held for _at, held in armed)


def test_those_whose_tokens_have_run_out_take_turns_behind_each_other_and_before_the_rest(lab):
    """Otherwise the one that ran out first, in an org that hangs, would let no other have a step."""
    now = datetime.now(UTC)
    ends = {
        "acme": now - timedelta(hours=1),
        "globex": now - timedelta(hours=2),
        "deployer": now + timedelta(hours=1),
    }
    with lab.application() as app:
        daemon = Daemon(app, Manager())
        for name, end in ends.items():
            document = TokenDocument(
                Secret("t"), "Bearer", "", "", "u", now, now, end, end, "", 1, "", 1, prolongable=True
            )
            daemon.stations[name].tokens["u"] = (document, 1)
        for name in ("deployer", "acme", "globex"):
            daemon.offer(name)
        assert [daemon.ready.take() for _ in ends] == ["acme", "globex", "deployer"]


def test_whoever_waits_for_others_looks_again_soon_and_the_rest_when_their_time_comes(ready):
    with ready.application() as app:
        daemon = Daemon(app, Manager())
        clock = Clock()
        daemon.driver.step = lambda _name: Wait(clock() + timedelta(hours=1), "")
        station = daemon.stations["globex"]
        app.driver.refresh(station)
        assert take_step(daemon, "globex") > clock() + timedelta(minutes=50)
        object.__setattr__(station.record, "phase", Phase.STAGED)
        assert take_step(daemon, "globex") <= clock() + daemon.reconcile_every
        daemon.driver.step = lambda _name: Do(Nothing(), "")
        assert take_step(daemon, "globex") <= clock()


def test_while_a_new_login_is_refused_the_old_token_serves_and_it_is_told_once(ready):
    with serving(ready) as daemon:
        until(lambda: ready.told("vault.login"), "logged in")
        until(published(ready), "served")

        def fails(_now):
            raise Misconfigured("no", code="vault.login.refused", hint="Mend it.")

        daemon.app.client.keep_alive = fails
        until(lambda: ready.told("vault.login_failed"), "told")
        rounds = len(daemon.notifier.heard)
        until(lambda: len(daemon.notifier.heard) > rounds + 3, "some rounds later")
    assert len(ready.told("vault.login_failed")) == 1
    assert not ready.told("vault.recovered")


def test_an_outage_at_a_renewal_is_told_as_the_outage_that_it_is_and_requests_are_looked_for(ready):
    with serving(ready) as daemon:
        until(lambda: ready.told("vault.login"), "logged in")
        away = [
            Transient("Vault failed", code="vault.unavailable", maybe_done=True, hint="Mend it.")
        ]  # as any POST may be

        def fails(_now):
            if away:
                raise away[0]

        daemon.app.client.keep_alive = fails
        until(lambda: ready.told("vault.unavailable"), "told")
        ready.ask("globex", Ask.PAUSE)
        until(lambda: ready.told("request.accepted"), "requests are taken")
        assert not ready.told("vault.recovered")
        wrote, daemon.weather.wrote = (
            daemon.weather.wrote,
            lambda _error: None,
        )  # nothing is written meanwhile
        away.clear()
        until(lambda: ready.told("vault.recovered"), "back")
        daemon.weather.wrote = wrote
    assert len(ready.told("vault.unavailable")) == 1
    assert not ready.told("vault.login_failed")


def test_a_token_that_ends_and_that_no_login_replaces_is_told(ready):
    short = ready.vault.make_token(["root"], ttl="1h", renewable=False)
    with ready.application() as app:
        (ready.folder / "root").write_text(short)
        daemon = Daemon(app, Manager())
        daemon.rounds.look_at_vault()
        daemon.rounds.look_at_vault()
    assert len(ready.told("vault.token_ending")) == 1


def test_when_vault_is_back_nobody_waits_for_the_end_of_a_pause(ready):
    with ready.application() as app:
        daemon = Daemon(app, Manager())
        daemon.rounds.look_at_vault()
        assert daemon.ready.sizes() == (0, 0)
        daemon.weather.failed(Transient("Vault is sealed", code="vault.sealed", hint="Mend it."))
        until = Clock()() + timedelta(minutes=5)
        for station in daemon.stations.values():
            station.held["touch:somebody"] = Held(9, until, "vault.sealed")
            station.held["mint:somebody"] = Held(9, until, "salesforce.login_budget")
        daemon.rounds.look_at_vault()
        assert daemon.ready.sizes() == (3, 0)
        for station in daemon.stations.values():
            assert station.held_back() == {"mint:somebody": until}
            assert station.held["touch:somebody"].failures == 9  # what fails again waits as long as before
