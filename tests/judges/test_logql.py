"""The alert rules for Loki, read by the grammar with which Grafana reads LogQL. No Loki is here to run them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.judges.tools import run

pytestmark = pytest.mark.judge("LogQL grammar of Grafana")

FILE = Path(__file__).parents[2] / "config" / "loki" / "alerts.yml"
PROGRAM = Path(__file__).parent / "node" / "logql.cjs"
RULES = {
    rule["alert"]: rule["expr"]
    for group in yaml.safe_load(FILE.read_text())["groups"]
    for rule in group["rules"]
}


def faults(node, expression):
    """Return where the grammar stumbles."""
    done = run(node.node, PROGRAM, env={"NODE_PATH": str(node.modules)}, stdin=json.dumps([expression]))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)[0]


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_logql(name, node):
    assert faults(node, RULES[name]) == []


@pytest.mark.parametrize(
    "broken", ['{unit="x"} | json event="event', "sum by (count_over_time({a=`b`}[5m]))", "rate({a=`b`})"]
)
def test_what_is_none_is_seen(broken, node):
    assert faults(node, broken)
