"""Tests of the whole system: real processes, a real Vault server, the simulated org. They print their figures."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def figures(record_property):
    """Note figures of a test, to be shown at the end of the run."""

    def note(**values):
        record_property("figures", json.dumps(values))

    return note


def pytest_terminal_summary(terminalreporter):
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
