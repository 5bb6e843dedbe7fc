"""A change that is followed: each phase with its time, and what to do instead where it is refused."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from rich.console import Console

from rotator.cli.requests.advice import instead
from rotator.cli.requests.course import Course, Leg
from rotator.core.model import Ask, Pause, PauseKind, Phase, Reason, Record
from tests.core.given import NOW, changing, steady
from tests.world.terminal import Terminal

ROTATION = [Leg(Reason.ROTATION, 8, phase) for phase in ("creating", "staged", "deploying", "proving")]
RESTORE = [Leg(Reason.RESTORE, 7, phase) for phase in ("deploying", "proving")]


def drawn(course):
    out = StringIO()
    Console(file=out, width=80, force_terminal=True, color_system=None).print(course)
    return [" ".join(line.split()) for line in out.getvalue().splitlines()]


def test_every_phase_has_a_line_with_its_time_and_only_the_last_says_what_is_waited_for():
    course = Course()
    for leg in ROTATION:
        course.turn(leg, f"{leg.phase} goes on")
    lines = drawn(course)
    assert [re.sub(r"\d\.\d", "N", line) for line in lines[:3]] == [
        "✔ creating N s",
        "✔ staged N s",
        "✔ deploying N s",
    ]
    assert re.fullmatch(r"\S proving \d\.\d s proving goes on", lines[3])
    course.finish(is_good=True)
    assert re.fullmatch(r"✔ proving \d\.\d s", drawn(course)[3])


def test_a_restore_is_set_off_and_the_phase_before_it_counts_as_failed():
    course = Course()
    for leg in [*ROTATION[2:], *RESTORE]:
        course.turn(leg, f"{leg.phase} goes on")
    course.finish(is_good=True)
    lines = [re.sub(r"\d\.\d", "N", line) for line in drawn(course)]
    assert lines == [
        "✔ deploying N s",
        "✖ proving N s proving goes on",
        "restore to key pair 7",
        "✔ deploying N s",
        "✔ proving N s",
    ]


def test_in_a_pipe_each_turn_is_one_line():
    told = []
    course = Course(told.append)
    for text in ("0 of 2", "0 of 2", "1 of 2"):
        course.turn(ROTATION[3], text)
    assert [line.strip().partition("  ")[2] for line in told] == ["proving: 0 of 2", "proving: 1 of 2"]


def test_on_a_terminal_a_rotation_is_drawn_in_place_and_its_end_told(rotator, knobs):
    knobs(propagation_seconds=1, deploy_seconds=1)
    terminal = Terminal.rotator("rotate", "globex", "--wait", "--here", config=rotator.stage.config)
    terminal.until(lambda lines: any(re.match(r"\S  proving .* key pair \d+ has", line) for line in lines))
    assert terminal.end() == 0
    lines = terminal.lines
    assert re.match(r"globex: rotating to key pair \d+$", lines[0])
    assert [line.split()[:2] for line in lines[1:-1]][-2:] == [["✔", "deploying"], ["✔", "proving"]]
    assert re.match(r"globex: rotation to key pair \d+ promoted after \d", lines[-1])


def test_a_pipe_whose_reader_wants_colours_gets_lines_that_are_not_drawn_anew(rotator):
    ran = rotator.process("rehearse", "globex", "--wait", "--here", env={"FORCE_COLOR": "1"})
    assert ran.code == 0
    assert "\x1b[32mglobex: rehearsal to key pair" in ran.out
    assert "proving: key pair" in ran.err
    assert not re.search("\x1b\\[[0-9]*[AJK]", ran.err + ran.out)


@pytest.mark.parametrize(
    ("what", "record", "said"),
    [
        (Ask.ROTATE, Record(), "rotator init acme"),
        (Ask.INIT, Record(), ""),
        (Ask.ROLLBACK, changing(Phase.LOCKED_OUT), "rotator status acme tells the steps"),
        (Ask.ABORT, changing(Phase.LOCKED_OUT), "rotator deployed acme"),
        (Ask.ROTATE, changing(Phase.PROVING), "rotator abort acme"),
        (Ask.ADOPT, steady(), "rotator rotate acme"),
        (Ask.ABORT, steady(), "rotator history acme"),
        (Ask.ROTATE, steady(paused=Pause(PauseKind.OPERATOR, NOW, "by ann")), "rotator resume acme"),
        (
            Ask.ROTATE,
            steady(paused=Pause(PauseKind.IDENTITY, NOW, "other")),
            "Look whether the org is the right",
        ),
        (Ask.ROLLBACK, steady(previous=None), "rotator rotate acme"),
        (Ask.RESUME, steady(), ""),
    ],
)
def test_a_refusal_says_what_to_do_instead(what, record, said):
    hint = instead(what, record, "acme")
    assert said in hint
    assert bool(hint) is bool(said)
