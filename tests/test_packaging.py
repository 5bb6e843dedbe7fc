"""What is shipped: the wheel, the locks, the image, the unit, the make targets."""

from __future__ import annotations

import configparser
import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUNTIME, SANDBOX, BUILD, DEVELOPMENT = (
    f"requirements{which}.txt" for which in ("", "-sandbox", "-build", "-dev")
)
LOCKS = [RUNTIME, SANDBOX, BUILD, DEVELOPMENT]


def pins(lock: str) -> dict[str, str]:
    """Name -> version of all that a lock holds."""
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / ".ci" / lock).read_text(), re.MULTILINE))


def asked_for(lock: str) -> list[str]:
    project = PROJECT["project"]
    sandbox = [*project["dependencies"], *project["optional-dependencies"]["sandbox"]]
    everything = [
        *sandbox,
        *PROJECT["dependency-groups"]["test"],
        *PROJECT["dependency-groups"]["check"],
        *PROJECT["dependency-groups"]["audit"],
        *PROJECT["build-system"]["requires"],
    ]
    return {
        RUNTIME: project["dependencies"],
        SANDBOX: sandbox,
        BUILD: PROJECT["build-system"]["requires"],
        DEVELOPMENT: everything,
    }[lock]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_everything_by_version_and_hash_and_names_no_address(lock):
    text = (ROOT / ".ci" / lock).read_text()
    assert "//" not in text
    assert "--index" not in text
    for entry in re.split(r"\n(?=\S)", text.strip()):
        assert re.match(r"[\w.-]+==\S+.*\\\n(    --hash=sha256:[0-9a-f]{64}( \\\n)?)+$", entry), entry


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_satisfies_what_the_project_asks_for(lock):
    pinned = pins(lock)
    for requirement in map(Requirement, asked_for(lock)):
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def test_tests_run_with_the_very_versions_that_are_shipped():
    development = pins(DEVELOPMENT)
    assert pins(RUNTIME).items() <= pins(SANDBOX).items()
    assert {**pins(SANDBOX), **pins(BUILD)}.items() <= development.items()


def test_each_dependency_has_its_reason_and_nothing_else_has():
    text = (ROOT / "README.md").read_text()
    table = text.partition("## Dependencies, and why each\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\w.*?) \| (\w.*?) \|$", table, re.MULTILINE)
    told = [canonicalize_name(name) for names, _reason in rows[1:] for name in names.split(", ")]
    asked = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["sandbox"]]
    assert sorted(told) == sorted(canonicalize_name(Requirement(one).name) for one in asked)


def test_the_wheel_holds_the_package_with_all_its_files_and_nothing_else(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = next(
            archive.read(name).decode() for name in archive.namelist() if name.endswith("/METADATA")
        )
    tracked = subprocess.run(
        ["git", "ls-files", "rotator", "systemd"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    files = {re.sub("^systemd/", "rotator/units/", file) for file in tracked.stdout.split()}
    assert shipped >= files
    assert all(name.startswith("rotator/") for name in shipped)
    assert "rotator/py.typed" in shipped
    assert "Requires-Python: >=3.11" in metadata


def test_the_source_distribution_holds_all_that_its_make_targets_and_its_image_need(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (packed,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        shipped = {name.partition("/")[2] for name in archive.getnames()}
    recipes = (ROOT / "Makefile").read_text() + (ROOT / "Dockerfile").read_text()
    assert set(re.findall(r"\.ci/[\w.-]+\.txt", recipes)) == {f".ci/{lock}" for lock in LOCKS}
    assert shipped >= {"Makefile", "Dockerfile", "LICENSE", *(f".ci/{lock}" for lock in LOCKS)}


def test_make_alone_tells_what_can_be_made():
    told = subprocess.run(["make"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert {"help", "demo", "test", "soak", "check", "audit", "sbom", "lock"} <= {
        line.split()[1] for line in told.splitlines()
    }


def test_the_run_of_all_checks_is_a_program_of_bash():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(script)], check=True)
    text = script.read_text()
    assert "set -euo pipefail" in text
    targets = ("test", "check", "crash", "simulate", "fuzz", "soak", "audit", "sbom", "demo")
    assert all(f"make {target}" in text for target in targets)


def test_the_image_is_made_from_the_locks_and_does_not_run_as_root():
    lines = (ROOT / "Dockerfile").read_text()
    installs = [line for line in re.sub(r"\\\n", " ", lines).splitlines() if "-r .ci/" in line]
    assert all(line.count("--require-hashes") == line.count("-r .ci/") for line in installs)
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", lines, re.MULTILINE)


def test_the_image_names_the_version_of_the_package():
    labelled = re.findall(r'org\.opencontainers\.image\.version="(.*)"', (ROOT / "Dockerfile").read_text())
    assert labelled == [PROJECT["project"]["version"]]


def test_the_health_of_the_image_is_that_of_the_daemon_and_not_of_vault_or_an_org():
    health = re.search(r"^HEALTHCHECK .*CMD (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert health is not None
    assert json.loads(health[1]) == ["rotator", "alive"]


def unit(name: str = "rotator.service") -> dict[str, str]:
    parser = configparser.RawConfigParser(strict=False, delimiters="=", comment_prefixes="#")
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their case
    parser.read(ROOT / "systemd" / name)
    return dict(parser["Service"]) | dict(parser["Unit"])


def test_the_unit_restarts_for_ever_at_a_fixed_pause_that_old_systemd_knows():
    settings = unit()
    assert settings["Restart"] == "always"
    assert settings["StartLimitIntervalSec"] == "0"
    assert "RestartSteps" not in settings
    assert settings["Type"] == "notify"
    assert int(settings["WatchdogSec"]) > 0


def test_a_stop_of_the_unit_does_not_end_a_program_that_brings_a_certificate_in():
    assert unit()["KillMode"] == "mixed"


def test_the_unit_has_a_folder_of_its_own_for_the_sign_of_life():
    assert (unit()["RuntimeDirectory"], unit()["RuntimeDirectoryMode"]) == ("rotator", "0700")


def test_the_unit_gives_no_privilege_and_leaves_no_trace_of_keys():
    settings = unit()
    assert settings["CapabilityBoundingSet"] == ""
    assert settings["LimitCORE"] == settings["MemorySwapMax"] == "0"
    for switch in (
        "NoNewPrivileges",
        "PrivateUsers",
        "PrivateTmp",
        "PrivateDevices",
        "MemoryDenyWriteExecute",
    ):
        assert settings[switch] == "yes"
    assert settings["ProtectSystem"] == "strict"


def hardening(name: str) -> list[str]:
    text = (ROOT / "systemd" / name).read_text().partition("\n[Install]\n")[0]
    return text[text.index("DynamicUser=yes") :].replace(name.removesuffix(".service"), "rotator").split("\n")


def test_one_run_after_the_other_is_shut_off_as_the_daemon_is():
    """Each unit is whole, for those who copy one; so what both say is written twice, and held together here."""
    settings = hardening("rotator-once.service")
    assert len([line for line in settings if line and not line.startswith("#")]) > 30
    assert [line for line in settings if line] == [line for line in hardening("rotator.service") if line]


def test_the_changelog_names_the_version_or_what_is_not_yet_released():
    text = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[(Unreleased|{re.escape(PROJECT['project']['version'])})\]", text, re.MULTILINE)
