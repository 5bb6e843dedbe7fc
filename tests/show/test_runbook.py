"""The runbook, kept in step with the events and the alert rules that lead to it."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from rotator import events

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "runbook.md"
SECTIONS = dict(re.findall(r"^## (\S+)\n(.+?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL))
PARTS = ["Means", "Consumers", "Do", "Over"]


def _alerts():
    groups = yaml.safe_load((ROOT / "config" / "prometheus" / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def _leading():
    """Return what leads to each section: alerts, then events."""
    found = defaultdict(list)
    for rule in _alerts():
        found[rule["annotations"]["runbook"]].append(rule["alert"])
    for event in events.CATALOGUE:
        if event.alert:
            found[event.runbook].append(event.name)
    return found


def test_every_alert_leads_to_a_section_and_no_section_is_unused():
    assert sorted(SECTIONS) == sorted(_leading())


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_names_all_that_leads_to_it(section):
    head = SECTIONS[section].partition("\n- ")[0]
    assert sorted(re.findall(r"`([\w.]+)`", head)) == sorted(_leading()[section])


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_says_what_it_means_what_consumers_feel_what_to_do_and_when_it_is_over(section):
    assert re.findall(r"^- \*\*(\w+):\*\* \S", SECTIONS[section], re.MULTILINE) == PARTS


@pytest.mark.parametrize("section", SECTIONS)
def test_the_end_of_it_can_be_seen_by_an_event_that_there_is(section):
    over = SECTIONS[section].partition("**Over:**")[2]
    names = set(re.findall(r"`([a-z_]+\.[a-z_]+)`", over))
    assert names <= {event.name for event in events.CATALOGUE}
