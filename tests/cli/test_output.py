"""How strange texts are printed."""

from __future__ import annotations

from rotator.cli.output import facts, say, table


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
