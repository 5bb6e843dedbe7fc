"""How programs that build whole sites end when they are asked to."""

from __future__ import annotations

import signal
import sys
from types import FrameType


def end_in_good_order() -> None:
    """Let SIGTERM take down what was built, as Ctrl-C does, and not leave its processes' folders behind."""
    signal.signal(signal.SIGTERM, _leave)


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)
