"""Known vulnerabilities of all that is locked: ``python -m tests.supply_chain.audit``.

Judges by what was really looked up. pip-audit ends well, with "No known vulnerabilities found", where its service knows
none of the packages, as behind a mirror that answers for files alone; and npm has no word for it at all. Here each
package counts as clean, vulnerable or not looked up.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
# The lock of the tests holds those of what is shipped and of what builds it.
LOCKS = (".ci/requirements-dev.txt", "config/consumers/python/requirements.txt")
NODE = "tests/judges/node"
SERVICES = ("pypi", "osv")
TIMEOUT_SECONDS = 120

CLEAN, VULNERABLE, NOT_LOOKED_UP = 0, 1, 3


@dataclass(frozen=True)
class Looked:
    """What a look at one lock brought to light.

    Attributes:
        clean: packages that were looked up, and nothing is known against them.
        vulnerable: what is known against others, in words.
        unanswered: packages that nobody could say anything about.
        why: what came instead of an answer.
    """

    lock: str
    clean: int
    vulnerable: tuple[str, ...]
    unanswered: int
    why: str = ""

    def __str__(self) -> str:
        told = f"{self.lock}: {self.clean} clean, {len(self.vulnerable)} vulnerable, {self.unanswered} not looked up"
        return f"{told} ({self.why})" if self.why else told


def read_pip_audit(lock: str, packages: int, said: str, error: str) -> Looked:
    """Return what the JSON of pip-audit says of a lock with so many packages."""
    try:
        entries: list[dict[str, Any]] = json.loads(said)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Looked(lock, 0, (), packages, _last_line(error) or "no answer")
    if not entries:
        return Looked(lock, 0, (), packages, "not a word about any package")
    skipped = [entry["skip_reason"] for entry in entries if "skip_reason" in entry]
    known = [
        f"{entry['name']} {entry['version']}: {one['id']}, mended in {', '.join(one['fix_versions']) or 'none'}"
        for entry in entries
        for one in entry.get("vulns", ())
    ]
    clean = sum(1 for entry in entries if "vulns" in entry and not entry["vulns"])
    return Looked(lock, clean, tuple(known), len(skipped), skipped[0] if skipped else "")


def read_npm_audit(lock: str, packages: int, said: str, error: str) -> Looked:
    """Return what the JSON of npm says of a lock with so many packages."""
    answer: Any = None
    try:
        answer = json.loads(said)
        found = answer["vulnerabilities"]
    except (ValueError, KeyError, TypeError):
        told = answer.get("message", "") if isinstance(answer, dict) else ""
        return Looked(lock, 0, (), packages, told or _last_line(error) or "no answer")
    words = [f"{name} {one['range']}: {one['severity']}" for name, one in sorted(found.items())]
    return Looked(lock, packages - len(words), tuple(words), 0)


def look_at_python(lock: str, services: Sequence[str] = SERVICES, *options: str) -> Looked:
    """Look a lock up at the first service that answers for all of it; none: at the one that told most."""
    pinned = sum("==" in line for line in (ROOT / lock).read_text().splitlines())
    best, why = Looked(lock, 0, (), pinned), []
    for service in services:
        command = ["-m", "pip_audit", "-s", service, "-r", str(ROOT / lock), "--no-deps", "--disable-pip"]
        command += ["--require-hashes", "--format", "json", "--progress-spinner", "off", *options]
        done = _run([sys.executable, *command])
        looked = read_pip_audit(lock, pinned, done.stdout, done.stderr)
        if not looked.unanswered:
            return looked
        why.append(f"{service}: {looked.why}")
        best = min(best, looked, key=lambda one: one.unanswered)
    return replace(best, why="; ".join(why))


def look_at_node(folder: str = NODE) -> Looked:
    lock = f"{folder}/package-lock.json"
    packages = len(json.loads((ROOT / lock).read_text())["packages"]) - 1  # one is the project itself
    try:
        done = _run(["npm", "audit", "--json", "--package-lock-only"], cwd=ROOT / folder)
    except FileNotFoundError:
        return Looked(lock, 0, (), packages, "there is no npm")
    return read_npm_audit(lock, packages, done.stdout, done.stderr)


def verdict(shipped: Sequence[Looked], judges: Looked, *, allow_unanswered: bool) -> tuple[int, str]:
    """Return the exit code and the last line.

    What is known against the judges that run on Node is told and fails nothing: they are not shipped, and work on
    loopback with what we made up.
    """
    clean, vulnerable = sum(one.clean for one in shipped), sum(len(one.vulnerable) for one in shipped)
    unanswered = sum(one.unanswered for one in shipped)
    result = "VULNERABLE" if vulnerable else "NOT AUDITED" if unanswered else "clean"
    line = (
        f"audit: {result}; Python: {clean} packages clean, {vulnerable} vulnerabilities, {unanswered} not looked up; "
        f"Node judges: {judges.clean} clean, {len(judges.vulnerable)} vulnerable, {judges.unanswered} not looked up"
    )
    if vulnerable:
        return VULNERABLE, line
    return NOT_LOOKED_UP if unanswered and not allow_unanswered else CLEAN, line


def main() -> int:
    """Look everything up; exit with 1 where something is vulnerable, with 3 where something was not looked up."""
    parser = argparse.ArgumentParser(prog="python -m tests.supply_chain.audit", description=__doc__)
    parser.add_argument(
        "--allow-unanswered", action="store_true", help="do not fail where no service answers"
    )
    given = parser.parse_args()
    shipped, judges = [look_at_python(lock) for lock in LOCKS], look_at_node()
    told = ["\n    ".join((str(looked), *looked.vulnerable)) for looked in (*shipped, judges)]
    code, line = verdict(shipped, judges, allow_unanswered=given.allow_unanswered)
    sys.stdout.write("\n".join((*told, line)) + "\n")
    return code


def _run(command: list[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command; one that takes too long has told nothing."""
    try:
        return subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"no answer within {TIMEOUT_SECONDS} s")


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:200] if lines else ""


if __name__ == "__main__":
    sys.exit(main())
