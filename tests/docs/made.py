"""Which pages are made, and by what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.docs import commands, configuration, vault
from tests.docs.markdown import ROOT

REFERENCE = ROOT / "docs" / "reference"
PAGES: dict[Path, Callable[[], str]] = {
    REFERENCE / "configuration.md": configuration.page,
    REFERENCE / "commands.md": commands.page,
    REFERENCE / "vault.md": vault.page,
}
