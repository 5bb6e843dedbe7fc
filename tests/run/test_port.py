"""The port of a real daemon: what it shows is true, and it outlives the configuration that it began with."""

from __future__ import annotations

import json
import signal
import threading
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families as read

from rotator.config.web import WebConfig
from rotator.errors import Misconfigured
from rotator.run.reload import reread
from rotator.run.sight import sight
from rotator.vault.login import Authenticator
from rotator.web import Port
from tests.run.test_daemon import serving, until
from tests.run.test_serve import edit, process, send
from tests.web.conftest import Visitor
from tests.world.serving import PATIENCE_SECONDS, often

__all__ = ["process"]


def url_of(journal, since=0) -> str:
    return journal.wait_for("web.listening", since=since)["url"]


def values(visitor: Visitor) -> dict[tuple[str, ...], float]:
    families = read(visitor.get("/metrics").text)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_daemon_shows_that_it_lives_what_it_serves_and_what_it_did(process):
    _daemon, journal, _file = process
    visitor = Visitor(url_of(journal))
    assert (visitor.get("/livez").status, visitor.get("/readyz").status) == (200, 200)
    until(lambda: values(visitor)["rotator_events_total", "token.published"] == 3, "all tokens are published")
    assert json.loads(visitor.get("/readyz/globex").body)["phase"] == "steady"

    def is_shown() -> bool:
        shown = values(visitor)
        return (
            shown["rotator_credentials",] == 3
            and shown["rotator_credential_phase", "acme", "steady"] == 1
            and shown["rotator_vault_up",] == 1
            and shown["rotator_effect_duration_seconds_count", "mint"] >= 3
            and shown["rotator_steps_total",] >= 3
        )

    until(is_shown, "all of it is shown")


def test_it_serves_on_while_the_configuration_is_read_again_and_shows_the_new_one(process):
    daemon, journal, file = process
    url = url_of(journal)
    edit(file, lambda said: said["credentials"].pop("globex"))
    mark = journal.mark()
    send(daemon, signal.SIGHUP)
    journal.wait_for("configuration.reloaded", since=mark)
    visitor = Visitor(url)
    until(lambda: values(visitor)["rotator_credentials",] == 2, "the new configuration is shown")
    shown = values(visitor)
    assert shown["rotator_configuration_reloads_total", "loaded"] == 1
    assert not [labels for labels in shown if "globex" in labels]
    assert not journal.find("web.listening", since=mark)


def test_a_reload_moves_the_port_and_a_token_that_cannot_be_read_changes_nothing(process):
    daemon, journal, file = process
    before = url_of(journal)
    mark = journal.mark()
    edit(file, lambda said: said.update(web={"listen": "127.0.0.1:0", "token": {"file": "web-token"}}))
    send(daemon, signal.SIGHUP)
    assert "web.token" in journal.wait_for("configuration.refused", since=mark)["mistakes"]
    assert Visitor(before).get("/metrics").status == 200
    token = file.parent / "web-token"
    token.write_text("0123456789abcdef0123456789abcdef")
    token.chmod(0o600)
    edit(file, lambda said: said["web"].update(listen="localhost:0"))
    send(daemon, signal.SIGHUP)
    after = url_of(journal, since=mark)
    assert urlsplit(after).port != urlsplit(before).port
    assert Visitor(after).get("/metrics").status == 401
    headers = {"Authorization": f"Bearer {token.read_text()}"}
    assert Visitor(after).send("/metrics", "GET", headers).status == 200
    with pytest.raises(ConnectionRefusedError):
        Visitor(before).get("/livez")
    assert token.read_text() not in "".join(journal.text)


@contextmanager
def shown(lab):
    """A daemon in this process, and who looks at its port."""
    lab.steady()
    with serving(lab) as daemon, Port() as port:
        port.show(sight(daemon), daemon.is_alive)
        port.serve(WebConfig(listen="127.0.0.1:0"))
        visitor = Visitor(lab.told("web.listening")[0]["url"])
        until(lambda: visitor.get("/readyz").status == 200, "logged in to Vault")
        yield daemon, visitor


def test_a_sealed_vault_makes_it_unready_and_not_dead_and_the_page_tells_the_mend_of_the_log(lab):
    with shown(lab) as (_daemon, visitor):
        lab.vault.seal()
        until(lambda: visitor.get("/readyz").status == 503, "told that Vault cannot be used")
        assert values(visitor)["rotator_vault_up",] == 0
        assert visitor.get("/livez").status == 200
        until(lambda: "bao operator unseal" in visitor.get("/").text, "the mend is shown")
        shown_hint = visitor.get("/").text.replace("<code>", "`").replace("</code>", "`")
        assert lab.told("vault.sealed")[0]["hint"] in shown_hint


@pytest.mark.parametrize("takes_it", [True, False])
def test_other_settings_of_vault_are_tried_before_they_count_and_it_is_ready_all_the_while(
    lab, monkeypatch, takes_it
):
    tried, go_on = threading.Event(), threading.Event()
    log_in = Authenticator.log_in

    def slow(self, client, now):
        tried.set()
        assert go_on.wait(PATIENCE_SECONDS)
        if not takes_it:
            raise Misconfigured("no such role", code="vault.login", hint="Make it.")
        return log_in(self, client, now)

    with shown(lab) as (daemon, visitor):
        until(lambda: lab.told("vault.login"), "a round has been")
        before = daemon.app.client
        monkeypatch.setattr(Authenticator, "log_in", slow)
        lab.configuration(often, lambda said: said["vault"].update(timeout="11s"))
        reload = threading.Thread(target=reread, args=[daemon])
        reload.start()
        try:
            assert tried.wait(PATIENCE_SECONDS)
            assert (visitor.get("/readyz").status, values(visitor)["rotator_vault_up",]) == (200, 1)
            assert daemon.app.client is before
        finally:
            go_on.set()
            reload.join()
        assert [line["mistakes"] for line in lab.told("configuration.refused")] == (
            [] if takes_it else ["its Vault cannot be used: no such role\n  mend: Make it."]
        )
        assert (daemon.app.client is not before) == takes_it
        assert daemon.app.client.lease() is not None
        assert visitor.get("/readyz").status == 200


def test_an_org_that_is_down_changes_neither_answer_to_a_probe(lab):
    lab.control.knobs(maintenance=True)
    with shown(lab) as (daemon, visitor):
        until(lambda: lab.told("effect.done", policy="transient"), "a call has failed")
        steps = daemon.steps
        until(lambda: daemon.steps > steps + 6, "some steps later")
        assert (visitor.get("/livez").status, visitor.get("/readyz").status) == (200, 200)
        assert values(visitor)["rotator_errors_total", "transient"] >= 1


def test_a_daemon_that_has_not_moved_for_half_a_minute_is_not_alive(lab):
    with shown(lab) as (daemon, visitor):
        daemon.pulse.beat = lambda: False
        daemon.beaten_at -= 31
        assert visitor.get("/livez").status == 503
        del daemon.pulse.beat
        until(lambda: visitor.get("/livez").status == 200, "the next beat comes")
