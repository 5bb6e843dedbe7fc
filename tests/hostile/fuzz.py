"""Feeds every reader with what atheris (libFuzzer) finds, guided by the lines that it reaches.

``python -m tests.hostile.fuzz --seconds 60 --seed 1``: the time is shared by all targets, one after the other. A finding
is any error that is none of rotator's, an input that takes longer than SLOWEST_SECONDS or more than MOST_MEGABYTES. Each
is kept as a file; ``--target NAME --input FILE`` repeats it. The last line has the figures; the status is 1 if there is a
finding.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

CORPUS = Path(__file__).with_name("corpus")
SLOWEST_SECONDS = 20
MOST_MEGABYTES = 1024
LONGEST_INPUT = 1 << 16
_EXECUTED = re.compile(r"stat::number_of_executed_units:\s*(\d+)|^Done (\d+) runs", re.MULTILINE)


def main() -> int:
    """Fuzz all targets, or one, or repeat a finding."""
    asked = _arguments()
    if asked.input:
        _run_in_this_process(asked.target, [str(asked.input)])
    if asked.flags:
        _run_in_this_process(asked.target, asked.flags)
    targets = [asked.target] if asked.target else sorted(folder.name for folder in CORPUS.iterdir())
    kept = asked.findings or Path(tempfile.mkdtemp(prefix="rotator-fuzz-"))
    executed: dict[str, int] = {}
    findings: dict[str, list[Path]] = {}
    ends, starting = time.monotonic() + asked.seconds, 0.0
    for number, target in enumerate(targets):
        begins = time.monotonic()
        # What it takes to start a process, known from the one before, counts as well.
        seconds = max(1, round((ends - begins) / (len(targets) - number) - starting))
        executed[target], found = _fuzz(target, seconds, asked.seed, kept)
        starting = time.monotonic() - begins - seconds
        if found:
            findings[target] = found
    if not any(kept.iterdir()):
        kept.rmdir()
    print("; ".join(f"{target}: {count}" for target, count in executed.items()))
    for target, files in findings.items():
        print(f"finding: python -m tests.hostile.fuzz --target {target} --input {files[0]}")
    count = sum(map(len, findings.values()))
    print(
        f"fuzz: {sum(executed.values())} executions, {len(targets)} targets, seed {asked.seed}, {count} findings"
    )
    return 1 if findings else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for all targets together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", help="this one alone")
    parser.add_argument("--input", type=Path, help="repeat a finding")
    parser.add_argument("--findings", type=Path, help="folder for what is found")
    parser.add_argument(
        "flags", nargs="*", help=argparse.SUPPRESS
    )  # of libFuzzer, for a process of one target
    return parser.parse_args()


def _fuzz(target: str, seconds: int, seed: int, kept: Path) -> tuple[int, list[Path]]:
    """Fuzz one target in a process of its own; return how often it was executed, and what was found."""
    with tempfile.TemporaryDirectory() as grown:
        flags = [
            f"-max_total_time={seconds}", f"-seed={seed}", f"-timeout={SLOWEST_SECONDS}",
            f"-rss_limit_mb={MOST_MEGABYTES}", f"-max_len={LONGEST_INPUT}", "-print_final_stats=1", "-verbosity=1",
            f"-artifact_prefix={kept}/{target}-", grown, str(CORPUS / target),
        ]  # fmt: skip
        command = [sys.executable, "-m", "tests.hostile.fuzz", "--target", target, "--", *flags]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    counts = [int(one or other) for one, other in _EXECUTED.findall(done.stderr)]
    found = sorted(kept.glob(f"{target}-*"))
    if done.returncode or not counts:
        print(
            f"--- {target} (status {done.returncode})\n{done.stdout[-2000:]}{done.stderr[-4000:]}", flush=True
        )
        found = found or [CORPUS / target]  # it ended without leaving an input
    return max(counts, default=0), found


def _run_in_this_process(name: str, flags: Sequence[str]) -> None:
    """Hand this process over to libFuzzer, which ends it."""
    import atheris

    with atheris.instrument_imports(
        include=["rotator", "defusedxml", "zipfile", "yaml"], enable_loader_override=False
    ):
        from tests.hostile.targets import TARGETS
    atheris.Setup([sys.argv[0], *flags], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
