"""What is done again and again beside a test, while a ``with`` block runs."""

from __future__ import annotations

import threading
from typing import Self


class Background(threading.Thread):
    """Runs from the beginning of its ``with`` block to the end, when :attr:`stopping` is set."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.stopping = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stopping.set()
        self.join()
