"""Pages that are made from the code are in step with it."""

from __future__ import annotations

import pytest

from tests.docs.made import PAGES


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_page_is_what_the_code_says(path):
    assert path.read_text() == PAGES[path](), "make it anew: python -m tests.docs"
