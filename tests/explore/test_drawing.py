"""The page about the state machine shows the machine that runs."""

from __future__ import annotations

from tests.explore.drawing import PAGE, drawn


def test_the_page_is_drawn_from_the_rows_and_from_what_was_explored():
    assert drawn() in PAGE.read_text(), "run: python -m tests.explore.drawing"
