"""The judge of the bill of materials sees what is missing, wrong, or under a licence that nobody allowed."""

from __future__ import annotations

import copy

import pytest

from tests.supply_chain.bill import locked, problems

LOCK = """\
hvac==2.4.0 \\
    --hash=sha256:00
pyyaml==6.0.3 ; python_full_version >= '3.11' \\
    --hash=sha256:00
colorama==0.4.6 ; sys_platform == 'win32' \\
    --hash=sha256:00
urllib3==2.8.0 \\
    --hash=sha256:00
"""
PROJECT = {"name": "rotator", "version": "0.1.0", "dependencies": ["hvac>=2.4,<3", "PyYAML>=6"]}
BILL = {
    "metadata": {"component": {"bom-ref": "root-component", "name": "rotator", "version": "0.1.0"}},
    "components": [
        {"name": "hvac", "version": "2.4.0", "licenses": [{"license": {"id": "Apache-2.0"}}]},
        {"name": "PyYAML", "version": "6.0.3", "licenses": [{"license": {"id": "MIT"}}]},
        {"name": "urllib3", "version": "2.8.0", "licenses": [{"expression": "MIT OR Apache-2.0"}]},
    ],
    "dependencies": [{"ref": "root-component", "dependsOn": ["hvac==2.4.0", "PyYAML==6.0.3"]}],
}


def test_a_lock_is_read_as_this_machine_installs_it():
    assert locked(LOCK) == {"hvac": "2.4.0", "pyyaml": "6.0.3", "urllib3": "2.8.0"}


def test_a_right_bill_has_no_problem():
    assert list(problems(BILL, LOCK, PROJECT)) == []


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda bill: bill["components"].pop(), "urllib3: None in the bill, 2.8.0 in the lock"),
        (lambda bill: bill["components"][0].update(version="2.4.1"), "hvac: 2.4.1 in the bill, 2.4.0 in the lock"),
        (
            lambda bill: bill["components"].append({"name": "six", "version": "1", "licenses": BILL["components"][1]["licenses"]}),
            "six: 1 in the bill, None in the lock",
        ),
        (lambda bill: bill["metadata"]["component"].update(version="9"), "it is the bill of rotator 9"),
        (lambda bill: bill["dependencies"][0]["dependsOn"].pop(), "the direct dependencies differ: ['pyyaml']"),
        (lambda bill: bill["components"][0].pop("licenses"), "hvac has the licence that nobody knows"),
        (
            lambda bill: bill["components"][2]["licenses"][0].update(expression="MIT AND GPL-3.0-only"),
            "urllib3 has the licence MIT and GPL-3.0-only",
        ),
        (
            lambda bill: bill["components"][1]["licenses"].append({"license": {"name": "as you like"}}),
            "pyyaml has the licence MIT and as you like",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_bill_is_said(spoil, said):
    bill = copy.deepcopy(BILL)
    spoil(bill)
    assert list(problems(bill, LOCK, PROJECT)) == [said]
