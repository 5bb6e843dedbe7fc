"""Each error carries a code and a mend, for whoever is called at three in the morning."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

import rotator
from rotator import errors
from rotator.errors import RotatorError
from rotator.salesforce import refusal_table
from rotator.salesforce.refusal_table import Row

SOURCES = sorted(Path(rotator.__file__).parent.rglob("*.py"))
CLASSES = {
    name: kind
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, RotatorError)
}
FAILURES = {"FAILED", "REFUSED", "UNKNOWN"}


def calls(*names: str) -> Iterator[tuple[str, ast.Call]]:
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                yield f"{file.name}:{node.lineno}", node


def given(call: ast.Call) -> dict[str, ast.expr]:
    return {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg is not None}


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
@pytest.mark.parametrize("left_out", ["code", "hint"])
def test_no_error_can_be_raised_without(kind, left_out):
    said = {"code": "some.code", "hint": "Mend it."}
    assert kind("it is broken", **said).hint == "Mend it."
    del said[left_out]
    with pytest.raises(TypeError, match=left_out):
        kind("it is broken", **said)


def test_no_code_and_no_mend_is_left_empty():
    found = list(calls(*CLASSES))
    assert len(found) > 100
    assert not [
        place
        for place, call in found
        for what in ("code", "hint")
        if isinstance(said := given(call)[what], ast.Constant) and not said.value
    ]


def test_every_refusal_of_salesforce_that_is_known_has_its_mend():
    tables = [value for value in vars(refusal_table).values() if isinstance(value, (tuple, Row))]
    rows = [row for table in tables for row in (table if isinstance(table, tuple) else (table,))]
    assert len(rows) > 50
    assert all(row.code and row.hint for row in rows)


def test_an_answer_of_what_went_wrong_says_what_a_person_does():
    found = [(place, call) for place, call in calls("Answer") if failed(call)]
    assert len(found) > 5
    assert not [place for place, call in found if not {"code", "hint"} <= given(call).keys()]


def failed(call: ast.Call) -> bool:
    return any(isinstance(kind, ast.Attribute) and kind.attr in FAILURES for kind in call.args)
