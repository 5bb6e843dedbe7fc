"""The log as people read it on a terminal: sentences, with what mends it below."""

from __future__ import annotations

import io
import re

import pytest

from rotator import events
from rotator.show.reading import Reading, reading_on
from rotator.show.sentences import SENTENCES, sentence

CATALOGUE = {event.name: event for event in events.CATALOGUE}
BASE = {"timestamp": "2026-11-26T16:45:02.123Z", "level": "info"}


@pytest.mark.parametrize("name", SENTENCES)
def test_a_sentence_speaks_of_fields_that_its_event_has(name):
    named = set(re.findall(r"\{(\w+)", SENTENCES[name]))
    assert named <= CATALOGUE[name].fields
    assert SENTENCES[name].count("[") == SENTENCES[name].count("]")


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_event_can_be_said_whatever_it_carries(name):
    bare = sentence(name, {})
    full = sentence(name, dict.fromkeys(CATALOGUE[name].fields, 7))
    for said in (bare, full):
        assert said
        assert not re.search(r"[{}\[\]]|``", said)


@pytest.mark.parametrize(
    ("name", "fields", "said"),
    [
        ("key.promoted", {"serial": 8, "seconds": 33.6}, "key pair 8 signs from now on, 34 s after it was begun"),
        (
            "proof.passed",
            {"target": 8, "rival": 7, "proofs": 1, "proofs_needed": 5},
            "proof 1 of 5: the org takes key pair 8 and refuses 7",
        ),
        (
            "proof.passed",
            {"target": 8, "rival": None, "proofs": 1, "proofs_needed": 5},
            "proof 1 of 5: the org takes key pair 8",
        ),
        ("rehearsal.finished", {"serial": 7, "sessions_survived": True},
         "the rehearsal is over, and key pair 7 is proved; live sessions survived: yes"),
        ("fleet.brake_on", {"failures": 3, "credentials": ["a", "b"]},
         "3 rotations failed in a row, so no new one begins: a, b"),
        ("key.found", {"serial": 3, "noise": 1}, "the org takes key pair 3, which is kept; it is being proved"),
        ("credential.resumed", {"since": "2026-11-26T16:45:02.125Z"},
         "it goes on, after it was paused since 2026-11-26 16:45:02Z"),
        ("introspection.failed", {"message": "no answer"},
         "The org does not tell how long a session lives; half of the configured timeout counts instead: no answer"),
        ("daemon.crashed", {"error": "ValueError"}, "An error that nobody foresaw ended a thread or the process: ValueError"),
        ("Retrying /query", {}, "Retrying /query"),
    ],
)  # fmt: skip
def test_an_event_is_a_sentence_with_its_fields_filled_in(name, fields, said):
    assert sentence(name, fields) == said


def rendered(colours=False, unicode=True, **event):
    return Reading(colours=colours, unicode=unicode)(None, "", BASE | event)


def test_a_line_has_time_mark_credential_and_sentence():
    line = rendered(event="key.destroyed", credential="acme", serial=3, request_id="noise")
    assert line == "16:45:02Z ● acme: the private key of pair 3 is destroyed for good"
    assert rendered(event="vault.login", method="approle") == "16:45:02Z ● logged in to Vault by approle"
    assert rendered(event="slow", logger="urllib3", level="warning") == "16:45:02Z ▲ urllib3: slow"
    assert "\n" not in line


def test_the_mend_and_what_has_many_lines_stand_below():
    lines = rendered(
        event="change.waiting",
        level="warning",
        credential="acme",
        target=3,
        steps="1. Open Setup.\n2. Save.",
        hint="Look.",
        alert=True,
        runbook="bring-a-certificate-in",
    ).splitlines()
    assert lines[1:] == [
        "    mend: Look.",
        "    runbook: docs/runbook.md#bring-a-certificate-in",
        "    1. Open Setup.",
        "    2. Save.",
    ]


def test_colours_tell_the_level_where_they_are_wanted():
    assert "\x1b" not in rendered(event="vault.sealed", level="error")
    assert "\x1b[1;31m✖\x1b[0m" in rendered(colours=True, event="vault.sealed", level="error")
    assert "\x1b[32m●\x1b[0m" in rendered(colours=True, event="key.destroyed", serial=1)
    assert rendered(unicode=False, event="vault.sealed", level="error") == "16:45:02Z x Vault is sealed"


@pytest.mark.parametrize(
    ("terminal", "env", "coloured"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": "1"}, False),
        (False, {}, False),
        (False, {"FORCE_COLOR": "1"}, True),
    ],
)
def test_colours_are_for_terminals_unless_somebody_says_otherwise(monkeypatch, terminal, env, coloured):
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: terminal, raising=False)
    said = reading_on(stream)(None, "", BASE | {"event": "fleet.brake_off"})
    assert ("\x1b[" in said) is coloured


def test_what_others_said_moves_no_cursor():
    said = rendered(
        event="vault.unavailable", message="x\x1b[2J\ny", hint="a\x9bb\nc", exception="T\x1b[1m\n  at y"
    )
    assert "\x1b" not in said
    assert "\x9b" not in said
    assert said.splitlines()[0].endswith("x?[2J?y")
