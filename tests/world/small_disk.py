"""A disk that is small enough to be filled: a tmpfs of a few megabytes. Wants root, as mounting does."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Self


class SmallDisk:
    """Mounted at a folder while its ``with`` block lasts."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        self._megabytes = megabytes

    def __enter__(self) -> Self:
        self.folder.mkdir()
        size = f"size={self._megabytes}m,mode=0700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "rotator-test", str(self.folder)], check=True)
        return self

    def __exit__(self, *_error: object) -> None:
        # Lazily: whoever still has a file of it open, as a server that a failed test left, must not keep it mounted.
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def fill(self) -> None:
        """Write until nothing more goes in."""
        with self._ballast.open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                pass  # full

    def clear(self) -> None:
        """Make room again."""
        self._ballast.unlink()

    @property
    def _ballast(self) -> Path:
        return self.folder / "ballast"
