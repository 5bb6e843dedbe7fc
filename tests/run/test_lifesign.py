"""The sign of life is a file of the daemon's own, that nobody else can make, read or redirect."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from rotator.run import lifesign


@pytest.fixture
def file(tmp_path):
    return tmp_path / "rotator.alive"


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"RUNTIME_DIRECTORY": "/run/rotator", "XDG_RUNTIME_DIR": "/run/user/0"}, "/run/rotator"),
        ({"RUNTIME_DIRECTORY": "/run/a:/run/b"}, "/run/a"),
        ({"RUNTIME_DIRECTORY": "", "XDG_RUNTIME_DIR": "/run/user/0"}, "/run/user/0"),
        ({}, None),
    ],
)
def test_it_lies_in_the_runtime_directory(environment, folder):
    assert lifesign.place(Path("/etc/r.yaml"), environment).parent == Path(folder or tempfile.gettempdir())


@pytest.fixture
def service(tmp_path, monkeypatch):
    """The runtime directory of the service of systemd."""
    folder = tmp_path / "service"
    folder.mkdir()
    monkeypatch.setattr(lifesign, "_SERVICE", folder)
    return folder


def test_by_hand_it_is_looked_for_with_the_service_first(service):
    config = Path("/etc/rotator/rotator.yaml")
    by_hand = {"XDG_RUNTIME_DIR": "/run/user/0"}
    assert lifesign.seen_at(config, by_hand) == lifesign.place(config, by_hand)
    given = lifesign.place(config, {"RUNTIME_DIRECTORY": str(service)})
    lifesign.give(given)
    assert lifesign.seen_at(config, by_hand) == given
    assert lifesign.seen_at(Path("/etc/other.yaml"), by_hand).parent == Path("/run/user/0")


def test_where_a_runtime_directory_is_named_it_is_looked_for_nowhere_else(service):
    config = Path("/etc/rotator/rotator.yaml")
    lifesign.give(lifesign.place(config, {"RUNTIME_DIRECTORY": str(service)}))
    named = {"RUNTIME_DIRECTORY": "/run/other"}
    assert lifesign.seen_at(config, named) == lifesign.place(config, named)


def test_each_configuration_has_its_own_by_its_path(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert lifesign.place(Path("r.yaml"), {}) == lifesign.place(tmp_path / "r.yaml", {})
    assert lifesign.place(Path("r.yaml"), {}) != lifesign.place(Path("/etc/r.yaml"), {})


def test_it_is_for_its_owner_alone_and_old_when_it_is_not_given_again(file):
    before = os.umask(0)
    try:
        lifesign.give(file)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert lifesign.is_fresh(lifesign.age_seconds(file))
    os.utime(file, (0, 0))
    assert not lifesign.is_fresh(lifesign.age_seconds(file))
    lifesign.give(file)
    assert lifesign.is_fresh(lifesign.age_seconds(file))


def test_a_sign_from_the_future_shows_nothing(file):
    lifesign.give(file)
    later = file.stat().st_mtime + 3600
    os.utime(file, (later, later))
    assert not lifesign.is_fresh(lifesign.age_seconds(file))


def test_a_link_is_not_followed(file, tmp_path):
    target = tmp_path / "target"
    target.touch()
    os.utime(target, (0, 0))
    file.symlink_to(target)
    with pytest.raises(OSError, match="symbolic link"):
        lifesign.give(file)
    with pytest.raises(PermissionError):
        lifesign.age_seconds(file)
    assert target.stat().st_mtime == 0


def test_a_second_name_of_a_file_is_refused(file, tmp_path):
    (tmp_path / "target").touch()
    os.link(tmp_path / "target", file)
    with pytest.raises(PermissionError):
        lifesign.give(file)


def test_a_pipe_is_not_waited_for(file):
    os.mkfifo(file)
    with pytest.raises(OSError, match=file.name):
        lifesign.give(file)


def test_a_file_of_somebody_else_is_neither_given_nor_believed(file, monkeypatch):
    lifesign.give(file)
    monkeypatch.setattr(lifesign.os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(PermissionError):
        lifesign.give(file)
    with pytest.raises(PermissionError):
        lifesign.age_seconds(file)
