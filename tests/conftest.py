"""Settings of all tests; at the end of a run it is told how much the explorer has seen."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How fast a busy machine makes examples is no property of ours.
settings.register_profile("rotator", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("rotator")


def pytest_terminal_summary(terminalreporter):
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
