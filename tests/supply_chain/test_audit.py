"""The audit tells clean from vulnerable from not looked up; with the real pip-audit, and a service of ours."""

from __future__ import annotations

import json
import sys

import pytest

from tests.supply_chain import audit
from tests.supply_chain.audit import (
    CLEAN,
    NOT_LOOKED_UP,
    VULNERABLE,
    Looked,
    look_at_python,
    read_npm_audit,
    read_pip_audit,
    verdict,
)
from tests.world.http_fake import Answer, HttpFake

PINS = "hvac==2.4.0 \\\n    --hash=sha256:{0}\nurllib3==2.8.0 \\\n    --hash=sha256:{0}\n".format("0" * 64)
KNOWN = {
    "id": "GHSA-xxxx-yyyy-zzzz",
    "summary": "told by a test",
    "affected": [
        {
            "package": {"name": "urllib3", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.8.1"}]}],
            "versions": ["2.8.0"],
        }
    ],
}
NODE = Looked("node", 9, (), 0)


@pytest.fixture
def lock(tmp_path):
    file = tmp_path / "lock.txt"
    file.write_text(PINS)
    return str(file)


def audited(lock: str, knows) -> Looked:
    """Let the real pip-audit ask a service that answers as ``knows`` says."""

    def answer(request) -> Answer:
        return knows(json.loads(request.body)["package"]["name"])

    with HttpFake(answer) as service:
        return look_at_python(lock, ["osv"], "--osv-url", f"{service.url}/v1/query")


def test_what_a_service_knows_against_a_package_fails_the_audit(lock):
    found = audited(
        lock, lambda name: Answer(body=json.dumps({"vulns": [KNOWN]} if name == "urllib3" else {}))
    )
    assert (found.clean, found.unanswered) == (1, 0)
    assert found.vulnerable == ("urllib3 2.8.0: GHSA-xxxx-yyyy-zzzz, mended in 2.8.1",)
    code, line = verdict([found], NODE, allow_unanswered=True)
    assert (code, line.split(";")[0]) == (VULNERABLE, "audit: VULNERABLE")


def test_packages_that_a_service_knows_and_has_nothing_against_are_clean(lock):
    found = audited(lock, lambda _name: Answer(body="{}"))
    assert found == Looked(lock, 2, (), 0)
    assert verdict([found], NODE, allow_unanswered=False)[0] == CLEAN


def test_a_service_that_fails_has_looked_nothing_up(lock):
    found = audited(lock, lambda _name: Answer(503))
    assert (found.clean, found.unanswered) == (0, 2)
    assert found.why.startswith("osv: ")


def test_packages_that_a_registry_has_no_page_of_are_not_taken_for_clean():
    said = {"dependencies": [
        {"name": "hvac", "version": "2.4.0", "vulns": []},
        {"name": "urllib3", "skip_reason": "Dependency not found on PyPI and could not be audited: urllib3 (2.8.0)"},
    ]}  # fmt: skip
    found = read_pip_audit("lock", 2, json.dumps(said), "")
    assert (found.clean, found.unanswered) == (1, 1)
    code, line = verdict([found], NODE, allow_unanswered=False)
    assert (code, line.split(";")[0]) == (NOT_LOOKED_UP, "audit: NOT AUDITED")
    assert verdict([found], NODE, allow_unanswered=True) == (CLEAN, line)


@pytest.mark.parametrize("said", ["", "nonsense", "[]", "{}", "null"])
def test_whatever_else_comes_is_no_answer(said):
    for read in (read_pip_audit, read_npm_audit):
        assert read("lock", 7, said, "it said\nwhy\n") == Looked("lock", 0, (), 7, "why")


def test_a_service_that_tells_of_no_package_has_looked_nothing_up():
    assert read_pip_audit("lock", 2, '{"dependencies": []}', "").unanswered == 2


def test_a_service_that_does_not_answer_in_time_has_looked_nothing_up(monkeypatch):
    monkeypatch.setattr(audit, "TIMEOUT_SECONDS", 0.1)
    said = audit._run([sys.executable, "-c", "import time; time.sleep(60)"])
    assert read_npm_audit("lock", 2, said.stdout, said.stderr) == Looked(
        "lock", 0, (), 2, "no answer within 0.1 s"
    )


def test_a_refusal_of_npm_is_told_in_its_words():
    found = read_npm_audit("lock", 7, json.dumps({"message": "405 Method Not Allowed", "error": {}}), "")
    assert found == Looked("lock", 0, (), 7, "405 Method Not Allowed")


def test_what_is_known_against_the_judges_on_node_is_told_and_fails_nothing():
    said = {"vulnerabilities": {"qs": {"range": "<6.14.1", "severity": "high"}}, "metadata": {}}
    found = read_npm_audit("lock", 7, json.dumps(said), "")
    assert found == Looked("lock", 6, ("qs <6.14.1: high",), 0)
    code, line = verdict([Looked("lock", 5, (), 0)], found, allow_unanswered=False)
    assert code == CLEAN
    assert "1 vulnerable" in line
