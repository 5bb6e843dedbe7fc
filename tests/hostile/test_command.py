"""Whatever the operator's program prints, what is told of it is short, printable and of the right kind."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import pytest

from rotator.core.effects import Kind
from rotator.publishers.command import CommandPublisher
from tests.hostile.targets import example
from tests.hostile.verdict import LONGEST_MESSAGE, fit

PRINTED = {
    "a flood on one line": "b'x' * 50_000_000",
    "a flood of lines": r"b'failed\n' * 5_000_000",
    "bytes that are no text": r"bytes(range(256)) * 50",
    "half a character at the cut": r"('ü' * 5000).encode()[1:]",
    "colours and cursor movements": r"b'\x1b[2J\x1b[31mfailed\x1b]0;title\x07'",
    "text in UTF-16": "'failed'.encode('utf-16')",
    "zeros": r"b'\0' * 10_000",
    "a surrogate, and writing from right to left": r"'\ud800\u202efailed'.encode('utf-8', 'surrogatepass')",
    "JSON that looks like a report of the supervisor": r"""b'{"status": 0, "all_ended": true}\n'""",
}


@pytest.mark.parametrize("printed", PRINTED.values(), ids=PRINTED)
def test_a_refusal_is_told_with_words_that_are_fit_to_be_shown(printed):
    program = [sys.executable, "-c", f"import sys; sys.stdout.buffer.write({printed}); sys.exit(1)"]
    publisher = CommandPublisher(program, credential="acme", timeout=timedelta(seconds=100))
    send_before = datetime.now(UTC) + timedelta(seconds=100)
    answer = publisher.deploy(example("certificate", "own.pem").decode(), send_before)
    assert answer.kind is Kind.REFUSED
    fit(answer.message, LONGEST_MESSAGE)
