"""The catalogue of events, and the page made from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rotator import events

ROOT = Path(__file__).parents[2]
every_event = pytest.mark.parametrize("event", events.CATALOGUE, ids=lambda event: event.name)


def test_names_are_unique():
    names = [event.name for event in events.CATALOGUE]
    assert len(names) == len(set(names)) >= 45


@every_event
def test_an_event_is_named_subject_and_what_happened(event):
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+", event.name)


@every_event
def test_fields_leave_the_names_that_every_line_has(event):
    assert event.fields.isdisjoint({"event", "level", "timestamp", "alert", "runbook", "logger", "exc_info"})


@every_event
def test_a_meaning_is_one_sentence(event):
    assert re.fullmatch(r"(``\w+``|[A-Z])[^.]+\.", event.meaning), event.meaning


@every_event
def test_an_alert_has_a_runbook_section_and_is_at_least_a_warning(event):
    assert event.alert == bool(event.runbook)
    assert not event.alert or event.level in {"warning", "error", "critical"}


def test_the_page_is_what_the_catalogue_says():
    """``make`` it again with: python -m rotator.events > docs/events.md"""
    assert (ROOT / "docs" / "events.md").read_text() == events.markdown()


SOURCES = "".join(
    file.read_text() for file in sorted((ROOT / "rotator").rglob("*.py")) if file.name != "events.py"
)
NAMES = {id(value): name for name, value in vars(events).items() if isinstance(value, events.Event)}


@every_event
def test_an_event_is_told_somewhere(event):
    assert re.search(rf"\bevents\.{NAMES[id(event)]}\b", SOURCES), f"nobody tells {event.name}"
