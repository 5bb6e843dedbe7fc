"""Judge a run of mutmut over the core: how many mutants its tests killed, and why each survivor may live.

A mutant that is neither killed nor listed in ``survivors.toml`` with a reason fails; so does a reason for one that is
killed by now.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from mutmut.mutation.diff_apply import get_diff_for_mutant

MUTANTS = Path("mutants")
LISTED = Path(__file__).with_name("survivors.toml")
LEAST_KILLED_PERCENT = 95.0
SURVIVED, UNTESTED = 0, 33

Change = tuple[str, str, str]
"""The function, the line as it was, the line as the mutant has it."""


def main() -> int:
    """Print what survived and the figures; return the exit code."""
    codes = dict(_exit_codes())
    if not codes or None in codes.values():
        sys.stdout.write("mutmut has not come to its end: make mutate\n")
        return 1
    alive = [name for name, code in codes.items() if code in (SURVIVED, UNTESTED)]
    found = {_change(name): name for name in alive}
    reasons = {
        (one["in"], one["was"], one["is"]): one["because"]
        for one in tomllib.loads(LISTED.read_text()).get("survivor", [])
    }
    for change, name in sorted(found.items()):
        function, was, mutated = change
        because = reasons.get(change, "NO REASON IS GIVEN")
        sys.stdout.write(f"{function} ({name})\n  - {was}\n  + {mutated}\n  {because}\n")
    for function, was, mutated in sorted(reasons.keys() - found.keys()):
        sys.stdout.write(f"{function}: is killed by now: - {was} + {mutated}\n")
    killed = 100 * (len(codes) - len(alive)) / len(codes)
    sys.stdout.write(
        f"{len(codes)} mutants, {len(alive)} survived, {killed:.1f} % killed; "
        f"{len(found.keys() - reasons.keys())} survivors without a reason\n"
    )
    return 0 if killed >= LEAST_KILLED_PERCENT and found.keys() == reasons.keys() else 1


def _exit_codes() -> Iterator[tuple[str, int | None]]:
    for meta in sorted(MUTANTS.rglob("*.meta")):
        yield from json.loads(meta.read_text())["exit_code_by_key"].items()


def _change(name: str) -> Change:
    lines = get_diff_for_mutant(name).splitlines()[2:]  # without the names of the files
    was, mutated = ("; ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    function = re.sub(r"\.x_(\w+)__mutmut_\d+$", r".\1", name)
    return function, was, mutated


if __name__ == "__main__":
    sys.exit(main())
