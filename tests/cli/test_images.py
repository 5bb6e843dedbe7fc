"""The pictures of the documentation, which `python -m tests.machines.terminal_images` takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from defusedxml import ElementTree

IMAGES = Path(__file__).parents[2] / "docs" / "images"
TAKEN = ("status", "rotate-wait", "doctor")


@pytest.mark.parametrize("name", TAKEN)
def test_a_picture_loads_nothing_from_elsewhere_and_names_no_host_but_loopback(name):
    text = (IMAGES / f"{name}.svg").read_text()
    ElementTree.fromstring(text)
    assert "@font-face" not in text
    seen = "".join(re.findall(r"<text[^>]*>([^<]*)</text>", text)).replace("&#160;", " ")
    assert f"$ rotator {name.split('-')[0]}" in seen
    assert set(re.findall(r"https?://([\w.-]+)", seen)) <= {"127.0.0.1"}
