"""A credential that is served is not taken out of service by a mistake in the file that is read again."""

from __future__ import annotations

import pytest

from rotator.config import ConfigurationError, load, reload
from tests.config.conftest import ACME, DEPLOYER, VAULT, Write

GLOBEX = ACME.replace("acme", "globex")
MISTAKE = "    key: {bits: 1024}\n"
BEFORE = VAULT + "credentials:\n" + ACME + GLOBEX


def test_a_credential_whose_new_settings_are_wrong_keeps_those_that_it_had(write: Write):
    old = load(write(BEFORE))
    changed = GLOBEX + "    api_version: 66.0\n"
    file = write(VAULT + "log: {level: debug}\ncredentials:\n" + ACME + MISTAKE + changed)
    new, problems = reload(old)
    assert new.credentials["acme"] == old.credentials["acme"]
    assert new.credentials["acme"].name == "acme"
    assert new.credentials["globex"].api_version == "66.0"
    assert (new.log.level, new.file) == ("debug", file)
    assert [problem.credential for problem in problems] == ["acme"]


def test_it_keeps_them_however_often_the_file_is_read_again(write: Write):
    old = load(write(BEFORE))
    write(VAULT + "credentials:\n" + ACME + MISTAKE + GLOBEX)
    again, _problems = reload(reload(old)[0])
    assert again.credentials["acme"] == old.credentials["acme"]
    write(BEFORE + "    api_version: 66.0\n")
    mended, problems = reload(again)
    assert (mended.credentials["globex"].api_version, problems) == ("66.0", ())


def test_with_a_deployer_those_that_need_it_keep_their_settings(write: Write):
    deploy = "    app: {name: Rotator}\n    deploy: {publisher: metadata, with: deployer}\n"
    old = load(write(BEFORE.replace(GLOBEX, deploy + DEPLOYER + GLOBEX)))
    write(VAULT + "credentials:\n" + ACME + deploy + "    publish: false\n" + DEPLOYER + MISTAKE + GLOBEX)
    new, problems = reload(old)
    assert new.credentials == old.credentials
    assert {problem.credential for problem in problems} == {"acme", "deployer"}


def test_what_was_not_in_service_is_set_aside(write: Write):
    old = load(write(VAULT + "credentials:\n" + ACME))
    write(VAULT + "credentials:\n" + ACME + GLOBEX + MISTAKE)
    new, problems = reload(old)
    assert list(new.credentials) == ["acme"]
    assert [problem.credential for problem in problems] == ["globex"]


def test_what_is_no_longer_in_the_file_is_not_kept(write: Write):
    old = load(write(BEFORE))
    write(VAULT + "credentials:\n" + ACME)
    assert list(reload(old)[0].credentials) == ["acme"]


def test_an_app_is_never_served_twice(write: Write):
    old = load(write(BEFORE))
    moved = GLOBEX.replace("globex", "umbrella").replace("3MVG9umbrella", "3MVG9acme")
    write(VAULT + "credentials:\n" + moved + ACME.replace("3MVG9acme", "3MVG9other") + MISTAKE + GLOBEX)
    assert list(reload(old)[0].credentials) == ["umbrella", "globex"]


def test_apps_that_have_no_consumer_key_yet_are_not_the_same_app(write: Write):
    acme, globex = (
        text.replace(f"    consumer_key: 3MVG9{name}\n", "")
        for text, name in ((ACME, "acme"), (GLOBEX, "globex"))
    )
    old = load(write(VAULT + "credentials:\n" + acme + globex))
    assert old.credentials["acme"].consumer_key is old.credentials["globex"].consumer_key is None
    write(VAULT + "credentials:\n" + acme + MISTAKE + globex)
    assert reload(old)[0].credentials["acme"] == old.credentials["acme"]


def test_a_mistake_that_concerns_all_is_fatal(write: Write):
    old = load(write(BEFORE))
    write(VAULT + "fleet: {workers: 0}\ncredentials:\n" + ACME + GLOBEX)
    with pytest.raises(ConfigurationError):
        reload(old)
