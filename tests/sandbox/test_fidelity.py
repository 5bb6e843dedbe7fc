"""The pages about the sandbox's closeness to Salesforce say what the tests hold, and their commands run."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from rotator.sandbox.org.seed import ACME, DEPLOYER, USERS, seed_org
from rotator.sandbox.org.server import OrgServer
from rotator.survey import QUESTIONS
from tests.sandbox.table import TABLE
from tests.sandbox.table.page import PAGE, drawn
from tests.sandbox.table.row import CERTAINTIES

ROOT = Path(__file__).parents[2]
FIDELITY = PAGE.read_text()
CHECK = (ROOT / "docs" / "check-on-your-own-org.md").read_text()
CELLS = [[cell.strip() for cell in line.strip("|").split("|")] for line in FIDELITY.splitlines()]
BEHAVIOURS = [
    cells for cells in CELLS if len(cells) == 4 and cells[0] not in {"the sandbox", "---"}
]  # what, source, certainty, test
NAMED = re.findall(r"`(tests/\S+?\.py)::(\w+)`", FIDELITY)
LINES = re.findall(r"^((?:KEY=\S+ )?python ask\.py .*?) +# (.+)$", CHECK, re.MULTILINE)
DOUBTFUL = [
    *(row[0] for row in BEHAVIOURS if row[2] == "D"),
    *(sent for sent, row in TABLE.items() if row.certainty == "D"),
]


@cache
def functions(path):
    return {
        node.name
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.FunctionDef)
    }


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED)))
def test_every_test_that_the_page_names_is_there(path, name):
    assert name in functions(path)


@pytest.mark.parametrize("row", BEHAVIOURS, ids=lambda row: row[0])
def test_every_behaviour_has_a_source_a_certainty_and_a_test(row):
    assert row[1]
    assert row[2] in CERTAINTIES
    assert re.fullmatch(r"`tests/\S+\.py::test_\w+`", row[3])


def test_the_page_has_the_behaviours_and_explains_every_mark():
    assert len(BEHAVIOURS) > 60
    assert all(f"| {mark} | {meaning} |" in FIDELITY for mark, meaning in CERTAINTIES.items())


def test_every_refusal_of_the_table_stands_on_the_page():
    assert drawn() in FIDELITY, "run: python -m tests.sandbox.table.page"


@pytest.mark.parametrize("what", DOUBTFUL)
def test_for_everything_doubtful_there_is_a_way_to_find_out(what):
    assert what in CHECK


@pytest.mark.parametrize("topic", QUESTIONS)
def test_the_page_says_what_each_answer_of_a_survey_settles(topic):
    assert re.search(rf"^\| `{topic}` \| .+ \|$", CHECK, re.MULTILINE)


# --- the commands of the page -------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(old):
    with OrgServer(seed_org({ACME: old.pem, DEPLOYER: old.pem})) as server:
        yield server


@pytest.fixture
def run(served, old, tmp_path):
    """Runs a line of the page with bash, where the page's ask.py and its keys lie."""
    (tmp_path / "ask.py").write_text(re.search(r"```python\n(.*?)```", CHECK, re.DOTALL)[1])
    for name, key in (("try.key", old.key), ("ec.key", ec.generate_private_key(ec.SECP256R1()))):
        (tmp_path / name).write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    app = served.org.app(ACME)
    settings = {
        "LOGIN_URL": served.url,
        "AUDIENCE": served.url,
        "KEY": "try.key",
        "CONSUMER_KEY": app.consumer_key,
        "CLIENT_SECRET": app.consumer_secret,
        "SF_USER": USERS[ACME][0],
    }
    python = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def run(line, **changed):
        env = {**os.environ, **settings, "PATH": python, "no_proxy": "*", **changed}
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_first_command_of_the_page_logs_in_and_shows_no_token(run):
    said = run("python ask.py login")
    assert said.startswith("200 ")
    assert '"access_token": "..."' in said


@pytest.mark.parametrize(("line", "row"), LINES, ids=[row for _, row in LINES])
def test_a_command_of_the_page_is_answered_by_the_sandbox_as_the_row_it_names(run, line, row):
    said, wanted = run(line), TABLE[row]
    assert wanted.certainty == "D"
    assert said.startswith(f"{wanted.status} ")
    assert wanted.error in said
    assert wanted.description in said


@pytest.mark.parametrize(
    ("line", "statuses"),
    [
        (
            'for late in 1 5 30 60 180 300; do python ask.py login RS256 "{\\"exp\\": \\"-$late\\"}"; done',
            "2",
        ),
        ("""python ask.py login RS256 '{"jti": "x"}'""", "200"),
    ],
)
def test_the_commands_for_behaviours_run(run, line, statuses):
    assert line.replace("\\\\", "\\") in CHECK
    assert run(line).startswith(statuses)


def test_as_a_deployer_the_page_asks_whether_external_client_apps_can_be_read(run, served):
    line = re.search(r"`(python ask\.py soap 'body=<readMetadata>.*?)`", CHECK)[1]
    said = run(line, CONSUMER_KEY=served.org.app(DEPLOYER).consumer_key, SF_USER=USERS[DEPLOYER][0])
    assert said.startswith("500 ")
    assert "readMetadata is not supported for type: ExtlClntAppGlobalOauthSettings" in said
