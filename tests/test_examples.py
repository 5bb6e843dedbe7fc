"""The examples of config, as far as that can be told without running them; tests/judges runs them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "config" / "consumers"
FOLDERS = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_example_explains_itself_and_is_listed(folder):
    assert (EXAMPLES / folder / "README.md").exists()
    assert f"]({folder})" in (EXAMPLES / "README.md").read_text()


def test_the_lock_of_the_python_example_pins_by_hash_what_it_asks_for_and_names_no_address():
    lock = (EXAMPLES / "python" / "requirements.txt").read_text()
    assert "//" not in lock
    assert "--index" not in lock
    pinned = re.findall(r"^([\w.-]+)==.*\\\n    --hash=sha256:[0-9a-f]{64}", lock, re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^\S", lock, re.MULTILINE))
    assert set((EXAMPLES / "python" / "requirements.in").read_text().split()) <= set(pinned)
