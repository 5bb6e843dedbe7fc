"""Memory and time stay bounded, whatever is read."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zlib

import pytest

from tests.hostile.bombs import ASKED, PARSED
from tests.world.http_fake import Answer, HttpFake

MOST_MEGABYTES = 100
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def set_off(*arguments: str) -> str:
    """Set a bomb off and return the code of the error, once its memory was looked at."""
    command = [sys.executable, "-m", "tests.hostile.bombs", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["grown_megabytes"] <= MOST_MEGABYTES
    return told["code"]


@pytest.mark.parametrize("name", PARSED)
def test_what_unfolds_is_refused_before_it_does(name):
    assert set_off(name) == PARSED[name][1]


def gzipped(megabytes: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()


ENDLESS = {
    "body of 100 MB": (lambda: Answer(body=bytes(100 << 20)), "too_long"),
    "body without a length": (lambda: Answer(raw=b"HTTP/1.1 200 OK\r\n\r\n" + bytes(100 << 20)), "too_long"),
    "packed body": (lambda: Answer(body=gzipped(300), headers={"Content-Encoding": "gzip"}), "too_long"),
    "body packed twice": (
        lambda: Answer(body=gzip.compress(gzipped(300)), headers={"Content-Encoding": "gzip, gzip"}),
        "too_long",
    ),
    "chunk": (lambda: Answer(raw=CHUNKED + b"FFFFFFF\r\n" + bytes(100 << 20)), "too_long"),
    "line before a chunk": (lambda: Answer(raw=CHUNKED + b"0" * (100 << 20)), "unreachable"),
    "trailers": (lambda: Answer(raw=CHUNKED + b"0\r\n" + b"A: b\r\n" * (15 << 20)), "unreachable"),
    "headers": (lambda: Answer(raw=b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * (15 << 20)), "unreachable"),
    "interim answers": (lambda: Answer(raw=b"HTTP/1.1 100 Continue\r\n\r\n" * (4 << 20)), "unreachable"),
    "slow drip": (lambda: Answer(body=bytes(1000), drip_seconds=0.2), "unreachable"),
}


@pytest.mark.parametrize("name", ENDLESS)
@pytest.mark.parametrize("asked", ASKED)
def test_an_answer_without_end_is_not_read_to_its_end(asked, name):
    make, code = ENDLESS[name]
    with HttpFake(make()) as server:
        assert set_off(asked, f"http://127.0.0.1:{server.port}") == f"{asked}.{code}"
