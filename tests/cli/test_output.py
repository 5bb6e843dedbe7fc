"""How strange and long texts are printed."""

from __future__ import annotations

import sys

from rotator.cli.output import facts, pieces, say, table
from tests.world.terminal import Terminal


def test_no_text_moves_the_cursor_or_is_taken_for_markup(capsys):
    say("an org said \x1b[2J [bold]Hi[/bold]\x9b1A\r :smile:")
    assert capsys.readouterr().out == "an org said ?[2J [bold]Hi[/bold]?1A? :smile:\n"


def test_a_pipe_gets_every_letter_and_no_blanks_at_the_end(capsys):
    table(("NAME", "WHY"), [("acme", "x" * 500), ("b", "[/nothing]")])
    facts([("long", "y" * 500), ("s", "short")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "acme  " + "x" * 500
    assert lines[2] == "b     [/nothing]"
    assert lines[3] == "  long  " + "y" * 500
    assert all(line == line.rstrip() for line in lines)


def test_a_text_with_steps_has_each_of_them_whole_and_leaves_commands_and_certificates_alone():
    text = "Do this.\n\n1. Open it, and\n   look.\n2. Say:\n     command one --two\n\n-----BEGIN-----\nMIIB"
    assert list(pieces(text)) == [
        ("", "Do this."),
        ("", ""),
        ("1. ", "Open it, and look."),
        ("2. ", "Say:"),
        ("     ", "command one --two"),
        ("", ""),
        ("", "-----BEGIN-----"),
        ("", "MIIB"),
    ]


def printed(program):
    """What a terminal shows of what is printed."""
    terminal = Terminal(sys.executable, "-c", f"from rotator.cli.output import *; {program}", columns=30)
    assert terminal.end() == 0
    return terminal.lines


def test_a_terminal_breaks_lines_between_words_but_for_what_somebody_copies():
    assert printed(
        "say('the request to rotate the key pair\\n  rotator sandbox --directory=first-hour')"
    ) == [
        "the request to rotate the key",
        "pair",
        "  rotator sandbox --directory=",
        "first-hour",
    ]
    assert printed("complain('the request waits in Vault', 'take it back by `rotator withdraw acme`')") == [
        "error: the request waits in",
        "       Vault",
        "hint: take it back by `rotator",
        "      withdraw acme`",
    ]
    assert printed("warn('', 'rotator.yaml is there')") == ["rotator.yaml is there"]
    assert printed("say_steps('1. Open the page of the app, and\\n   look.\\n     command one')") == [
        "1. Open the page of the app,",
        "   and look.",
        "     command one",
    ]
