"""Whatever is read, the outcome is a value that can be used, or an error of rotator that tells what is wrong."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hostile.strategies import cases, texts_of
from tests.hostile.targets import CORPUS, TARGETS

SLOW = {"certificate": 25, "private_key": 25, "configuration": 50, "vault_answer": 50}
"""Cases of readers that take long for each: keys are checked for being prime."""
CASES = 70


def corpus(target: str) -> list[bytes]:
    return [file.read_bytes() for file in sorted((CORPUS / target).iterdir())]


@pytest.mark.parametrize("target", TARGETS)
def test_no_example_ends_in_another_error(target):
    for data in corpus(target):
        TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
def test_nonsense_is_refused_with_a_clear_error_or_read(target):
    @cases(SLOW.get(target, CASES))
    @given(texts_of(corpus(target)))
    def each(data: bytes) -> None:
        TARGETS[target](data)

    each()


@pytest.mark.parametrize("target", ["record", "token", "request", "vault_answer"])
def test_documents_of_any_shape_are_refused_or_read(target):
    """JSON without any likeness to what is expected."""
    leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    names = st.sampled_from(
        ["data", "metadata", "version", "keys", "auth", "errors", "schema", "phase", "change", "request"]
    )
    anything = st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3)
    )

    @cases(CASES)
    @given(st.dictionaries(names, anything, max_size=4))
    def each(document: dict) -> None:
        TARGETS[target](json.dumps(document).encode())

    each()
