"""What is told of a configuration that was read again, and what stands in the status until it is mended."""

from __future__ import annotations

from datetime import timedelta

import pytest
import yaml

from rotator.run import reload as module
from rotator.run.reload import reread
from rotator.run.sight import sight
from rotator.show import logs
from tests.world.reloading import SHORTER, await_first_tokens, change, without
from tests.world.serving import serving, until


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


def test_those_that_may_have_moved_into_a_file_that_does_not_hold_are_told_with_it(ready):
    with serving(ready) as daemon:
        await_first_tokens(ready, daemon)
        main = daemon.app.configuration.file
        said = yaml.safe_load(main.read_text())
        del said["credentials"]["globex"]
        main.write_text(yaml.safe_dump(said | {"include": ["part.yaml"]}))
        reread(daemon)
        (reloaded,) = ready.told("configuration.reloaded")
        assert (reloaded["kept"], reloaded["removed"]) == (["globex"], [])
        (line,) = ready.told("configuration.file_refused")
        assert line["kept"] == ["globex"]
        assert "include[0]: part.yaml does not exist" in line["mistakes"]
        assert "globex" in daemon.stations


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


def test_what_fails_once_a_configuration_is_in_force_is_not_told_as_its_refusal_and_is_made_up_for(ready):
    with serving(ready) as daemon:
        await_first_tokens(ready, daemon)
        resize = daemon.crew.resize

        def none_left(_size):
            daemon.crew.resize = resize
            raise RuntimeError("can't start new thread")

        daemon.crew.resize = none_left
        more = lambda said: said["fleet"].update(workers=12)  # noqa: E731
        change(ready, daemon, more, SHORTER)
        assert ready.told("round.failed", part="fit", error="RuntimeError")
        assert ready.told("configuration.reloaded", changed=["globex"])
        assert not ready.told("configuration.refused")
        assert "refused" not in daemon.rounds.sentence()
        until(lambda: daemon.stations["globex"].terms.refresh_every == timedelta(seconds=7), "in force")
        change(ready, daemon, more, SHORTER)
        until(lambda: len(daemon.crew.threads) == 12, "as many as wanted")


def test_a_reload_is_told_as_the_new_configuration_has_the_log(ready, monkeypatch):
    with serving(ready) as daemon:
        told = []
        monkeypatch.setattr(
            logs, "configure", lambda **log: told.append((log, ready.told("configuration.reloaded")))
        )
        change(ready, daemon, lambda said: said.update(log={"level": "debug"}))
    assert [(log["level"], before) for log, before in told] == [("debug", [])]
    assert ready.told("configuration.reloaded")


def test_no_write_in_another_vault_goes_unheard(ready):
    with serving(ready) as daemon:
        await_first_tokens(ready, daemon)
        follow, heard = daemon.members.follow, []

        def following(prepared):
            heard.append(prepared.documents._kv.on_write)
            follow(prepared)

        daemon.members.follow = following
        change(ready, daemon, lambda said: said["vault"].update(timeout="11s"))
        assert heard == [daemon.weather.wrote]


def test_the_same_configuration_again_plans_no_round_anew(ready):
    with serving(ready) as daemon:
        await_first_tokens(ready, daemon)
        planned = daemon.timer._scheduler.get_job("every:rounds")
        change(ready, daemon)
        assert daemon.timer._scheduler.get_job("every:rounds").trigger is planned.trigger
        change(ready, daemon, lambda said: said["fleet"].update(reconcile_every="1h"))
        assert daemon.timer._scheduler.get_job("every:rounds").trigger.interval == timedelta(hours=1)
