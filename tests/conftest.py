"""Settings of all tests; at the end of a run the figures are told that tests noted, and what the explorer has seen."""

from __future__ import annotations

import json
import tempfile

import pytest
from hypothesis import HealthCheck, settings

# How fast a busy machine makes examples is no property of ours.
settings.register_profile("rotator", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("rotator")


@pytest.fixture(scope="session", autouse=True)
def temporary_folder(tmp_path_factory):
    """What servers and daemons of a run leave that is killed lies where pytest itself clears up, three runs later."""
    folder = str(tmp_path_factory.mktemp("t"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield


@pytest.fixture
def figures(record_property):
    """Note figures of a test, to be shown at the end of the run."""

    def note(**values):
        record_property("figures", json.dumps(values))

    return note


def pytest_terminal_summary(terminalreporter):
    _tell_figures(terminalreporter)
    _tell_explored(terminalreporter)


def _tell_figures(terminalreporter):
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    noted = sorted(
        (report.nodeid.rpartition("::")[2], value)
        for report in reports
        for name, value in report.user_properties
        if name == "figures" and report.when == "call"
    )
    if noted:
        terminalreporter.section("figures")
    for test, value in noted:
        terminalreporter.write_line(f"{test}: {value}")


def _tell_explored(terminalreporter):
    explored = [
        dict(report.user_properties)
        for report in terminalreporter.stats.get("passed", [])
        if report.user_properties and report.user_properties[0][0] == "explored"
    ]
    if not explored:
        return
    terminalreporter.section("states explored")
    for seen in sorted(explored, key=lambda seen: -seen["states"]):
        terminalreporter.write_line(
            f"{seen['explored']:14} {seen['states']:8,} states {seen['transitions']:10,} transitions"
        )
    states, transitions = (sum(seen[what] for seen in explored) for what in ("states", "transitions"))
    terminalreporter.write_line(f"{'together':14} {states:8,} states {transitions:10,} transitions")
