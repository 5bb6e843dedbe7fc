"""Generators of nonsense: a good example with something wrong in it, which gets further than noise does."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st


def cases(number: int) -> settings:
    """Return the settings of a test: always the same cases, however slow the machine."""
    return settings(
        max_examples=number,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[*HealthCheck],
    )


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


ODD_VALUES = st.one_of(
    st.sampled_from(
        [
            None, True, False, 0, -1, 1, 2**63, -(2**63), 10**400, 1.5, 1e308, float("inf"), float("nan"),
            "", " ", "x" * 100_000, "\ud800", "\x00", "\x1b[31m\r\n", "\u202e", "true", "2", "1" * 5000, "../../x",
            "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z", "2026-11-26T12:00:00", "2026-11-26T12:00:00+23:59",
            "http://evil.example", "https://[::1", "https://a@b", "https://\x00", "https://ü.example:99999",
            [], {}, [[]], [None], [{}], {"a": None}, list(range(1000)), nested(150), {"x" * 5000: 1},
        ]
    ),
    st.text(max_size=20),
    st.integers(-3, 12),
    st.sampled_from(["empty", "steady", "creating", "staged", "deploying", "proving", "locked_out", "adopt", "pause"]),
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """Return a JSON document in which one to three values are another, missing, added, doubled, or of a newer schema."""
    document = {"": copy.deepcopy(json.loads(good))}
    for _ in range(draw(st.integers(1, 3))):
        places = _places(document)
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        match draw(st.sampled_from(["replace", "replace", "remove", "add", "double", "wrap", "schema"])):
            case "replace":
                holder[key] = copy.deepcopy(draw(ODD_VALUES))
            case "remove" if key != "":
                del holder[key]
            case "add" if isinstance(holder[key], dict):
                holder[key][draw(st.text(max_size=8))] = copy.deepcopy(draw(ODD_VALUES))
            case "double" if isinstance(holder[key], list):
                holder[key] *= draw(st.sampled_from([2, 100]))
            case "wrap":
                holder[key] = draw(st.sampled_from([[holder[key]], {"data": holder[key]}]))
            case "schema" if isinstance(document[""], dict):
                document[""]["schema"] = copy.deepcopy(draw(ODD_VALUES))
    return json.dumps(document[""]).encode()


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return where every value within a document stands: what holds it, and under which key or index."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in list(keys) for place in ((value, key), *_places(value[key]))]


ODD_BYTES = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [
            b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3", b"\xed\xa0\x80", b"<html>", b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
            b"<![CDATA[", b"<!--", b"-->", b"<?x?>", b"&b;", b"&#0;", b"&#xD800;", b"</", b"/>", b"<a " + b"b='' " * 50,
            b"xmlns:p='" + b"u" * 600 + b"'", b"<a>" * 100, b"[" * 5000, b'{"a":' * 500, b"*a", b"&a ", b"!!python/object:x ",
            b"<<: ", b"? ", b"- " * 50, b"\t", b": ", b"1e999", b"99999999999999999999", b"PK\x03\x04", b"PK\x01\x02",
            b"PK\x05\x06", b"\xff" * 8, b"-----BEGIN CERTIFICATE-----\n", b"Proc-Type: 4,ENCRYPTED\n", b"A" * 5000,
        ]
    ),
)  # fmt: skip


@st.composite
def mangled(draw: st.DrawFn, good: bytes) -> bytes:
    """Return bytes of which some pieces are cut out, overwritten, doubled, or have others put in."""
    data = good
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(data)))
        end = min(len(data), begin + draw(st.sampled_from([0, 1, 1, 2, 8, 64, 4096])))
        piece = draw(st.one_of(ODD_BYTES, st.just(data[begin:end] * 2)))
        data = data[:begin] + piece + data[end:]
    return data


def texts_of(corpus: list[bytes]) -> st.SearchStrategy[bytes]:
    """Return what a reader is tried with: examples that are mangled, damaged where they are JSON, and noise."""
    ways = [mangled(good) for good in corpus]
    ways += [damaged(good) for good in corpus if good.startswith((b"{", b"["))]
    return st.one_of(*ways, *ways, st.binary(max_size=64))
