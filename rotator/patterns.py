"""Files by a pattern, as ``include`` of the configuration names them."""

from __future__ import annotations

import glob
from pathlib import Path


def matching(folder: Path, pattern: str) -> list[Path]:
    """Return what fits a pattern below a folder, in the order of its names; those that begin with a dot are left out."""
    found = glob.glob(pattern, root_dir=folder, recursive=True)  # noqa: PTH207 - Path.glob takes names with a dot
    return [folder / name for name in sorted(found)]
