"""Judges: programs that nobody here wrote, put to work on what rotator makes and on its sandbox.

A module of tests names its judge (``pytestmark = pytest.mark.judge("newman")``). At the end of the run a table tells
each judge's version, how many cases it was given, and how many passed.
"""

from __future__ import annotations

import json
from collections import Counter
from functools import partial

import pytest

from tests.judges.salesforce_cli import SALESFORCES_OWN, SalesforceCli
from tests.judges.tools import VERSIONS, NodeTools
from tests.world.commands import Rotator, ready_stage


@pytest.fixture(scope="module")
def stage():
    """A sandbox with nothing spoilt, for the tests of one module."""
    with ready_stage() as stage:
        yield stage


@pytest.fixture(scope="module")
def rotator(stage):
    return Rotator(stage)


@pytest.fixture(scope="session")
def node():
    """Node, and the programs that run on it."""
    return NodeTools()


@pytest.fixture(scope="module")
def sf(node, stage, tmp_path_factory):
    """The Salesforce CLI, with one home for the tests of a module."""
    sf = SalesforceCli(node, tmp_path_factory.mktemp("sf"), stage.org.url)
    yield sf
    assert sf.beyond_this_machine() <= SALESFORCES_OWN


@pytest.fixture
def sf_of_its_own(node, stage, tmp_path_factory):
    """The Salesforce CLI with a new home, for what spoils logins: a refused one takes the user's last one away."""
    sf = SalesforceCli(node, tmp_path_factory.mktemp("sf"), stage.org.url)
    yield sf
    assert sf.beyond_this_machine() <= SALESFORCES_OWN


@pytest.fixture(scope="module")
def deployer(sf, rotator):
    """Runs commands of the CLI in the name of the deployer."""
    done = sf.login(rotator, "deployer")
    assert done.code == 0, done.err
    return partial(sf, SF_TARGET_ORG="deployer@acme.example")


@pytest.fixture(autouse=True)
def judged(request, record_property):
    """Note who judges."""
    (name,) = request.node.get_closest_marker("judge").args
    record_property("judge", json.dumps([name, VERSIONS[name]()]))


def pytest_terminal_summary(terminalreporter):
    cases: Counter[tuple[str, str]] = Counter()
    passed: Counter[tuple[str, str]] = Counter()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in report.user_properties:
                if name == "judge" and report.when == "call":
                    judge = tuple(json.loads(value))
                    cases[judge] += 1
                    passed[judge] += outcome == "passed"
    if not cases:
        return
    terminalreporter.section("judges")
    terminalreporter.write_line(f"{'judge':34} {'version':20} {'cases':>5} {'passed':>6}")
    for (name, version), count in sorted(cases.items()):
        terminalreporter.write_line(f"{name:34} {version:20} {count:5} {passed[name, version]:6}")
