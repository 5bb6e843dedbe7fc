"""Secrets are read when they are needed, from where the configuration says."""

from __future__ import annotations

from pathlib import Path

import pytest

from rotator.config import SecretReference
from rotator.config.shape import place_of
from rotator.errors import Misconfigured
from rotator.secret import Secret

KEY = "credentials.acme.session.client_secret"


def secret_file(folder: Path, data: bytes, mode: int = 0o600) -> SecretReference:
    folder.mkdir(exist_ok=True)
    (folder / "secret").write_bytes(data)
    (folder / "secret").chmod(mode)
    return SecretReference(KEY, folder, file="secret")


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"hunter2", "hunter2"),
        (b"hunter2\n", "hunter2"),
        (b"hunter2\r\n", "hunter2"),
        (b" a \n\n", " a \n"),
        (b"\xef\xbb\xbfhunter2\r\n", "hunter2"),
    ],
)
def test_one_newline_at_the_end_and_a_mark_before_the_text_do_not_count(
    tmp_path: Path, data: bytes, value: str
):
    assert secret_file(tmp_path, data).read() == Secret(value)


def test_a_secret_may_be_renewed_while_rotator_runs(tmp_path: Path):
    reference = secret_file(tmp_path, b"first")
    assert reference.read() == Secret("first")
    secret_file(tmp_path, b"second")
    assert reference.read() == Secret("second")


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o620, 0o644])
def test_a_file_that_others_may_read_or_change_is_refused(tmp_path: Path, mode: int):
    with pytest.raises(Misconfigured, match=f"{KEY}: .*secret has mode {mode:04o}") as refused:
        secret_file(tmp_path, b"hunter2", mode).read()
    assert "chmod 600" in refused.value.hint


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o440, 0o640])
def test_a_file_for_owner_and_group_is_taken(tmp_path: Path, mode: int):
    assert secret_file(tmp_path, b"hunter2", mode).read() == Secret("hunter2")


def test_systemds_credentials_directory_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    kept = tmp_path / "credentials"
    secret_file(kept, b"by systemd", 0o444)
    beside = secret_file(tmp_path / "etc", b"beside")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(kept))
    assert beside.read() == Secret("by systemd")
    assert beside.path() == kept / "secret"
    (kept / "secret").unlink()
    assert beside.read() == Secret("beside")
    assert beside.path() == tmp_path / "etc" / "secret"


def test_a_file_of_a_folder_that_systemd_loads_is_found_by_the_name_that_it_has_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "credentials_vault.key").write_text("by systemd")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "kept"))
    assert SecretReference(KEY, tmp_path, file="credentials/vault.key").read() == Secret("by systemd")
    assert place_of(tmp_path, "credentials/vault.key") == (tmp_path / "kept" / "credentials_vault.key", True)
    assert place_of(tmp_path, "credentials/other") == (tmp_path / "credentials" / "other", False)
    assert place_of(tmp_path, str(tmp_path / "vault.key")) == (tmp_path / "vault.key", False)


def test_a_path_out_of_the_credentials_directory_is_not_taken_for_one_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "credentials").mkdir()
    secret_file(tmp_path, b"hunter2", 0o644)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    for file in ("../secret", str(tmp_path / "secret")):
        with pytest.raises(Misconfigured, match=r"has mode 0644"):
            SecretReference(KEY, tmp_path / "credentials", file=file).read()


def test_a_secret_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    reference = SecretReference(KEY, tmp_path, env="ROTATOR_TEST_SECRET")
    assert reference.path() is None
    with pytest.raises(
        Misconfigured, match=f"{KEY}: environment variable ROTATOR_TEST_SECRET is empty or not set"
    ):
        reference.read()
    monkeypatch.setenv("ROTATOR_TEST_SECRET", "hunter2")
    assert reference.read() == Secret("hunter2")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "is empty or not set"),
        (b"\n", "is empty or not set"),
        (b"\xff", "is not text"),
        (b"x" * 1048577, "1 MB"),
    ],
)
def test_what_can_be_no_secret_is_refused_by_file_and_key(tmp_path: Path, data: bytes, what: str):
    with pytest.raises(Misconfigured, match=what) as refused:
        secret_file(tmp_path, data).read()
    assert KEY in refused.value.message
    assert str(tmp_path / "secret") in refused.value.message


def test_a_file_that_is_not_there_is_told_by_file_and_key(tmp_path: Path):
    with pytest.raises(Misconfigured, match=f"{KEY}: {tmp_path}/secret cannot be read: No such file"):
        SecretReference(KEY, tmp_path, file="secret").read()
