"""`rotator install systemd`: what it writes, and where it refuses to."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from rotator import units
from rotator.cli import main
from rotator.cli.commands import install as install_module

ROOT = Path(__file__).parents[2]
PROGRAM = "/opt/rotator/bin/rotator"
SERVICE = "etc/systemd/system/rotator.service"


@pytest.fixture
def image(tmp_path):
    return tmp_path / "image"


def install(*arguments, config=None):
    env = {"ROTATOR_CONFIG": config}
    said = [str(argument) for argument in arguments]
    return CliRunner().invoke(main, ["install", "systemd", "--program", PROGRAM, *said], env=env)


def written(image):
    return {str(file.relative_to(image)): file for file in sorted(image.rglob("*")) if file.is_file()}


def test_the_units_of_the_project_are_written_as_they_are(image):
    assert install("--root", image).exit_code == 0
    files = written(image)
    assert {path: file.read_text() for path, file in files.items()} == {
        SERVICE: (ROOT / "systemd" / "rotator.service").read_text(),
        "etc/systemd/system/rotator-once.service": (ROOT / "systemd" / "rotator-once.service").read_text(),
        "etc/systemd/system/rotator-once.timer": (ROOT / "systemd" / "rotator-once.timer").read_text(),
        "etc/tmpfiles.d/rotator.conf": (ROOT / "systemd" / "rotator.tmpfiles").read_text(),
    }


def test_everybody_may_read_them_whatever_the_umask(image):
    before = os.umask(0o077)
    try:
        install("--root", image)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(file.stat().st_mode) for file in written(image).values()} == {0o644}


def test_program_and_configuration_are_those_of_this_machine(image):
    ran = CliRunner().invoke(
        main,
        [
            "install",
            "systemd",
            "--program",
            "/srv/py/bin/rotator",
            "-c",
            "/srv/sf/prod.yaml",
            "--root",
            str(image),
        ],
    )
    assert ran.exit_code == 0, ran.output
    said = "".join(file.read_text() for file in written(image).values())
    for line in (
        "ExecStart=/srv/py/bin/rotator run",
        "ExecStart=/srv/py/bin/rotator once",
        "Environment=ROTATOR_CONFIG=/srv/sf/prod.yaml PYTHONDONTWRITEBYTECODE=1",
        "ConditionPathExists=/srv/sf/prod.yaml",
        "LoadCredential=credentials:/srv/sf/credentials",
        "d /srv/sf/credentials 0700 root root -",
    ):
        assert f"\n{line}\n" in said
    assert "/etc/rotator" not in said
    assert "/opt/rotator" not in said


@pytest.mark.parametrize(
    ("config", "credentials"),
    [
        ("/etc/rotator.yaml", "/etc/credentials"),
        ("/etc/rotator-acme/rotator.yaml", "/etc/rotator-acme/credentials"),
        ("/etc/rotator/prod/rotator.yaml", "/etc/rotator/prod/credentials"),
        ("/rotator.yaml", "/credentials"),
    ],
)
def test_a_configuration_elsewhere_is_named_as_it_is_and_no_rights_are_set_but_on_its_credentials(
    image, config, credentials
):
    assert install("--root", image, "-c", config).exit_code == 0
    files = {path: file.read_text().splitlines() for path, file in written(image).items()}
    for unit in (SERVICE, "etc/systemd/system/rotator-once.service"):
        assert f"Environment=ROTATOR_CONFIG={config} PYTHONDONTWRITEBYTECODE=1" in files[unit]
        assert f"ConditionPathExists={config}" in files[unit]
        assert f"LoadCredential=credentials:{credentials}" in files[unit]
    assert [line for line in files["etc/tmpfiles.d/rotator.conf"] if line and not line.startswith("#")] == [
        f"d {credentials} 0700 root root -",
        f"z {credentials}/* 0600 root root -",
    ]


def test_without_a_user_of_its_own_one_exists_while_the_service_runs(image):
    ran = install("--root", image)
    assert "DynamicUser=yes\nUser=rotator\n" in written(image)[SERVICE].read_text()
    assert "sysusers" not in ran.output


def test_a_user_that_lasts_is_made_by_systemd(image):
    ran = install("--root", image, "--user", "salesforce")
    files = written(image)
    assert "\nu salesforce - " in files["etc/sysusers.d/rotator.conf"].read_text()
    for unit in (SERVICE, "etc/systemd/system/rotator-once.service"):
        assert "\nUser=salesforce\n" in files[unit].read_text()
        assert "DynamicUser" not in files[unit].read_text()
    assert "systemd-sysusers rotator.conf" in ran.output


def test_a_dry_run_shows_what_would_change_and_writes_nothing(image):
    ran = install("--root", image, "--dry-run")
    assert f"{image / SERVICE} (mode 0644): new" in ran.output
    assert "+ExecStart=/opt/rotator/bin/rotator run" in ran.output
    assert written(image) == {}
    install("--root", image)
    service = image / SERVICE
    service.write_text(service.read_text().replace("WatchdogSec=60", "WatchdogSec=5"))
    ran = install("--root", image, "--dry-run")
    assert f"{service} (mode 0644): changed" in ran.output
    assert "-WatchdogSec=5\n+WatchdogSec=60" in ran.output
    assert "rotator-once.timer (mode 0644): unchanged" in ran.output
    assert "WatchdogSec=5\n" in service.read_text()


def test_a_second_time_nothing_is_written(image):
    install("--root", image)
    before = {path: file.stat().st_ino for path, file in written(image).items()}
    ran = install("--root", image)
    assert ran.exit_code == 0
    assert "written" not in ran.output
    assert {path: file.stat().st_ino for path, file in written(image).items()} == before


def test_what_somebody_changed_is_written_over_only_if_that_is_wanted(image):
    install("--root", image)
    service = image / SERVICE
    service.write_text("[Service]\nMine=yes\n")
    ran = install("--root", image)
    assert ran.exit_code == 1
    assert "is not what would be written" in ran.stderr
    assert "systemctl edit rotator" in ran.stderr
    assert service.read_text() == "[Service]\nMine=yes\n"
    assert install("--root", image, "--overwrite").exit_code == 0
    assert "WatchdogSec=60" in service.read_text()


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/home/me/rotator.yaml", "leads into /home, which the service does not see"),
        ("/run/user/1/rotator.yaml", "leads into /run/user, which the service does not see"),
        ("/etc/my rotator/rotator.yaml", "is no path that can stand in a unit"),
        ("/etc/%h/rotator.yaml", "is no path that can stand in a unit"),
    ],
)
def test_a_path_that_the_service_could_not_use_is_refused(image, path, what):
    ran = install("--root", image, "-c", path)
    assert ran.exit_code == 1
    assert what in ran.stderr
    assert "hint: " in ran.stderr
    assert written(image) == {}


def test_a_dry_run_shows_units_that_the_service_could_not_use_and_warns(image):
    ran = install("--root", image, "--dry-run", "-c", "/home/me/rotator.yaml")
    assert ran.exit_code == 0
    assert "+ConditionPathExists=/home/me/rotator.yaml" in ran.stdout
    said = " ".join(ran.stderr.split())
    assert "warning: /home/me/rotator.yaml leads into /home, which the service does not see" in said
    assert "hint: Install rotator into a virtual environment" in said


def test_a_link_out_of_what_the_service_sees_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(units, "_HIDDEN", (str(tmp_path / "hidden"),))
    (tmp_path / "hidden").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(tmp_path / "hidden" / "python")
    with pytest.raises(units.Misconfigured, match=r"bin/python leads into .*hidden"):
        units.see_to_sight(tmp_path / "bin" / "rotator", Path("/etc/rotator/rotator.yaml"))


@pytest.mark.parametrize("user", ["root", "Rotator", "a b", "x\nUser=root", "", "-x"])
def test_who_cannot_be_the_user_of_a_service_is_refused(image, user):
    ran = install("--root", image, "--user", user)
    assert ran.exit_code == 1
    assert "cannot be the user of the service" in ran.stderr
    assert written(image) == {}


@pytest.mark.parametrize(
    ("booted", "user", "what"),
    [
        (False, 0, "systemd does not run this machine"),
        (True, 1000, "only root may install units"),
    ],
)
def test_where_units_would_serve_nobody_or_cannot_be_written_it_says_what_can_be_done(
    tmp_path, monkeypatch, booted, user, what
):
    monkeypatch.setattr(install_module, "_BOOTED", tmp_path if booted else tmp_path / "absent")
    monkeypatch.setattr(os, "geteuid", lambda: user)
    ran = install()
    assert ran.exit_code == 1
    assert what in ran.stderr
    assert "--root DIR" in ran.stderr
    assert install("--dry-run").exit_code == 0
