"""Queries on the log, for those who have nothing else: kept in step with the events and the alert rules on metrics."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from rotator import events

ROOT = Path(__file__).parents[2]
EVENTS = {event.name: event for event in events.CATALOGUE}
CALLING = {name for name, event in EVENTS.items() if event.alert}


def rules(place):
    groups = yaml.safe_load((ROOT / "config" / place / "alerts.yml").read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


LOKI = rules("loki")


def named(expression):
    """Return the events that an expression chooses or leaves out."""
    return {
        name for said in re.findall(r'event (?:=~|!~|=) "([^"]+)"', expression) for name in said.split("|")
    }


@pytest.mark.parametrize("name", LOKI)
def test_a_query_knows_only_events_and_fields_that_there_are(name):
    expression = LOKI[name]["expr"]
    chosen = named(expression)
    assert chosen <= EVENTS.keys()
    fields = set(re.findall(r'(\w+)="\1"', expression)) - {"event", "alert", "runbook"}
    assert all(any(field in EVENTS[event].fields for event in chosen) for field in fields)


def test_every_event_that_calls_a_person_is_either_a_page_or_a_ticket():
    page, ticket = LOKI["RotatorPage"], LOKI["RotatorTicket"]
    assert named(page["expr"]) == named(ticket["expr"]) <= CALLING
    assert (page["expr"].count("=~"), ticket["expr"].count("!~")) == (1, 1)
    assert (page["labels"]["severity"], ticket["labels"]["severity"]) == ("page", "ticket")


@pytest.mark.parametrize("event", sorted(named(LOKI["RotatorPage"]["expr"])))
def test_what_is_a_page_by_the_log_is_one_by_metrics(event):
    severities = {rule["labels"]["severity"] for rule in rules("prometheus").values()
                  if rule["annotations"]["runbook"] in {EVENTS[event].runbook, "vault-down"}}  # fmt: skip
    assert "page" in severities


@pytest.mark.parametrize("name", ["RotatorVaultDown", "RotatorClockJumps", "RotatorAbsent"])
def test_what_no_event_tells_by_itself_leads_to_the_same_section_as_by_metrics(name):
    same = rules("prometheus")[name]
    for key in ("runbook", "runbook_url"):
        assert LOKI[name]["annotations"][key] == same["annotations"][key]
    assert LOKI[name]["labels"] == same["labels"]
