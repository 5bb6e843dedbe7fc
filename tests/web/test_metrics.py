"""The metrics, read as Prometheus reads them."""

from __future__ import annotations

import gzip
import re
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from rotator import __version__, events, metrics
from rotator.core.model import Phase, Trouble
from rotator.performer import alarms
from rotator.show import logs
from rotator.show.logs import emit
from rotator.web.gauges import Gauges
from rotator.web.meter import Meter
from rotator.web.site import TOLD_AGAIN_SECONDS, Site
from tests.world.exhibit import exhibit, names

FIXED = [
    "build_info",
    "start_time_seconds",
    "credentials",
    "credential_phase",
    "credential_paused",
    "credential_set_aside",
    "credential_trouble",
    "credential_unusable",
    "change_waits_for_person",
    "certificate_not_after_timestamp_seconds",
    "rotation_due_timestamp_seconds",
    "rotation_urgent_timestamp_seconds",
    "change_began_timestamp_seconds",
    "change_failures",
    "token_published_timestamp_seconds",
    "token_expires_timestamp_seconds",
    "token_refresh_timestamp_seconds",
    "step_lateness_seconds_bucket",
    "step_duration_seconds_bucket",
    "effect_duration_seconds_bucket",
    "steps_total",
    "events_total",
    "errors_total",
    "queue_credentials",
    "scheduler_events_total",
    "scheduler_beat_timestamp_seconds",
    "vault_up",
    "vault_lease_expires_timestamp_seconds",
    "vault_lease_duration_seconds",
    "fleet_brake",
    "clock_jumps_total",
    "configuration_reloads_total",
    "configuration_loaded_timestamp_seconds",
    "configuration_last_reload_successful",
]
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


class Read(dict):
    """Samples by name: each with its labels."""

    def __init__(self, visitor, **headers):
        super().__init__()
        self.answer = visitor.get("/metrics", **headers)
        read = read_openmetrics if "openmetrics" in self.answer.headers["Content-Type"] else read_text
        for family in read(self.answer.text):
            for sample in family.samples:
                self.setdefault(sample.name, []).append((sample.labels, sample.value))

    def value(self, name, **labels):
        """Return the one value of a series; None where there is none."""
        found = [value for has, value in self.get(f"rotator_{name}", []) if has == labels]
        assert len(found) < 2
        return found[0] if found else None


def test_every_name_that_alerts_rely_on_is_there(visitor):
    assert sorted(set(FIXED) - {name.removeprefix("rotator_") for name in Read(visitor)}) == []


@pytest.mark.parametrize("accept", ["", OPEN_METRICS])
def test_names_have_the_prefix_and_base_units(visitor, accept):
    read = Read(visitor, Accept=accept)
    assert ("openmetrics" in read.answer.headers["Content-Type"]) == bool(accept)
    own = [name for name in read if not name.startswith("process_")]
    assert all(re.fullmatch(r"rotator_[a-z_]+", name) for name in own)
    assert read.value("build_info", version=__version__) == 1


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        ("*/*", False),
        ("text/html", False),
        ("application/openmetrics-text", True),
        ("Application/OpenMetrics-Text; Version=1.0.0", True),
        (PROMETHEUS, True),
        ("text/plain;q=0.9, application/openmetrics-text;q=0.2", False),
        ("application/openmetrics-text;q=0, */*", False),
        ("application/openmetrics-text;q=0.5, text/*;q=0.6", False),
        ("application/openmetrics-text;q=much, text/plain", False),
        ("application/openmetrics-textual", False),
        (";,;q=,", False),
    ],
)
def test_the_form_is_the_one_that_is_wanted_most(visitor, accept, openmetrics):
    read = Read(visitor, Accept=accept)
    assert ("openmetrics" in read.answer.headers["Content-Type"]) == openmetrics
    assert read.answer.text.endswith("# EOF\n") == openmetrics
    assert read.answer.headers["Vary"] == "Accept, Accept-Encoding"


@pytest.mark.parametrize(
    ("accept", "packed"),
    [
        ("gzip", True),
        ("deflate, gzip;q=1.0, *;q=0.5", True),
        ("*", True),
        ("gzip;q=0, *", False),
        ("br", False),
    ],
)
def test_it_is_packed_for_those_who_can_unpack_it(visitor, accept, packed):
    answer = visitor.get("/metrics", Accept_Encoding=accept)
    assert answer.headers["Content-Encoding"] == ("gzip" if packed else None)
    text = (gzip.decompress(answer.body) if packed else answer.body).decode()
    assert {family.name for family in read_text(text)} == {
        family.name for family in read_text(visitor.get("/metrics").text)
    }


def test_a_credential_is_in_one_phase(fleet, visitor):
    inside = defaultdict(list)
    for labels, value in Read(visitor)["rotator_credential_phase"]:
        if value:
            inside[labels["credential"]].append(labels["phase"])
    known = {name: one.record.phase for name, one in fleet.stations.items() if one.read_at}
    assert inside == {name: [phase] for name, phase in known.items()}
    assert "unread" not in inside


def test_times_are_those_of_the_record_and_of_the_token(fleet, visitor):
    read, station = Read(visitor), fleet.stations["well"]
    (token,) = station.facts()
    labels = {"credential": "well", "user": token.user}
    key = station.record.key(station.record.current)
    assert (
        read.value("certificate_not_after_timestamp_seconds", credential="well") == key.not_after.timestamp()
    )
    assert read.value("token_expires_timestamp_seconds", **labels) == token.expires_at.timestamp()
    assert read.value("token_published_timestamp_seconds", **labels) == token.issued_at.timestamp()
    due = read.value("rotation_due_timestamp_seconds", credential="well")
    assert due < read.value("rotation_urgent_timestamp_seconds", credential="well")
    assert read.value("change_began_timestamp_seconds", credential="well") is None
    began = fleet.stations["proving"].record.change.began
    assert read.value("change_began_timestamp_seconds", credential="proving") == began.timestamp()


def test_troubles_pauses_and_failures_are_shown(fleet, visitor):
    wrong = Trouble("configuration", fleet.now, "configuration", "wrong")
    fleet.aside |= {"broken": wrong, "well": wrong}
    read = Read(visitor)
    assert read.value("credential_trouble", credential="refused", subject="mint") == 1
    assert read.value("credential_trouble", credential="well", subject="mint") is None
    assert read.value("credential_paused", credential="paused", kind="operator") == 1
    assert read.value("credential_paused", credential="paused", kind="identity") == 0
    assert read.value("change_failures", credential="due") == 2
    aside = {labels["credential"]: value for labels, value in read["rotator_credential_set_aside"]}
    assert (aside["broken"], aside["well"], aside["due"]) == (
        1,
        0,
        0,
    )  # `well` is served with former settings


def test_a_file_that_is_refused_is_no_credential(fleet, visitor):
    assert Read(visitor).value("configuration_file_refused", file="/etc/rotator/team-a.yaml") is None
    wrong = Trouble("configuration", fleet.now, "configuration", "team-a.yaml:3: is not YAML")
    fleet.refused["/etc/rotator/team-a.yaml"] = wrong
    read = Read(visitor)
    assert read.value("configuration_file_refused", file="/etc/rotator/team-a.yaml") == 1
    assert {has["credential"] for has, _ in read["rotator_credential_set_aside"]} == {*fleet.stations}


def test_what_waits_for_a_person_is_shown(fleet, visitor):
    fleet.unusable["well"] = Trouble("record", fleet.now, "vault.document", "damaged")
    paused, proving = fleet.stations["paused"], fleet.stations["proving"]
    key = paused.record.key(paused.record.current)
    due = replace(key, not_after=fleet.now + timedelta(days=5))
    paused.record = replace(paused.record, keys=(due,), previous=None)
    alarms.sound(paused, fleet.app.driver.known(paused), fleet.now)
    proving.record = replace(proving.record, change=replace(proving.record.change, proofs=0))
    read = Read(visitor)
    assert read.value("credential_alarm", credential="paused", event="rotation.due_but_held") == 1
    assert [read.value("credential_unusable", credential=name) for name in ("well", "due")] == [1, 0]
    assert [read.value("change_waits_for_person", credential=name) for name in ("proving", "due")] == [1, 0]


def test_a_configuration_that_was_refused_is_shown_until_one_is_in_force(visitor):
    shown = [Read(visitor).value("configuration_last_reload_successful")]
    emit(events.CONFIGURATION_REFUSED, config="x", mistakes="y")
    shown.append(Read(visitor).value("configuration_last_reload_successful"))
    emit(events.CONFIGURATION_RELOADED, config="x", added=[], removed=[], changed=[], kept=[])
    shown.append(Read(visitor).value("configuration_last_reload_successful"))
    assert shown == [1, 0, 1]


def test_what_a_removed_credential_had_vanishes(fleet, visitor):
    assert "acme" not in str(Read(visitor))
    del fleet.stations["well"]
    assert not [labels for samples in Read(visitor).values() for labels, _value in samples
                if labels.get("credential") == "well"]  # fmt: skip


def test_vault_is_down_while_it_does_not_serve(fleet, visitor):
    assert Read(visitor).value("vault_up") == 1
    lease = fleet.lease
    assert Read(visitor).value("vault_lease_expires_timestamp_seconds") == lease.expires_at.timestamp()
    assert Read(visitor).value("vault_lease_duration_seconds") == lease.duration.total_seconds()
    assert Read(visitor).value("vault_secret_id_expires_timestamp_seconds") is None
    fleet.secret_id_ends = fleet.now + timedelta(days=2)
    ends = Read(visitor).value("vault_secret_id_expires_timestamp_seconds")
    assert ends == fleet.secret_id_ends.timestamp()
    fleet.let_vault_fail("sealed")
    assert Read(visitor).value("vault_up") == 0


def test_every_event_is_counted_from_nothing_on(visitor):
    before = {labels["event"]: value for labels, value in Read(visitor)["rotator_events_total"]}
    assert before.keys() == {event.name for event in events.CATALOGUE}
    emit(events.VAULT_CONFLICT, credential="well", message="somebody else wrote first")
    read = Read(visitor)
    assert read.value("events_total", event="vault.conflict") == before["vault.conflict"] + 1
    assert read.value("errors_total", **{"class": "conflict"}) == 1


def test_steps_and_effects_are_counted_and_timed(visitor):
    emit(events.STEP_TAKEN, credential="well", seconds=0.2)
    emit(events.STEP_TAKEN, credential="well", seconds=0.3, late_seconds=0.04)
    emit(events.STEP_HINDERED, credential="well", code="vault.sealed", policy="transient")
    emit(events.EFFECT_DONE, credential="well", effect="mint", answer="refused", seconds=0.3)
    emit(
        events.EFFECT_DONE,
        credential="well",
        effect="mint",
        answer="failed",
        seconds=0.3,
        policy="misconfigured",
    )
    read = Read(visitor)
    assert read.value("steps_total") == read.value("step_duration_seconds_count") == 2
    assert read.value("step_lateness_seconds_bucket", le="0.05") == 1
    assert read.value("effect_duration_seconds_count", effect="mint") == 2
    assert [
        read.value("errors_total", **{"class": name}) for name in ("transient", "rejected", "misconfigured")
    ] == [1, 1, 1]


def test_clocks_timers_and_reloads_are_counted(visitor):
    emit(events.CLOCK_JUMPED, seconds=70)
    emit(events.TIMER_OVERRUN, job="every:rounds")
    emit(events.CONFIGURATION_REFUSED, config="x", mistakes="y")
    emit(events.STEP_FAILED, credential="well", error="ZeroDivisionError", not_before="")
    read = Read(visitor)
    assert read.value("clock_jumps_total") == read.value("scheduler_events_total", kind="overrun") == 1
    assert read.value("configuration_reloads_total", result="refused") == 1
    assert read.value("configuration_reloads_total", result="loaded") == 0
    assert read.value("errors_total", **{"class": "unforeseen"}) == 1


def test_labels_have_only_values_that_the_configuration_bounds(tmp_path, serve):
    """What an org or a person says is no label: a series for each sentence would fill a Prometheus."""
    chosen = names(40)
    with exhibit(tmp_path, chosen) as fleet:
        for number, station in enumerate(fleet.stations.values()):
            station.sentence = f"sentence {number}"
            station.held.clear()
        read = Read(serve(fleet))
    values = defaultdict(set)
    for samples in read.values():
        for labels, _value in samples:
            for name, value in labels.items():
                values[name].add(value)
    assert values.keys() <= {"credential", "user", "phase", "kind", "subject", "event", "class", "effect", "state",
                             "result", "version", "le"}  # fmt: skip
    assert values["credential"] <= set(chosen)
    assert values["user"] <= {f"integration@{name}.example" for name in chosen}
    assert values["phase"] == set(Phase)
    assert values["subject"] <= {"change", "mint", "token", "key"}
    series = sum(len(samples) for name, samples in read.items() if name.startswith("rotator_"))
    assert series < 400 + 25 * len(chosen)


def test_no_secret_is_in_them(fleet, visitor):
    said = visitor.get("/metrics").text
    assert "may-see" not in said
    assert "3MVG9" not in said


def test_what_cannot_be_read_is_told_and_answered_with_no_detail(fleet, serve):
    def fails():
        raise ZeroDivisionError("secret")

    fleet.look = fails
    answer = serve(fleet).get("/metrics")
    assert (answer.status, "secret" in answer.text) == (500, False)


def test_an_error_that_comes_back_at_each_look_is_told_once_in_some_minutes(fleet):
    def fails():
        raise ZeroDivisionError

    def look(path):
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": ""}
        b"".join(site(environ, lambda *_said: None))

    now = [0.0]
    site = Site(CollectorRegistry(), steady=lambda: now[0])
    site.look = fails
    with logs.capture() as lines:
        for path in ("/readyz", "/readyz", "/", "/made-up", "/readyz"):
            look(path)
        now[0] += TOLD_AGAIN_SECONDS
        look("/readyz")
    told = [line["page"] for line in lines if line["event"] == "web.request_failed"]
    assert told == ["readyz", "?", "readyz"]


def test_the_past_of_a_credential_does_not_make_its_times_move(fleet, visitor):
    before = Read(visitor)["rotator_rotation_due_timestamp_seconds"]
    fleet.now += timedelta(days=1)
    assert Read(visitor)["rotator_rotation_due_timestamp_seconds"] == before


def test_every_metric_is_given_as_the_catalogue_says(tmp_path):
    """Read off a fleet that has everything."""
    with exhibit(tmp_path, names(300)) as fleet:
        counted = [one for one in Meter().registry.collect() if one.name.startswith(metrics.PREFIX)]
        given = {_as_given(family) for family in counted} | {
            metrics.Metric(one.name, "gauge", one.labels, one.meaning) for one in Gauges().of(fleet.look())
        }
    assert given == set(metrics.CATALOGUE)


def _as_given(family: Family) -> metrics.Metric:
    of_samples = [name for sample in family.samples for name in sample.labels if name != "le"]
    labels = tuple(dict.fromkeys(of_samples)) or tuple(getattr(family, "_labelnames", ()))
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return metrics.Metric(name, family.type, labels, family.documentation)


def test_the_page_lists_them_all():
    """``make`` it again with: python -m rotator.metrics > docs/metrics.md"""
    assert (Path(__file__).parents[2] / "docs" / "metrics.md").read_text() == metrics.markdown()
