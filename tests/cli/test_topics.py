"""`rotator help`: topics made from the tables that rotator works by."""

from __future__ import annotations

import re
import sys

import pytest

from rotator import events, metrics
from rotator.cli.exits import MEANINGS
from rotator.cli.topics import TOPICS, told
from rotator.core.machine import ROWS
from rotator.core.model import PHASES, Phase
from rotator.core.outcome import OUTCOMES
from tests.world.terminal import Terminal


def text(rotator, topic):
    ran = rotator("help", topic)
    assert ran.code == 0
    return ran.out


def test_without_a_topic_all_are_listed(rotator):
    said = rotator("help").out
    assert all(f"  {name} " in said and topic.short in said for name, topic in TOPICS.items())


def test_states_tell_every_phase_and_every_row(rotator):
    said = text(rotator, "states")
    assert set(PHASES) == set(Phase)
    assert all(meaning in said for meaning in PHASES.values())
    assert said.count("  when  ") == len(ROWS)
    for row in map(told, ROWS):
        assert row.when in said
        assert all(then in said for then in row.then)


def test_events_tell_each_with_its_runbook(rotator):
    said = text(rotator, "events")
    for event in events.CATALOGUE:
        assert event.name in said
        assert event.meaning.replace("``", "`") in said
        assert f"runbook.md#{event.runbook}" in said or not event.alert


def test_metrics_tell_each_with_type_labels_and_meaning(rotator):
    said = text(rotator, "metrics")
    for metric in metrics.CATALOGUE:
        labels = f" by {', '.join(metric.labels)}" if metric.labels else ""
        assert f"{metric.name}\n  {metric.kind}{labels}\n  {metric.meaning}\n" in said


def test_states_tell_how_a_change_may_end(rotator):
    said = text(rotator, "states")
    assert all(
        re.search(rf"  {end.words} +{re.escape(meaning)}\n", said) for end, meaning in OUTCOMES.items()
    )


def test_paths_tell_where_documents_are_and_who_may_what(rotator):
    said = text(rotator, "paths")
    assert "<base>/<credential>/tokens/<user>" in said
    for holder in ("daemon", "operator", "consumer"):
        assert f"What the {holder}" in said
    assert "secret/data/salesforce/acme/tokens/+" in said


def test_exit_codes_tell_what_each_means(rotator):
    said = text(rotator, "exit-codes")
    assert all(f"{code.value}" in said and meaning in said for code, meaning in MEANINGS.items())


def test_a_command_is_explained_as_by_its_own_help(rotator):
    assert (
        rotator("help", "rotate").out.split("\n", 1)[1] == rotator("rotate", "--help").out.split("\n", 1)[1]
    )


@pytest.mark.parametrize(
    ("typed", "meant"), [("state", "states"), ("exit-code", "exit-codes"), ("rotat", "rotate")]
)
def test_who_mistypes_is_told_the_nearest(rotator, typed, meant):
    ran = rotator("help", typed)
    assert ran.code == 2
    assert f"Did you mean {meant}" in ran.err


def test_what_is_longer_than_the_terminal_goes_through_the_pager():
    def shown(topic):
        terminal = Terminal(sys.executable, "-m", "rotator", "help", topic, rows=20, env={"PAGER": "wc -l"})
        assert terminal.end() == 0
        return terminal.lines

    assert shown("exit-codes")[0].startswith("CODE")
    assert int(shown("paths")[0]) > 20


def test_a_pager_that_shows_colours_gets_them_and_any_other_none(tmp_path):
    """``less`` shows them with -R alone, which click asks of it."""
    less = tmp_path / "less"
    less.write_text("#!/bin/sh\necho LESS=$LESS\ncat\n")
    less.chmod(0o755)

    def written(pager):
        env = {"PAGER": str(pager), "LESS": ""}
        terminal = Terminal(sys.executable, "-m", "rotator", "help", "events", rows=20, env=env)
        assert terminal.end() == 0
        return terminal.written

    assert b"LESS=-R" in written(less)
    assert b"\x1b[1m" in written(less)
    assert b"\x1b[" not in written("cat")


def test_80_columns_hold_topics_and_events_without_a_word_or_a_path_in_two():
    env = {"PAGER": "cat"}
    for command in (["help", "paths"], ["events", "--alerts"]):
        terminal = Terminal(sys.executable, "-m", "rotator", *command, rows=400, env=env)
        assert terminal.end() == 0
        seen = terminal.lines
        words = {word for line in seen for word in line.split()}
        if command[0] == "events":
            assert {event.name for event in events.CATALOGUE if event.alert} <= words
        else:
            assert "secret/metadata/salesforce/+/tokens/+" in words
