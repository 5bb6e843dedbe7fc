"""Tests of the whole system: real processes, a real Vault server, the simulated org."""

from __future__ import annotations

import pytest

from tests.world import rude


@pytest.fixture(autouse=True)
def weather(request):
    """The org of each test is rude in its own way, from a seed that one option brings back."""
    rude.sow(request.config.getoption("randomly_seed"), request.node.name)


def pytest_terminal_summary(terminalreporter):
    failed = [report.nodeid.rpartition("::")[2] for report in terminalreporter.getreports("failed")]
    seed = terminalreporter.config.getoption("randomly_seed")
    for test in failed:
        terminalreporter.write_line(
            f"again, in the same weather: make system-test ARGS='--randomly-seed={seed} -k \"{test}\"'"
        )
