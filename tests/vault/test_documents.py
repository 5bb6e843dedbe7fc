"""The documents, on a fake and on a real server."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from rotator.core.model import Record
from rotator.errors import Conflict, Misconfigured
from rotator.secret import Secret
from rotator.vault.codec import RECORD, TokenDocument
from rotator.vault.documents import Documents
from tests.vault.values import ask, key_pair, record, token

WILD_NAMES = [
    "a+b@x.example",
    "o'brien@x.example",
    "a/../b",
    "..",
    ".",
    "+",
    "-",
    "%41",
    "A",
    "a b*",
    "ü@x",
    '"}\n',
]


def test_a_record_that_was_never_written_is_empty_and_has_version_0(documents: Documents):
    assert documents.read_record("acme") == (Record(), 0)


def test_a_record_is_read_back_as_it_was_written(documents: Documents):
    version = documents.write_record("acme", record(), 0)
    assert documents.read_record("acme") == (record(), version) == (record(), 1)
    assert documents.write_record("acme", Record(), version) == 2


def test_only_one_of_two_writers_of_the_same_version_succeeds(documents: Documents):
    documents.write_record("acme", record(), 0)
    documents.write_record("acme", record(), 1)
    for stale in (0, 1):
        with pytest.raises(Conflict):
            documents.write_record("acme", Record(), stale)
    assert documents.read_record("acme") == (record(), 2)


def test_many_threads_that_write_through_one_client_lose_nothing(documents: Documents):
    versions: list[int] = []

    def write() -> None:
        while len(versions) < 24:
            _, version = documents.read_record("acme")
            try:
                versions.append(documents.write_record("acme", record(), version))
            except Conflict:
                continue

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(versions) == list(range(1, len(versions) + 1))


def test_a_record_that_somebody_deleted_is_not_taken_for_a_new_one(
    documents: Documents, vault: Any, base: str
):
    documents.write_record("acme", record(), 0)
    vault.soft_delete(f"{base}/acme/record")
    with pytest.raises(Misconfigured, match="deleted") as caught:
        documents.read_record("acme")
    assert "bao kv undelete -versions=1" in caught.value.hint


def test_a_record_with_an_unknown_key_is_refused_by_path_and_key(documents: Documents, vault: Any, base: str):
    vault.edit(f"{base}/acme/record", RECORD.encode(record()) | {"colour": "red"})
    with pytest.raises(Misconfigured, match=f"{base}/acme/record: colour: "):
        documents.read_record("acme")


def test_a_few_versions_of_a_record_and_two_of_a_token_are_kept(documents: Documents, vault: Any, base: str):
    for version in range(4):
        documents.write_token("acme", "u", token(sequence=version), version)
    documents.write_record("acme", record(), 0)
    assert sorted(vault.metadata(f"{base}/acme/tokens/u")["versions"]) == ["3", "4"]
    assert vault.metadata(f"{base}/acme/record")["max_versions"] == 5


def test_writing_leaves_the_other_settings_of_a_path_alone(documents: Documents, vault: Any, base: str):
    vault.configure_path(f"{base}/acme/tokens/u", delete_version_after="2h0m0s")
    documents.write_token("acme", "u", token(), 0)
    found = vault.metadata(f"{base}/acme/tokens/u")
    assert (found["delete_version_after"], found["max_versions"]) == ("2h0m0s", 2)


@pytest.mark.parametrize("user", WILD_NAMES)
def test_a_token_of_any_user_is_read_back_as_it_was_published(documents: Documents, user: str):
    assert documents.read_token("acme", user) == (None, 0)
    version = documents.write_token("acme", user, token(username=user), 0)
    found, found_version = documents.read_token("acme", user)
    assert isinstance(found, TokenDocument)
    assert (found, found_version) == (token(username=user), version)


def test_users_with_similar_names_do_not_share_a_path(documents: Documents):
    for user in WILD_NAMES:
        documents.write_token("acme", user, token(username=user), 0)
    found = [documents.read_token("acme", user) for user in WILD_NAMES]
    assert found == [(token(username=user), 1) for user in WILD_NAMES]


def test_a_deleted_token_can_be_published_again(documents: Documents, vault: Any, base: str):
    documents.write_token("acme", "u", token(), 0)
    vault.soft_delete(f"{base}/acme/tokens/u")
    assert documents.read_token("acme", "u") == (None, 1)
    assert documents.write_token("acme", "u", token(), 1) == 2


def test_a_key_is_written_once_and_the_second_writer_gets_the_first_ones(documents: Documents):
    assert documents.write_key("acme", 1, key_pair("one")) == key_pair("one")
    assert documents.write_key("acme", 1, key_pair("two")) == key_pair("one")
    assert documents.read_key("acme", 1) == key_pair("one")


def test_a_key_that_was_never_written_is_missed_by_path(documents: Documents, base: str):
    with pytest.raises(Misconfigured, match=f"{base}/acme/keys/7: there is no such key pair"):
        documents.read_key("acme", 7)


@pytest.mark.parametrize("written", [True, False], ids=["written", "never written"])
def test_a_destroyed_serial_can_never_be_written_again(
    documents: Documents, vault: Any, base: str, written: bool
):
    if written:
        documents.write_key("acme", 1, key_pair())
    documents.destroy_key("acme", 1)
    documents.destroy_key("acme", 1)
    for attempt in (
        lambda: documents.write_key("acme", 1, key_pair("late")),
        lambda: documents.read_key("acme", 1),
    ):
        with pytest.raises(Misconfigured, match="was destroyed"):
            attempt()
    assert [facts["destroyed"] for facts in vault.metadata(f"{base}/acme/keys/1")["versions"].values()] == [
        True
    ]


def test_a_tombstone_whose_writer_was_killed_half_way_counts_as_destroyed(
    documents: Documents, vault: Any, base: str
):
    vault.edit(f"{base}/acme/keys/1", {"destroyed": True})
    with pytest.raises(Misconfigured, match="was destroyed"):
        documents.write_key("acme", 1, key_pair())


def test_a_key_that_vault_would_delete_by_itself_is_refused_until_that_is_mended(
    documents: Documents, vault: Any, base: str
):
    vault.set_delete_version_after("1h")
    try:
        with pytest.raises(Misconfigured, match="delete_version_after"):
            documents.write_key("acme", 1, key_pair("one"))
    finally:
        vault.set_delete_version_after("0s")
    with pytest.raises(Misconfigured) as caught:
        documents.write_key("acme", 1, key_pair("two"))
    assert f"bao kv undelete -versions=1 -mount=secret {base}/acme/keys/1" in caught.value.hint
    vault.undelete(f"{base}/acme/keys/1", 1)
    assert documents.write_key("acme", 1, key_pair("two")) == key_pair("one")


def test_a_request_waits_until_it_is_deleted_by_its_id(documents: Documents, vault: Any, base: str):
    assert documents.list_requests() == []
    documents.write_request("o'acme", ask("r-1"), {"private_key": Secret("PEM")})
    waiting = documents.read_request("o'acme")
    assert waiting is not None
    assert (documents.list_requests(), waiting.request) == (["o'acme"], ask("r-1"))
    assert waiting.payload["private_key"].reveal() == "PEM"
    documents.delete_request("o'acme", "r-0")
    assert documents.list_requests() == ["o'acme"]
    documents.delete_request("o'acme", "r-1")
    assert (documents.list_requests(), documents.read_request("o'acme")) == ([], None)


def test_a_second_request_is_refused_while_one_waits(documents: Documents):
    documents.write_request("acme", ask("r-1"))
    with pytest.raises(Conflict, match="waits already"):
        documents.write_request("acme", ask("r-2"))
    assert (waiting := documents.read_request("acme")) is not None
    assert waiting.request.id == "r-1"


def test_a_deleted_request_leaves_no_version_of_its_key_behind(documents: Documents, vault: Any, base: str):
    documents.write_request("acme", ask("r-1"), {"private_key": Secret("PEM")})
    documents.delete_request("acme", "r-1")
    with pytest.raises(Exception, match="404"):
        vault.metadata(f"{base}/-/requests/acme")


def test_nothing_that_is_printed_shows_a_secret(documents: Documents):
    documents.write_request("acme", ask(), {"private_key": Secret("PEM-SECRET")})
    documents.write_key("acme", 1, key_pair("KEY-SECRET"))
    shown = repr(
        (documents.read_request("acme"), token("TOKEN-SECRET"), documents.read_key("acme", 1).private_key_pem)
    )
    assert "SECRET" not in shown
