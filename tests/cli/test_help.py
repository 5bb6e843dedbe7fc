"""The help teaches, and is there at once."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from rotator.cli import FAMILIES, main
from rotator.cli.exits import MEANINGS, Exit, exit_of
from rotator.errors import Conflict, Misconfigured, Rejected, Transient

HEAVY = (
    "hvac", "cryptography", "requests", "urllib3", "apscheduler", "rich", "pydantic", "structlog", "yaml", "jwt",
    "flask", "cheroot", "prometheus_client",
)  # fmt: skip
COMMANDS = sorted(main.commands)
PATHS = sorted(
    path
    for name, one in main.commands.items()
    for path in [(name,), *((name, below) for below in getattr(one, "commands", ()))]
)
each_command = pytest.mark.parametrize("path", PATHS, ids=" ".join)


def help_of(*command: str) -> str:
    result = CliRunner().invoke(main, [*command, "--help"])
    assert result.exit_code == 0
    return result.stdout


@each_command
def test_help_says_who_acts_gives_an_example_and_lists_the_exit_codes(path):
    text = help_of(*path)
    assert "Asks the daemon:" in text or "Acts by itself" in text
    assert f"  rotator {' '.join(path)}" in text
    assert "Exit codes:\n    0    all is well" in text


@each_command
def test_what_speaks_to_vault_says_as_whom(path):
    text = " ".join(help_of(*path).split())
    if "--vault-token-file" in text:
        assert "rotator vault-policy" in text


def test_the_help_as_a_whole_lists_every_command_and_every_exit_code():
    text = help_of()
    assert sorted(command.name for family in FAMILIES.values() for command in family) == COMMANDS
    assert all(f"  {command} " in text for command in COMMANDS)
    assert all(meaning in text for meaning in MEANINGS.values())
    assert set(MEANINGS) == set(Exit)


def test_no_help_imports_what_only_work_needs():
    program = f"""
import sys
from click.testing import CliRunner
from rotator.cli import main
for command in [[], *{PATHS!r}]:
    assert CliRunner().invoke(main, [*command, "--help"]).exit_code == 0
print(sorted(name for name in {HEAVY!r} if name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["rotator", "rotator.cli"])
def test_it_runs_as_a_module_and_tells_its_version(module):
    done = subprocess.run(
        [sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-1] == "0.1.0"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Transient("Vault is sealed", code="vault.sealed", hint="Mend it."), Exit.UNAVAILABLE),
        (Misconfigured("no", code="config.mistakes", hint="Mend it."), Exit.USAGE),
        (Misconfigured("no", code="vault.permission_denied", hint="Mend it."), Exit.PROBLEM),
        (Conflict("no", code="some.code", hint="Mend it."), Exit.PROBLEM),
        (Rejected("no", code="some.code", hint="Mend it."), Exit.PROBLEM),
    ],
)
def test_an_error_has_the_exit_code_that_a_script_can_act_on(error, code):
    assert exit_of(error) is code
