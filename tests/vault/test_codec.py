"""Documents as JSON, and names as path segments."""

from __future__ import annotations

import json
import string
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.core.model import Entry, Reason, Record
from rotator.core.outcome import Outcome
from rotator.errors import Misconfigured
from rotator.vault.codec import RECORD, REQUEST, TOKEN, RequestDocument, times
from rotator.vault.paths import Paths, name_of, segment
from tests.core.given import HOUR, NOW, key, steady
from tests.vault.values import ask, record, token


def test_a_record_survives_the_way_through_json():
    assert RECORD.decode(json.loads(json.dumps(RECORD.encode(record()))), "p") == record()


def test_times_are_rfc_3339_in_utc():
    encoded = TOKEN.encode(token(expires_at=datetime(2026, 11, 24, 13, 0, tzinfo=UTC)))
    assert (encoded["expires_at"], encoded["issued_at"]) == (
        "2026-11-24T13:00:00Z",
        "2026-11-24T12:00:00.125000Z",
    )


def test_every_time_of_a_document_is_found_with_the_way_to_it():
    later = NOW + HOUR
    record = steady(
        keys=(key(2),),
        history=(Entry(1, Reason.ROTATION, Outcome.PROMOTED, NOW, later, deployed=True),),
        promoted_at=NOW,
    )
    assert dict(times(record)) == {
        "keys.0.not_before": key(2).not_before,
        "keys.0.not_after": key(2).not_after,
        "history.0.began": NOW,
        "history.0.ended": later,
        "promoted_at": NOW,
    }
    assert list(times("no time")) == []
    assert list(times(Record)) == []


NEEDED = {"schema": 1, "phase": "empty", "newest": 0, "current": None, "keys": []}


def test_keys_that_are_absent_have_their_defaults():
    assert RECORD.decode(NEEDED, "p") == Record()


@pytest.mark.parametrize("key", NEEDED)
def test_a_record_without_what_matters_most_is_not_taken_for_an_empty_one(key: str):
    with pytest.raises(Misconfigured, match=f"p: {key}: is missing"):
        RECORD.decode({name: value for name, value in NEEDED.items() if name != key}, "p")


def deep(path: str, value: Any) -> dict[str, Any]:
    """Return an encoded record with one value replaced."""
    encoded = RECORD.encode(record())
    *way, last = path.split(".")
    place: Any = encoded
    for part in way:
        place = place[int(part) if part.isdigit() else part]
    place[last] = value
    return encoded


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("phase", "dreaming"),
        ("newest", "4"),
        ("newest", 4.5),
        ("current", True),
        ("identity.surprise", 1),
        ("keys.0.not_after", "2026-11-24T12:00:00"),
        ("keys.1.not_after", "tomorrow"),
        ("change.target", None),
        ("history.0.deployed", "yes"),
        ("history.0.outcome", "vanished"),
        ("surprise", 1),
    ],
)
def test_a_malformed_record_is_refused_by_path_and_key(path: str, value: Any):
    with pytest.raises(Misconfigured) as caught:
        RECORD.decode(deep(path, value), "salesforce/acme/record")
    assert caught.value.message.startswith(f"salesforce/acme/record: {path}: ")
    assert "bao kv rollback" in caught.value.hint


def test_a_malformed_token_may_simply_be_deleted():
    with pytest.raises(Misconfigured) as caught:
        TOKEN.decode({}, "p")
    assert "bao kv delete" in caught.value.hint


def test_a_document_of_a_newer_rotator_is_not_touched():
    with pytest.raises(Misconfigured, match="newer rotator") as caught:
        RECORD.decode(RECORD.encode(record()) | {"schema": 2, "unknown": 1}, "p")
    assert caught.value.code == "vault.document.newer"


@pytest.mark.parametrize("bad", [{"access_token": 7}, {"access_token": ""}, {"sequence": "TOKEN-SECRET"}])
def test_a_malformed_token_is_refused_without_showing_it(bad: dict[str, Any]):
    with pytest.raises(Misconfigured) as caught:
        TOKEN.decode(TOKEN.encode(token("TOKEN-SECRET")) | bad, "p")
    assert "TOKEN-SECRET" not in f"{caught.value!r} {caught.value.__context__}"


def test_a_request_that_brings_a_key_hides_it():
    data = REQUEST.encode(RequestDocument(ask(), {})) | {"payload": {"private_key": "PEM-SECRET"}}
    decoded = REQUEST.decode(data, "p")
    assert decoded.payload["private_key"].reveal() == "PEM-SECRET"
    assert "PEM-SECRET" not in repr(decoded)


@given(st.text(min_size=1))
def test_a_segment_tells_its_name_back(name: str):
    name = name.encode("utf-8", "ignore").decode() or "x"  # a lone surrogate is no text
    assert name_of(segment(name)) == name


@given(st.text(min_size=1, alphabet=string.printable + "äß\0") | st.text("./+-*%", min_size=1))
def test_a_segment_holds_nothing_that_vault_or_a_policy_reads_as_syntax(name: str):
    made = segment(name)
    assert set(made) <= set(string.ascii_letters + string.digits + "@._+-%")
    assert ".." not in made
    assert not made.startswith(("+", "."))
    assert not made.endswith((".", "*"))
    assert made != "-"


def test_names_that_need_no_care_stand_for_themselves():
    assert Paths("salesforce").token("acme", "integration+eu@acme.example") == (
        "salesforce/acme/tokens/integration+eu@acme.example"
    )


def test_an_empty_name_is_refused():
    with pytest.raises(Misconfigured, match="empty name"):
        segment("")
