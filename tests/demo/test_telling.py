"""How the story sounds."""

from __future__ import annotations

import io
import json
import re

import pytest
from rich.console import Console

from rotator import events
from rotator.core.model import Phase
from rotator.demo.tellers import JsonTeller, LiveTeller, PlainTeller, Seen, Signer, View, teller
from rotator.demo.words import TOLD, Narrator
from rotator.show.sentences import SENTENCES

CATALOGUE = {event.name: event for event in events.CATALOGUE}
PROMOTED = {"event": "key.promoted", "level": "info", "credential": "acme", "serial": 2, "seconds": 7.6}
VIEW = View(
    3.0,
    1,
    (Signer("acme", Phase.PROVING, 1, 12.0), Signer("globex", Phase.EMPTY, None, None)),
    (Seen("a@acme.example", 1, 4, 30, 0), Seen("b@acme.example", None, None, 0, 2)),
)


@pytest.mark.parametrize("name", sorted(TOLD))
def test_a_spectator_hears_sentences_of_their_own_and_no_general_meaning(name):
    assert name in SENTENCES


def test_what_was_said_is_not_said_again():
    narrator = Narrator()
    published = {"event": "token.published", "credential": "acme", "user": "a@acme.example", "key_serial": 1}
    assert narrator.sentence(published) == "acme: a@acme.example has a token, minted with key pair 1"
    assert narrator.sentence(published) is None
    assert narrator.sentence(published | {"key_serial": 2}) is not None


def test_a_certificate_is_brought_back_because_of_another_one_or_after_a_loss():
    line = {"event": "change.restoring", "credential": "acme", "target": 1, "failed": 2}
    because = "acme: certificate 2 is not proved in time; certificate 1 is brought back"
    assert Narrator().sentence(line) == because
    for failed in (None, 1):
        assert Narrator().sentence(line | {"failed": failed}) == "acme: certificate 1 is brought back"


def test_an_alert_is_told_even_if_nobody_found_words_for_it():
    line = {"event": "clock.skewed", "alert": True, "message": "the clocks differ"}
    assert Narrator().sentence(line) == "daemon: clock.skewed: the clocks differ"
    assert Narrator().sentence(line | {"alert": False}) is None


def test_json_is_one_object_a_line_and_the_result_comes_last():
    stream = io.StringIO()
    with JsonTeller(stream) as tell:
        tell.act(0.04, 1, "Beginning")
        tell.say(1, "acme: done", PROMOTED)
        tell.show(VIEW)
        tell.show(VIEW)
        tell.result({"rotations": 2}, [])
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert lines[1] == {
        "seconds": 1,
        "kind": "said",
        "sentence": "acme: done",
        "event": "key.promoted",
        "credential": "acme",
    }
    assert [line.get("kind") for line in lines] == ["act", "said", "progress", None]
    assert lines[-1] == {"rotations": 2, "broken": []}


def test_without_a_terminal_it_is_plain_lines():
    stream = io.StringIO()
    assert isinstance(teller(as_json=False, stream=stream), PlainTeller)
    with teller(as_json=False, stream=stream) as tell:
        tell.say(1, "acme: done", PROMOTED)
        tell.show(VIEW)
        tell.result({"rotations": 2}, ["consumers had no failed call"])
    assert (
        stream.getvalue()
        == "[  1.0 s]   acme: done\n\nbroken: consumers had no failed call\n  rotations: 2\n"
    )


def test_a_terminal_shows_who_signs_and_what_the_consumers_see():
    stream = io.StringIO()
    with LiveTeller(Console(file=stream, force_terminal=True, width=100, color_system=None)) as tell:
        tell.act(0, 1, "Beginning")
        tell.show(VIEW)
        tell.result({"rotations": 2}, [])
    shown = stream.getvalue()
    for part in (
        "acme        key pair 1  proving  in 12 s",
        "number 4, by key pair 1",
        "none yet",
        "2 failed",
    ):
        assert part in shown
    assert shown.index("Beginning") < shown.index("All promises were kept.")


def test_a_sentence_too_long_for_a_terminal_goes_on_beside_its_moment():
    stream = io.StringIO()
    with LiveTeller(Console(file=stream, force_terminal=True, width=40, color_system=None)) as tell:
        tell.say(1.25, "acme: the org would take certificate 2", None)
    assert re.search(r"\[  1\.2 s\]   acme: the org would take *\n {12}certificate 2", stream.getvalue())
