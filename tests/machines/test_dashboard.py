"""The dashboard: its shape as Grafana reads it, and each of its queries on a real Prometheus that scrapes a daemon at work.

Grafana itself is in no package registry that the tests may ask, so nobody has looked at a picture of it here.
"""

from __future__ import annotations

import itertools
import json
import re
import secrets
from pathlib import Path

import pytest

from rotator import events
from tests.machines.prometheus import prometheus
from tests.world.rude import CALM
from tests.world.site import site

FILE = Path(__file__).parents[2] / "config" / "grafana" / "rotator.json"
BOARD = json.loads(FILE.read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
COLUMNS = 24
KINDS = {"stat", "bargauge", "table", "timeseries"}
UNITS = {"none", "s", "ops", "bytes"}
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
VARIABLES = {"$instance": ".*", "$credential": ".*", "$__rate_interval": "1m"}

EMPTY_IN_CALM = {
    "Alerts that fire",
    "Troubles on record",
    "Changes under way",
    "Events that call a person",
    "Clock skew",
}
"""Panels that show nothing while all is well."""


def _cells(panel):
    at = panel["gridPos"]
    return set(itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])))


def _filled_in(expression):
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    assert "$" not in expression, expression
    return expression


def test_panels_lie_side_by_side_within_the_width():
    taken = [cell for panel in BOARD["panels"] for cell in _cells(panel)]
    assert len(taken) == len(set(taken))
    assert max(column for column, _row in taken) < COLUMNS
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows_in_which_unit_and_from_where(panel):
    assert panel["type"] in KINDS
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["datasource"] == DATASOURCE
    assert all(target["datasource"] == DATASOURCE for target in panel["targets"])
    references = [target["refId"] for target in panel["targets"]]
    assert len(references) == len(set(references)) > 0
    assert "color" in panel["fieldConfig"]["defaults"]


def test_data_source_daemon_and_credential_can_be_chosen():
    variables = {one["name"]: one for one in BOARD["templating"]["list"]}
    assert list(variables) == ["datasource", "instance", "credential"]
    used = set(re.findall(r"\$(\w+)", json.dumps(BOARD["panels"] + BOARD["annotations"]["list"])))
    assert used - {"__rate_interval"} == {"instance", "credential"}
    assert (BOARD["uid"], BOARD.get("id")) == ("rotator", None)


def test_all_events_that_call_a_person_are_on_it():
    (panel,) = [panel for panel in PANELS if panel["title"] == "Events that call a person"]
    (names,) = re.findall(r'event=~"([^"]+)"', panel["targets"][0]["expr"])
    assert names.split("|") == [event.name for event in events.CATALOGUE if event.alert]


@pytest.mark.timeout(300)
def test_every_query_is_answered_by_a_prometheus_that_scrapes_a_daemon_at_work(tmp_path, figures):
    token, secret = secrets.token_urlsafe(24), tmp_path / "web-token"
    secret.touch(mode=0o600)
    secret.write_text(token)

    def with_port(said):
        said["web"] = {"listen": "127.0.0.1:0", "token": {"file": str(secret)}}

    queries = {panel["title"]: [_filled_in(one["expr"]) for one in panel["targets"]] for panel in PANELS}
    with site(edit=with_port, weather=CALM) as here:
        daemon_url = here.journal.wait_for("web.listening")["url"]
        with prometheus(tmp_path / "prometheus", daemon_url, token) as asked:
            here.until("it is scraped", lambda: asked.query("rotator_build_info"))
            here.rotate("acme")
            seen = {}

            def shown():
                seen.update({title: [asked.query(one) for one in told] for title, told in queries.items()})
                return {title for title, found in seen.items() if not all(found)} == EMPTY_IN_CALM

            try:
                here.until("every panel shows what it should", shown)
            except AssertionError:
                pytest.fail(f"empty: {sorted(title for title, found in seen.items() if not all(found))}")
            for name in ("instance", "credential"):
                (variable,) = [one for one in BOARD["templating"]["list"] if one["name"] == name]
                metric, label = re.fullmatch(
                    r"label_values\((.+), (\w+)\)", variable["query"]["query"]
                ).groups()
                assert {one["metric"][label] for one in asked.query(_filled_in(metric))}
            for note in BOARD["annotations"]["list"]:
                asked.query(_filled_in(note["expr"]))
            groups = asked.ask("rules")["groups"]
            assert [rule for group in groups for rule in group["rules"] if rule["health"] == "err"] == []
            assert [alert for alert in asked.ask("alerts")["alerts"] if alert["state"] == "firing"] == []
        here.daemon.stop()
    figures(
        dashboard_panels=len(PANELS),
        queries=sum(map(len, queries.values())),
        empty_in_calm=len(EMPTY_IN_CALM),
    )
