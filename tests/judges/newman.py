"""Exported collections, and what newman tells of their runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.judges.tools import NodeTools


class Told:
    """What newman's JSON reporter tells of a run.

    Attributes:
        failures: name of the test (None: no test, but the request or a script), and the reason.
        passed: names of tests, in the order of the run.
        sent: names of the requests that were answered.
        requests: all of them, as text.
        output: what newman printed.
    """

    def __init__(self, report: Any, output: str) -> None:
        self.output = output
        told = report["run"]
        self.assertions: dict[str, int] = told["stats"]["assertions"]
        self.failures = [(one["error"].get("test"), one["error"]["message"]) for one in told["failures"]]
        asserted = [one for each in told["executions"] for one in each.get("assertions", ())]
        self.passed = [one["assertion"] for one in asserted if "error" not in one]
        self.sent = [each["item"]["name"] for each in told["executions"] if "response" in each]
        self.requests = json.dumps([each.get("request") for each in told["executions"]])


class Files:
    """A collection with an environment, as `rotator export postman` wrote them."""

    def __init__(self, node: NodeTools, told: Any) -> None:
        self.node = node
        self.collection, self.environment = Path(told["collection"]), Path(told["environment"])

    def variables(self) -> dict[str, str]:
        values = json.loads(self.environment.read_text())["values"]
        return {variable["key"]: variable["value"] for variable in values}

    def edit(self, **values: str) -> Files:
        """Set variables, as a person does in Postman."""
        document = json.loads(self.environment.read_text())
        for variable in document["values"]:
            variable["value"] = values.pop(variable["key"], variable["value"])
        assert values == {}, "there are no such variables"
        self.environment.write_text(json.dumps(document))
        return self

    def run(self, *options: object) -> Told:
        """Run newman. Its exit code says the same as its report."""
        report = self.environment.with_suffix(".report")
        done = self.node.run(
            "newman/bin/newman.js", "run", self.collection, "--environment", self.environment,
            "--reporters", "cli,json", "--reporter-json-export", report, *options,
        )  # fmt: skip
        told = Told(json.loads(report.read_text()), done.stdout)
        assert (done.returncode != 0) == bool(told.failures), done.stderr
        return told

    def run_each(self, rows: Sequence[Mapping[str, str]], *options: object) -> Told:
        """Run newman once for each row of variables, which go before those of the environment."""
        data = self.environment.with_suffix(".data.json")
        data.touch(0o600)
        data.write_text(json.dumps(rows))
        return self.run("--iteration-data", data, *options)
