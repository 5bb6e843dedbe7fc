"""The alert rules, tried with promtool on what the exporter really tells."""

from __future__ import annotations

import json
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest
import yaml

from rotator import events
from rotator.core.model import Trouble
from tests.machines import exporter, situations
from tests.machines.exporter import Phase, scene, series
from tests.machines.situations import CALM_MINUTES, HEALING, SITUATIONS
from tests.world.states import STATES

ROOT = Path(__file__).parents[2]
FILE = ROOT / "config" / "prometheus" / "alerts.yml"
FIRING = 'ALERTS{alertstate="firing"}'
LONGEST_DESCRIPTION = 400

SEEN_AS = {
    "web-port": "RotatorAbsent",  # while the port is not served nobody can count the event
    "vault-sealed": "RotatorVaultDown",
    "key-not-destroyed": "RotatorKeyRemains",
}
"""Sections of events that are seen by the alert of another section."""


@cache
def rules():
    groups = yaml.safe_load(FILE.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def promtool(*arguments, cwd=None):
    return subprocess.run(
        ["promtool", *map(str, arguments)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.fixture
def tell(tmp_path):
    """Return what plays a story on the exporter, after some calm, and gives what promtool says of it."""

    def play(story, expected):
        with scene(tmp_path) as made:
            phases = [Phase(made.scrape(), CALM_MINUTES, restarted=True), *story(made)]
        minutes = sum(phase.minutes for phase in phases)
        tests = [{"expr": expression, "eval_time": f"{minute}m", "exp_samples": samples}
                 for expression, minute, samples in expected(minutes - 1)]  # fmt: skip
        case = {"interval": "1m", "input_series": series(phases, FILE.read_text()), "promql_expr_test": tests}
        file = tmp_path / "test.yml"
        said = {"rule_files": [str(FILE)], "evaluation_interval": "1m", "tests": [case]}
        file.write_text(yaml.safe_dump(said, width=float("inf")))
        done = promtool("test", "rules", file)
        assert done.returncode == 0, done.stdout

    return play


def _samples(alerts):
    """Return who is called, as promtool expects it."""
    named = [{"alertname": name} | ({"credential": whom} if whom else {}) for name, whom in alerts]
    return [
        {
            "labels": "{" + ", ".join(f"{key}={json.dumps(value)}" for key, value in one.items()) + "}",
            "value": 1,
        }
        for one in named
    ]


def _now(alerts):
    return f"group by (alertname, credential) ({FIRING})", _samples(alerts)


def _ever(minutes):
    return f"group by (alertname, credential) (max_over_time({FIRING}[{minutes}m]))"


def test_promtool_takes_the_rules(figures):
    done = promtool("check", "rules", FILE)
    assert done.returncode == 0, done.stdout
    tried = {name for one in SITUATIONS.values() for name, _whom in one.alerts}
    figures(
        alert_rules=len(rules()), tried=len(tried), situations=len(SITUATIONS), quiet_situations=len(HEALING)
    )
    assert tried == set(rules())


def test_promtool_takes_the_scrape_configuration(tmp_path):
    for file in FILE.parent.glob("*.yml"):
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "rotator-token").write_text("a token")
    done = promtool("check", "config", tmp_path / "prometheus.yml")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", SITUATIONS)
def test_its_alert_fires_and_no_other(name, tell):
    situation = SITUATIONS[name]
    expression, samples = _now(sorted(situation.alerts))
    tell(
        situation.story, lambda end: [(expression, end, samples), (_ever(CALM_MINUTES), CALM_MINUTES - 1, [])]
    )


@pytest.mark.parametrize("name", HEALING)
def test_nobody_is_called_for_what_heals_by_itself(name, tell):
    tell(HEALING[name], lambda end: [(_ever(end), end, [])])


def test_a_restart_neither_ends_nor_repeats_an_alert(tell):
    expression, samples = _now([("RotatorCredentialSetAside", "broken")])

    def story(made):
        yield from situations.daemon.the_settings_of_a_credential_are_wrong(made)
        yield Phase(None, 2)
        made.begin()
        yield Phase(made.scrape(), 10, restarted=True)

    tell(story, lambda end: [(expression, minute, samples) for minute in range(CALM_MINUTES + 8, end)])


def test_an_alert_ends_when_its_situation_is_over(tell):
    def story(made):
        yield from situations.daemon.a_record_is_damaged(made)
        made.fleet.unusable.clear()
        yield Phase(made.scrape(), 10)

    tell(story, lambda end: [(FIRING, end, [])])


def test_what_an_event_told_is_forgotten_after_half_an_hour(tell):
    def story(made):
        yield from SITUATIONS["certificate.reverted"].story(made)
        yield Phase(made.scrape(), 40)

    tell(story, lambda end: [(FIRING, end, [])])


# -- what a person is told


@pytest.mark.parametrize("name", rules())
def test_an_alert_says_whom_it_concerns_what_consumers_feel_and_where_to_read_on(name):
    rule = rules()[name]
    notes = rule["annotations"]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    description = notes["description"]
    assert re.search(r"\b[Cc]onsumers\b", description)
    assert description.endswith(".")
    assert len(description) < LONGEST_DESCRIPTION
    assert not notes["summary"].endswith(".")
    whom = notes["summary"] + description
    of_one = "rotator_credential" in rule["expr"] or "certificate_not_after" in rule["expr"].replace(
        "tls_", ""
    )
    if of_one and "tls" not in rule["expr"]:
        assert "$labels.credential" in notes["summary"]
        assert "$labels.credential" in description
    elif "recent" in rule["expr"]:
        assert "$labels.event" in whom or "$labels.instance" in whom
    assert notes["runbook_url"] == f"https://wiki.example.com/rotator/runbook#{notes['runbook']}"


@pytest.mark.parametrize("name", rules())
def test_an_alert_outlasts_the_scrape_that_a_restart_costs(name):
    assert (rules()[name].get("keep_firing_for") == "5m") == (name != "RotatorAbsent")


def test_every_event_for_which_a_person_must_act_is_seen_by_an_alert():
    sections = {rule["annotations"]["runbook"] for rule in rules().values()}
    wanted = {event.runbook for event in events.CATALOGUE if event.alert}
    assert wanted - sections == SEEN_AS.keys()
    assert set(SEEN_AS.values()) <= set(rules())


def test_the_rules_know_only_events_that_there_are():
    named = {name for rule in rules().values() for said in re.findall(r'event=~?"([^"]+)"', rule["expr"])
             for name in said.split("|")}  # fmt: skip
    assert named <= {event.name for event in events.CATALOGUE}


def test_the_rules_know_only_metrics_that_there_are(tmp_path):
    with scene(tmp_path) as made:
        for one in ("proving", "locked_out", "refused"):
            STATES[one](made.station(), made.now)
        made.skews = {"Vault": 70.0}
        made.fleet.refused["part.yaml"] = Trouble("configuration", made.now, "configuration", "wrong")
        made.fleet.secret_id_ends = made.now
        made.station().told["bridge.lacking "] = "?"
        there = {name for name, _labels in made.scrape()}
    named = set(re.findall(r"\brotator_\w+", " ".join(rule["expr"] for rule in rules().values())))
    assert named <= there
    assert exporter.JOB["job"] in rules()["RotatorAbsent"]["expr"]
