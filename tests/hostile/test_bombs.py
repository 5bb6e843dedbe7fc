"""Memory and time stay bounded, whatever is read."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import pytest

from tests.hostile.bombs import ASKED, PARSED
from tests.world.http_fake import Answer, HttpFake, Request

MOST_MEGABYTES = 100
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def set_off(*arguments: str) -> list[str]:
    """Set bombs off and return the codes of the errors, once it is seen that they took little memory."""
    command = [sys.executable, "-m", "tests.hostile.bombs", *arguments]
    with tempfile.TemporaryDirectory() as folder:  # bombs are large, and nobody wants them afterwards
        environment = {**os.environ, "TMPDIR": folder}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, f"{done.stdout}{done.stderr[-2000:]}"
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one for one in told if one["grown_megabytes"] > MOST_MEGABYTES] == []
    return [one["code"] for one in told]


@pytest.mark.timeout(600)
def test_what_unfolds_is_refused_before_it_does():
    assert dict(zip(PARSED, set_off(*PARSED), strict=True)) == {
        name: code for name, (_, code) in PARSED.items()
    }


PACKED = gzip.compress(bytes(100 << 20), compresslevel=1)


ENDLESS = {
    "body of 100 MB": (lambda: Answer(body=bytes(100 << 20)), "too_long"),
    "body without a length": (lambda: Answer(raw=b"HTTP/1.1 200 OK\r\n\r\n" + bytes(100 << 20)), "too_long"),
    "packed body": (lambda: Answer(body=PACKED, headers={"Content-Encoding": "gzip"}), "too_long"),
    "body packed twice": (
        lambda: Answer(body=gzip.compress(PACKED), headers={"Content-Encoding": "gzip, gzip"}),
        "too_long",
    ),
    "chunk": (lambda: Answer(raw=CHUNKED + b"FFFFFFF\r\n" + bytes(100 << 20)), "too_long"),
    "line before a chunk": (lambda: Answer(raw=CHUNKED + b"0" * (100 << 20)), "unreachable"),
    "trailers": (lambda: Answer(raw=CHUNKED + b"0\r\n" + b"A: b\r\n" * (15 << 20)), "unreachable"),
    "headers": (lambda: Answer(raw=b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * (15 << 20)), "unreachable"),
    "interim answers": (lambda: Answer(raw=b"HTTP/1.1 100 Continue\r\n\r\n" * (4 << 20)), "unreachable"),
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("asked", ASKED)
def test_an_answer_without_end_is_not_read_to_its_end(asked):
    with ExitStack() as running:
        servers = [
            running.enter_context(HttpFake(partial(_answer, make))) for make, _code in ENDLESS.values()
        ]
        codes = set_off(asked, *(f"http://127.0.0.1:{server.port}" for server in servers))
    assert dict(zip(ENDLESS, codes, strict=True)) == {
        name: f"{asked}.{code}" for name, (_, code) in ENDLESS.items()
    }


def _answer(make: Callable[[], Answer], _request: Request) -> Answer:
    """Make an answer when it is asked for: all of them together take a gigabyte."""
    return make()
