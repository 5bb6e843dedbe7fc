"""`rotator status` as a person sees it: on a terminal of 80 columns, wider, in colours or not, again and again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from rotator.cli.status.look import Look
from rotator.cli.status.overview import overview, summary
from rotator.config import Problem
from rotator.core.model import Change, KeyFacts, Pause, PauseKind, Phase, Reason, Request, TokenFacts, Trouble
from rotator.standing import Level, NextRotation, Standing, Underway
from tests.core.given import DAY, HOUR, MINUTE, NOW
from tests.world.terminal import Terminal

LOST = Trouble(
    "change", NOW - 12 * MINUTE, "locked_out", "the org takes no key that is kept", "Bring one back."
)


def standing(name, **other):
    usual = {
        "phase": Phase.STEADY,
        "current": KeyFacts(7, "ab" * 32, NOW - 305 * DAY, NOW + 59 * DAY + 3 * HOUR),
        "previous": 6,
        "next_rotation": NextRotation(NOW + 29 * DAY, NOW + 29 * DAY, NOW + 52 * DAY, None),
        "publishes": True,
        "tokens": (
            TokenFacts(
                "a@x.example", 7, NOW, NOW, NOW + 54 * MINUTE, NOW + 20 * MINUTE, prolongable=True, sequence=1
            ),
        ),
        "under_way": None,
        "paused": None,
        "troubles": (),
        "last_change": None,
        "identity": None,
    }
    return Standing(credential=name, **(usual | other))


def changing(name, waiting_for="key pair 8 has 3 of 5 proofs"):
    change = Change(8, 7, Reason.ROTATION, ("a@x.example",), NOW - 4 * MINUTE)
    return standing(
        name, phase=Phase.PROVING, next_rotation=None, under_way=Underway(change, 5, waiting_for)
    )  # fmt: skip


def awaited(name):
    change = Change(8, 7, Reason.ROTATION, ("a@x.example",), NOW - 4 * MINUTE)
    waits = Underway(change, 5, "a person brings the certificate in", waits_for_person=True)
    return standing(name, phase=Phase.PROVING, next_rotation=None, under_way=waits)


def locked_out(name):
    change = Change(7, 6, Reason.RESTORE, ("a@x.example",), NOW - 20 * MINUTE)
    return standing(
        name,
        phase=Phase.LOCKED_OUT,
        next_rotation=None,
        under_way=Underway(change, 5, "the org takes no key that is kept"),
        troubles=(LOST,),
    )


def shown(*standings, columns=80, terminal=True, in_detail=False, **more):
    """What is printed of a look."""
    out = StringIO()
    console = Console(file=out, width=columns, force_terminal=terminal, color_system=None, markup=False)
    for each in overview(Look(NOW, standings, **more), console, in_detail=in_detail):
        console.print(each)
    return [line.rstrip() for line in out.getvalue().splitlines()]


FLEET = (
    standing("integration-acme-emea"),
    changing("globex"),
    standing("deployer", publishes=False, tokens=()),
    standing("hooli", paused=Pause(PauseKind.OPERATOR, NOW - HOUR, "by ann@ops")),
    locked_out("initech"),
)


def test_80_columns_hold_it_a_line_for_each_with_times_in_two_units_at_most():
    lines = shown(*FLEET)
    assert all(len(line) <= 80 for line in lines)
    assert lines[0].split() == ["CREDENTIAL", "PHASE", "KEY", "CERT", "ENDS", "ROTATES", "TOKENS"]
    table = {line.split()[0]: line for line in lines[1 : lines.index("")]}
    assert len(table) == len(FLEET)
    assert re.search(r"✔ steady +7 +in 59 d +in 29 d +for 54 m$", table["integration-acme-emea"])
    assert re.search(r"● proving +7 +in 59 d +under way +for 54 m$", table["globex"])
    assert table["deployer"].endswith("not published")


def test_one_that_is_paused_is_held_and_says_how_it_goes_on():
    paused = standing("hooli", paused=Pause(PauseKind.OPERATOR, NOW - HOUR, "by ann@ops"))
    lines = shown(paused, standing("later", next_rotation=FLEET[0].next_rotation))
    assert re.search(r"● paused +7 +in 59 d +held +for 54 m$", lines[1])
    assert "`rotator resume hooli` lets it go on" in " ".join(" ".join(lines).split())
    assert lines[-1] == "2 credentials, nothing is wrong; 1 paused: hooli; next rotation: later in 29 d"
    assert shown(paused)[-1] == "1 credential, nothing is wrong; 1 paused: hooli"


def test_one_without_a_key_pair_waits_and_is_said_to_have_none():
    begun = shown(standing("new", phase=Phase.EMPTY, current=None, next_rotation=None, tokens=()))
    assert begun[-1] == "1 credential, nothing is wrong; 1 without a key pair yet: new"


def test_the_last_line_says_plainly_who_waits_for_a_person_and_for_what_and_nothing_is_wrong():
    held = standing("due", next_rotation=NextRotation(NOW, None, NOW + DAY, "due, but acme goes first"))
    waiting = [awaited("acme"), standing("well"), awaited("globex"), held]
    said = "2 wait for you to bring the certificate in: acme, globex; 1 due and held back: due"
    look = Look(NOW, waiting)
    assert summary(look).plain.startswith(f"4 credentials, nothing is wrong; {said}; 2 changes are under way")
    assert look.code == 0
    assert summary(Look(NOW, [awaited("acme"), locked_out("b")])).plain == (
        "1 of 2 credentials needs you: b; 1 waits for you to bring the certificate in: acme"
    )


def test_what_one_thing_mends_is_told_with_that_mend_once():
    troubles = [Trouble(f"token:{user}", NOW, "t", f"no token of {user}", "Mend it.") for user in "ab"]
    lines = shown(standing("acme", troubles=tuple(troubles)))
    assert [line for line in lines if line.startswith(("acme:", "  mend"))] == [
        "acme: no token of a, since 2026-03-01 12:00:00Z (now)",
        "acme: no token of b, since 2026-03-01 12:00:00Z (now)",
        "  mend: Mend it.",
    ]


def test_those_that_need_a_person_come_first_then_those_that_are_held_and_those_that_change():
    lines = shown(*FLEET)
    assert [line.split()[0] for line in lines[1:6]] == [
        "initech",
        "hooli",
        "globex",
        "integration-acme-emea",
        "deployer",
    ]
    levels = [FLEET[at].level for at in (4, 3, 1, 0)]
    assert levels == [Level.LOST, Level.HELD, Level.BUSY, Level.WELL]


def test_a_wide_terminal_and_a_pipe_have_room_for_dates_and_fingerprints():
    for more in ({"columns": 140}, {"columns": 100_000, "terminal": False}):
        line = next(line for line in shown(*FLEET, **more) if line.startswith("integration"))
        assert "abababab" in line
        assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\dZ \(in 59 d\)", line)


def test_a_pipe_has_no_marks_and_one_line_for_each_sentence():
    lines = shown(*FLEET, columns=100_000, terminal=False)
    assert not re.search("[✖●✔]", "".join(lines))
    assert any(line.startswith("initech: the org takes no key that is kept, since ") for line in lines)
    assert "  mend: Bring one back." in lines


@pytest.mark.parametrize(
    ("standings", "said"),
    [
        ([standing("acme"), standing("b")], "2 credentials, all well; next rotation: acme in 29 d"),
        ([standing("acme", next_rotation=None)], "1 credential, all well"),
        (
            [standing("acme"), changing("b")],
            "2 credentials, all well; 1 change is under way; next rotation: acme in 29 d",
        ),
        ([standing("acme"), locked_out("b")], "1 of 2 credentials needs you: b"),
        (
            [locked_out(f"c{number}") for number in range(8)],
            "8 of 8 credentials need you: c0, c1, c2, c3, c4 and 3 more",
        ),
        (
            [standing("acme", paused=Pause(PauseKind.IDENTITY, NOW, "another org"))],
            "1 of 1 credential needs you: acme",
        ),
        ([], "0 credentials, all well"),
    ],
)
def test_the_last_line_says_whether_all_is_well_and_what_comes_next(standings, said):
    look = Look(NOW, standings)
    assert summary(look).plain == said
    assert (look.code == 0) is ("all well" in said)


TEAM, OTHER = (Problem(Path(name), 2, "", "is not YAML", "Mend it.") for name in ("team.yaml", "x.yaml"))
GLOBEX = Problem(Path("r.yaml"), 5, "credentials.globex.users", "is wrong", "Mend it.", "globex")
UNKNOWN = "credentials are not known here)"
TWO = "2 files of the configuration are refused: team.yaml, x.yaml"


@pytest.mark.parametrize(
    ("standings", "aside", "said"),
    [
        (
            [standing("acme"), standing("b")],
            [TEAM, TEAM],
            f"1 file of the configuration is refused: team.yaml (its {UNKNOWN}; 0 of 2 credentials need you",
        ),
        (
            [locked_out("acme")],
            [GLOBEX, OTHER, TEAM],
            f"{TWO} (their {UNKNOWN}; 2 of 2 credentials need you: acme, globex",
        ),
        ([standing("acme")], [GLOBEX], "1 of 2 credentials needs you: globex"),
    ],
)
def test_a_file_that_is_refused_is_not_counted_as_a_credential(standings, aside, said):
    look = Look(NOW, standings, aside)
    assert (summary(look).plain, look.code) == (said, 1)


def test_one_that_is_locked_out_shows_its_cure():
    cures = {
        "initech": ["1. Save it: rotator certificate initech > I.crt", "2. Open Setup,", "   and so on."]
    }
    brief = " ".join(" ".join(shown(*FLEET, cures=cures)).split())
    assert "mend: bring the certificate of key pair 7 into the app: `rotator status initech` tells" in brief
    assert "`rotator certificate initech` prints it" in brief
    lines = shown(locked_out("initech"), cures=cures, in_detail=True)
    where = lines.index("  mend: bring the certificate of key pair 7 into the app by hand:")
    assert lines[where + 1 : where + 3] == [
        "  1. Save it: rotator certificate initech > I.crt",
        "  2. Open Setup, and so on.",
    ]


def test_one_cause_that_troubles_many_is_told_once_with_its_earliest_time():
    later = replace(LOST, subject="mint:a@x.example", since=NOW - MINUTE)
    change = Change(7, 6, Reason.RESTORE, ("a@x.example",), NOW - 20 * MINUTE)
    waits = Underway(change, 5, f"all are tried again; {LOST.message}")
    one = replace(locked_out("initech"), troubles=(later, LOST), under_way=waits)
    said = " ".join(" ".join(shown(one)).split())
    assert said.count(LOST.message) == said.count(LOST.hint) == 1
    assert f"{LOST.message}, since 2026-03-01 11:48:00Z (12 m ago)" in said
    assert "all are tried again initech: " in said


def test_a_request_that_waits_is_shown_with_who_asked_and_how_to_take_it_back():
    request = Request("r1", "rotate", 7, NOW - MINUTE, "ann@ops")
    said = " ".join(" ".join(shown(standing("acme"), requests={"acme": request})).split())
    assert "acme: the request of ann@ops to rotate waits for the daemon since " in said
    assert "`rotator withdraw acme` takes it back" in said


def test_a_credential_without_a_key_pair_is_told_how_it_begins():
    empty = standing("new", phase=Phase.EMPTY, current=None, next_rotation=None, tokens=())
    assert any("`rotator init new` makes one" in line for line in shown(empty, columns=200))


def test_colours_are_for_terminals_unless_somebody_says_otherwise(rotator):
    def run(**env):
        terminal = Terminal.rotator("status", config=rotator.stage.config, env=env)
        assert terminal.end() == 0
        return terminal.written.decode()

    def pipe(**env):
        return rotator.process("status", env={"PYTHONIOENCODING": "utf-8", **env}).out

    green = "\x1b[32m"
    assert green in run()
    assert green not in run(NO_COLOR="1")
    assert "✔ steady" in run(NO_COLOR="1")
    assert "\x1b[" not in pipe()
    forced = pipe(FORCE_COLOR="1")
    assert green in forced
    assert all(line == line.rstrip() for line in forced.splitlines())


def test_a_terminal_without_unicode_gets_other_marks(rotator):
    terminal = Terminal.rotator("status", config=rotator.stage.config, env={"PYTHONIOENCODING": "ascii"})
    assert terminal.end() == 0
    assert any("- steady" in line for line in terminal.lines)


def test_watch_draws_in_place_and_ends_with_what_was_seen_last(rotator):
    terminal = Terminal.rotator("status", "--watch", "0.5", config=rotator.stage.config)
    first = terminal.until(lambda lines: lines[-1].startswith("deployer"))
    assert "all well" in first[1], "the summary is on top, where it stays"
    assert re.match(r"rotator status, every 0\.5 s +\d{4}-.*Z +Ctrl-C ends$", first[0])
    terminal.until(lambda lines: lines[0] != first[0] and lines[0].startswith("rotator status"))
    terminal.press(b"\x03")
    assert terminal.end() == 0
    assert b"\x1b[?1049l" in terminal.written, "the terminal is given back"
    assert "all well" in terminal.lines[-1]
    assert b"interrupted" not in terminal.written


def test_watch_says_how_much_there_is_beyond_a_small_terminal(rotator):
    terminal = Terminal.rotator("status", "acme", "--watch", "0.5", config=rotator.stage.config, rows=8)
    more = re.compile(r"\d+ more lines: make the terminal larger")
    seen = terminal.until(lambda lines: len(lines) == 8 and more.fullmatch(lines[7]) is not None)
    terminal.press(b"\x03")
    assert terminal.end() == 0
    assert seen[4].startswith("acme")


def test_watch_says_that_vault_does_not_answer_and_goes_on(rotator, tmp_path):
    vault = rotator.settings()["vault"] | {"address": "http://127.0.0.1:9", "timeout": "1s"}
    config = rotator.variant(tmp_path, vault=vault)
    terminal = Terminal.rotator("status", "--watch", "0.5", config=config)
    terminal.until(lambda lines: any(line.startswith("no look succeeds, for ") for line in lines))
    terminal.send(signal.SIGTERM)
    assert terminal.end() == 3
    assert "error: " in "\n".join(terminal.lines)


def test_watch_in_a_pipe_prints_one_look_after_the_other(rotator):
    command = [sys.executable, "-m", "rotator", "status", "acme", "--watch", "0.5", "--json"]
    env = {**os.environ, "ROTATOR_CONFIG": str(rotator.stage.config)}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        looks = [read_document(process.stdout) for _ in range(2)]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert looks[0]["at"] <= looks[1]["at"]
    assert looks[1]["credentials"][0]["credential"] == "acme"


def read_document(stream):
    lines = []
    while not lines or lines[-1] != "}\n":
        lines.append(stream.readline())
    return json.loads("".join(lines))


def test_names_stand_before_watch(rotator):
    ran = rotator("status", "--watch", "acme")
    assert ran.code == 2
    assert "'acme' is no number of seconds; NAMEs stand before it" in ran.err


def test_a_request_that_nobody_answers_is_seen_and_can_be_withdrawn(rotator):
    assert rotator("withdraw", "globex").code == 1
    assert rotator("pause", "globex", "--ask-only", "--within", "1ms").code == 4
    (seen,) = rotator("status", "--json").json["requests"]
    assert (seen["credential"], seen["request"]["ask"]) == ("globex", "pause")
    assert "globex: the request of" in rotator("status").out
    assert rotator.operator("status", "--json").json["requests"] is None, "its policy hides what others ask"
    taken = rotator("withdraw", "globex", "--json")
    assert (taken.code, taken.json["request"]["id"]) == (0, seen["request"]["id"])
    assert rotator("status", "--json").json["requests"] == []


def test_an_operator_takes_a_request_back_without_reading_it(rotator):
    assert rotator.operator("pause", "globex", "--within", "1ms").code == 4
    assert "if a request waited" in rotator.operator("withdraw", "globex").out
    assert rotator("withdraw", "globex").err.startswith("error: globex: no request waits for an answer")
