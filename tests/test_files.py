"""Files that are handed to people."""

from __future__ import annotations

import pytest

from rotator.errors import Misconfigured
from rotator.files import write_files

CODE = "test.files"


def mode(path):
    return path.stat().st_mode & 0o777


def test_folders_are_made_and_private_files_are_for_their_owner_alone(tmp_path):
    public, private = tmp_path / "a" / "public", tmp_path / "a" / "private"
    write_files({public: b"1", private: b"2"}, code=CODE, private=[private])
    assert (public.read_bytes(), private.read_bytes(), mode(private)) == (b"1", b"2", 0o600)
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "a", private, public]


def test_a_private_file_becomes_one_also_where_others_could_read_it_before(tmp_path):
    path = tmp_path / "private"
    path.write_bytes(b"2")
    path.chmod(0o644)
    write_files({path: b"2"}, code=CODE, private=[path])
    assert mode(path) == 0o600


def test_a_private_file_does_not_go_where_a_link_leads(tmp_path):
    elsewhere, path = tmp_path / "elsewhere", tmp_path / "private"
    elsewhere.write_bytes(b"theirs")
    path.symlink_to(elsewhere)
    write_files({path: b"2"}, code=CODE, private=[path], overwrite=True)
    assert (elsewhere.read_bytes(), path.read_bytes(), path.is_symlink()) == (b"theirs", b"2", False)


def test_nothing_is_written_where_one_file_was_edited(tmp_path):
    new, edited = tmp_path / "new", tmp_path / "edited"
    edited.write_bytes(b"mine")
    with pytest.raises(Misconfigured, match="edited is there already") as caught:
        write_files({new: b"1", edited: b"2"}, code=CODE, hint="Do this.")
    assert (caught.value.code, caught.value.hint) == (CODE, "Do this.")
    assert (new.exists(), edited.read_bytes()) == (False, b"mine")


def test_an_edited_file_is_overwritten_when_told_or_when_it_is_like_the_new_one(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"MINE")
    write_files({path: b"mine"}, code=CODE, alike=lambda there, new: there.lower() == new)
    assert path.read_bytes() == b"mine"
    write_files({path: b"yours"}, code=CODE, overwrite=True)
    assert path.read_bytes() == b"yours"


def test_what_can_not_be_written_is_told_and_leaves_nothing_behind(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Misconfigured, match="folder can't be written: Is a directory"):
        write_files({tmp_path / "folder": b"1"}, code=CODE, overwrite=True)
    with pytest.raises(Misconfigured, match="below can't be written"):
        write_files({tmp_path / "file" / "below": b"1"}, code=CODE)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "file", tmp_path / "folder"]
