"""Judges the bill of materials that ``make sbom`` wrote: ``python -m tests.supply_chain.bill build/sbom.json``."""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from license_expression import get_spdx_licensing
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]

# What may be shipped along with Apache-2.0. Packages of old declare a classifier and no SPDX id.
LICENCES = frozenset({
    "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "PSF-2.0", "Python-2.0",
    "MPL-2.0",  # asks that changes of its own files are published; we change none
    "License :: OSI Approved :: Apache Software License",
    "License :: OSI Approved :: BSD License",
    "License :: OSI Approved :: MIT License",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)",
})  # fmt: skip


def locked(text: str) -> dict[str, str]:
    """Return name -> version of what a lock installs on this machine."""
    lines = re.findall(r"^([\w.-]+==[^\\\n]+)", text, re.MULTILINE)
    wanted = [one for one in map(Requirement, lines) if one.marker is None or one.marker.evaluate()]
    return {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in wanted}


def problems(bill: dict[str, Any], lock: str, project: dict[str, Any]) -> Iterator[str]:
    """Return where the bill is not that of the locked packages, and which licences nobody has allowed."""
    listed = {canonicalize_name(one["name"]): one for one in bill["components"]}
    versions = {name: one["version"] for name, one in listed.items()}
    pinned = locked(lock)
    for name in sorted(versions.keys() | pinned.keys()):
        if versions.get(name) != pinned.get(name):
            yield f"{name}: {versions.get(name)} in the bill, {pinned.get(name)} in the lock"
    root = bill["metadata"]["component"]
    if (root["name"], root["version"]) != (project["name"], project["version"]):
        yield f"it is the bill of {root['name']} {root['version']}"
    edges = {one["ref"]: one.get("dependsOn", []) for one in bill["dependencies"]}
    direct = {canonicalize_name(reference.split("==")[0]) for reference in edges.get(root["bom-ref"], ())}
    asked = {canonicalize_name(Requirement(one).name) for one in project["dependencies"]}
    if direct != asked:
        yield f"the direct dependencies differ: {sorted(direct ^ asked)}"
    for name, one in listed.items():
        told = list(licences(one))
        if not told or not set(told) <= LICENCES:
            yield f"{name} has the licence {' and '.join(told) or 'that nobody knows'}"


def licences(component: dict[str, Any]) -> Iterator[str]:
    """Return the licences that a component names; every part of an expression counts."""
    for one in component.get("licenses", ()):
        if "expression" in one:
            yield from get_spdx_licensing().license_keys(one["expression"])
        else:
            yield one["license"].get("id") or one["license"]["name"]


def main() -> int:
    """Print what is wrong, and how many packages of which licences there are; exit with 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.supply_chain.bill", description=__doc__)
    parser.add_argument("bill", type=Path, help="CycloneDX, JSON")
    bill = json.loads(parser.parse_args().bill.read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = list(problems(bill, (ROOT / ".ci" / "requirements.txt").read_text(), project))
    kinds = sorted({licence for one in bill["components"] for licence in licences(one)} & LICENCES)
    short = ", ".join(kind.rpartition(" :: ")[2] for kind in kinds)
    sys.stdout.writelines(f"violation: {one}\n" for one in found)
    sys.stdout.write(
        f"sbom: {'WRONG' if found else 'right'}; CycloneDX {bill['specVersion']}, "
        f"{len(bill['components'])} packages, licences: {short}\n"
    )
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
