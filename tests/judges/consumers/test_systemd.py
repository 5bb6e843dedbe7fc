"""The units: config/consumers/systemd and the agent's."""

from __future__ import annotations

import configparser
import json
import shlex
import shutil
import stat

import pytest

from tests.judges.tools import run
from tests.world.examples import EXAMPLES, Agent, adapt, run_query

pytestmark = pytest.mark.judge("systemd-analyze")

UNITS = (
    "agent/salesforce-agent.service",
    "systemd/salesforce-accounts.service",
    "systemd/salesforce-accounts.timer",
)
PROGRAM = "/usr/local/bin/salesforce-query"
EXPOSED_AT_MOST = 25  # of 100


@pytest.fixture
def units(tmp_path):
    """The units, with programs that this machine has."""
    program = tmp_path / "salesforce-query"
    shutil.copy(EXAMPLES / "curl" / "query.sh", program)
    for unit in UNITS:
        programs = {PROGRAM: program, "/usr/bin/bao": shutil.which("true")}
        said = (EXAMPLES / unit).read_text()
        adapt(unit, tmp_path, {path: ours for path, ours in programs.items() if path in said})
    return tmp_path


def parsed(unit):
    parser = configparser.RawConfigParser(strict=False, delimiters="=", comment_prefixes="#")
    parser.optionxform = str
    parser.read(unit)
    return parser


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_has_nothing_to_say_against_a_unit(units, unit):
    done = run("systemd-analyze", "verify", "--man=no", f"./{unit.rpartition('/')[2]}", cwd=units)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_misspelt_key_is_found(units):
    unit = units / "salesforce-accounts.service"
    unit.write_text(unit.read_text().replace("LoadCredential=", "LoadCredentials="))
    done = run("systemd-analyze", "verify", "--man=no", "./salesforce-accounts.service", cwd=units)
    assert "LoadCredentials" in done.stderr


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit.endswith(".service")])
def test_a_service_is_shut_off_from_what_it_does_not_need(units, unit):
    done = run(
        "systemd-analyze",
        "security",
        "--offline=yes",
        f"--threshold={EXPOSED_AT_MOST}",
        f"./{unit.rpartition('/')[2]}",
        cwd=units,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_program_works_with_the_file_that_the_agent_renders(units, stage, env, tmp_path):
    """systemd's part is played here: it copies the file into the credentials' folder, and says where that is."""
    service = parsed(units / "salesforce-accounts.service")["Service"]
    name, _, path = service["LoadCredential"].partition(":")
    variable, _, value = service["Environment"].partition("=")
    program, soql = shlex.split(service["ExecStart"])
    with Agent(stage, env, tmp_path, interval="1s") as agent:
        agent.wait_for_reloads(1)
    assert path == "/run/salesforce/acme.json"
    assert stat.S_IMODE(agent.file.stat().st_mode) == 0o600
    folder = tmp_path / "credentials"
    folder.mkdir()
    shutil.copy(agent.file, folder / name)
    done = run_query(
        {
            "PATH": env["PATH"],
            "CURL_CA_BUNDLE": env["CURL_CA_BUNDLE"],
            variable: value.replace("%d", str(folder)),
        },
        soql,
        script=program,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["totalSize"] == 5


def test_the_agent_and_the_service_name_the_same_files():
    agent = parsed(EXAMPLES / "agent" / "salesforce-agent.service")["Service"]
    assert f"/run/{agent['RuntimeDirectory']}/acme.json" in (EXAMPLES / "agent" / "agent.hcl").read_text()
    assert shlex.split(agent["ExecStart"])[1:] == ["agent", "-config=/etc/salesforce-agent/agent.hcl"]
