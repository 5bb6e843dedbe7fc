"""Tests of the whole system: real processes, a real Vault server, the simulated org. They print their figures."""

from __future__ import annotations

import json

import pytest

from tests.world import rude


@pytest.fixture(autouse=True)
def weather(request):
    """The org of each test is rude in its own way, from a seed that one option brings back."""
    rude.sow(request.config.getoption("randomly_seed"), request.node.name)


@pytest.fixture
def figures(record_property):
    """Note figures of a test, to be shown at the end of the run."""

    def note(**values):
        record_property("figures", json.dumps(values))

    return note


def pytest_terminal_summary(terminalreporter):
    failed = [report.nodeid.rpartition("::")[2] for report in terminalreporter.getreports("failed")]
    seed = terminalreporter.config.getoption("randomly_seed")
    for test in failed:
        terminalreporter.write_line(
            f"again, in the same weather: make system-test ARGS='--randomly-seed={seed} -k \"{test}\"'"
        )
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
