"""``python -m tests.explore``: the model check (see check.py)."""

from __future__ import annotations

import sys

from tests.explore.check import main

if __name__ == "__main__":
    sys.exit(main())
