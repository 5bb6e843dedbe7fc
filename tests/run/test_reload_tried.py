"""All that a new configuration needs is read and tried first: what fails there changes nothing, and the lease stays."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from rotator.core.model import Ask
from rotator.run.daemon import Daemon
from tests.world.bao import Authority
from tests.world.lab import Edit, Lab
from tests.world.reloading import await_first_tokens, change
from tests.world.serving import Manager, serving, until

Said = dict[str, Any]


def vault(**keys: Any) -> Edit:
    return lambda said: said["vault"].update(keys)


def login(method: str, **keys: Any) -> Edit:
    return vault(login={"method": method, **keys})


@pytest.fixture
def folder(lab: Lab, tmp_path: Path) -> Path:
    """A folder with files of which none goes with another; Vault has AppRoles."""
    lab.vault.install_approle(lab.base, ["root"], tmp_path)
    authority = Authority(tmp_path)
    for name in ("one", "other"):
        authority.issue(name)
    (tmp_path / "junk").touch(mode=0o600)
    (tmp_path / "junk").write_text("junk")
    (tmp_path / "empty").touch(mode=0o600)
    secret = BestAvailableEncryption(b"password")
    encrypted = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, secret
    )
    (tmp_path / "encrypted.key").write_bytes(encrypted)
    return tmp_path


@pytest.fixture
def logged_in(lab: Lab) -> Iterator[Daemon]:
    """A daemon that has a Vault token, and begins nothing by itself."""
    with lab.application() as app:
        app.documents.list_requests()
        yield Daemon(app, Manager())


def pair(certificate: str, key: str) -> Said:
    return {"certificate_file": certificate, "key_file": key}


REFUSED = {
    "a CA file that is not there": (vault(ca_file="absent.pem"), "absent.pem: No such file"),
    "a CA file that is none": (vault(ca_file="junk"), "junk: not PEM"),
    "a client certificate that is not there": (
        vault(client_certificate=pair("absent.pem", "one.key")),
        "absent.pem with .*one.key: No such file",
    ),
    "the key of another certificate": (
        vault(client_certificate=pair("one.pem", "other.key")),
        "not certificate and key of each other",
    ),
    "a key with a password": (
        vault(client_certificate=pair("one.pem", "encrypted.key")),
        "encrypted.key is encrypted",
    ),
    "a login certificate that is none": (login("cert", **pair("junk", "one.key")), "cannot use .*junk"),
    "a login file that is not there": (login("jwt", role="r", token_file="absent"), "absent: No such file"),
    "a login file that is empty": (login("kubernetes", role="r", token_file="empty"), "empty is empty"),
    "a token that Vault does not know": (
        login("token", token={"file": "junk"}),
        "Vault does not know the token",
    ),
    "a role that is none": (
        login("approle", role_id="nobody", secret_id={"file": "junk"}),
        "Vault refuses the AppRole login",
    ),
    "a login that is not there": (
        login("jwt", mount="jwt-none", role="r", token_file="junk"),
        "refuses the login",
    ),
    "a mount that is not there": (vault(mount="nowhere"), "its Vault cannot be used"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_refused_as_a_whole_and_the_lease_stays(
    lab: Lab, folder: Path, logged_in: Daemon, name: str
):
    edit, told = REFUSED[name]
    assert_refused(lab, logged_in, edit, told)


def test_a_vault_that_cannot_be_reached_is_refused_too(lab: Lab, logged_in: Daemon):
    with closing(socket.create_server(("127.0.0.1", 0))) as bound:
        port = bound.getsockname()[1]
    assert_refused(lab, logged_in, vault(address=f"http://127.0.0.1:{port}"), "cannot be reached")


def test_a_vault_that_does_not_answer_holds_the_reload_up_no_longer_than_its_time_limit(
    lab: Lab, logged_in: Daemon
):
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = silent.getsockname()[1]
        edit = vault(address=f"http://127.0.0.1:{port}", timeout="1s")
        assert_refused(lab, logged_in, edit, "did not answer in time")


def assert_refused(lab: Lab, daemon: Daemon, edit: Edit, told: str) -> None:
    app = daemon.app
    before = (
        app.configuration,
        app.client,
        app.client.lease(),
        app.documents,
        app.driver,
        dict(daemon.stations),
    )
    change(lab, daemon, edit, lambda said: said["credentials"].pop("globex"))
    (line,) = lab.told("configuration.refused")
    assert re.search(told, line["mistakes"])
    assert "mend: " in line["mistakes"]
    assert not lab.told("configuration.reloaded")
    after = (
        app.configuration,
        app.client,
        app.client.lease(),
        app.documents,
        app.driver,
        dict(daemon.stations),
    )
    assert all(now is then for now, then in zip(after[:-1], before[:-1], strict=True))
    assert after[-1] == before[-1]
    assert app.documents.list_requests() == []


def test_credentials_are_served_on_where_a_reload_names_a_vault_that_refuses_us(lab: Lab):
    lab.steady()
    with serving(lab) as daemon:
        await_first_tokens(lab, daemon)
        (lab.folder / "junk").touch(mode=0o600)
        (lab.folder / "junk").write_text("junk")
        change(lab, daemon, login("token", token={"file": "junk"}))
        assert "does not know the token" in daemon.rounds.sentence()
        lab.ask("globex", Ask.PAUSE)
        until(lambda: lab.told("credential.paused", credential="globex"), "served on")
    assert len(lab.told("vault.login")) == 1
    assert not lab.told("vault.login_failed")


def test_nobody_misses_the_file_of_a_secret_id_that_was_unwrapped(lab: Lab):
    lab.vault.install_policy(lab.base, 'path "secret/*" { capabilities = ["read", "list"] }')
    role = lab.vault.install_approle(lab.base, [lab.base], lab.folder)
    wrapping = lab.folder / "wrapping"
    wrapping.touch(mode=0o600)
    wrapping.write_text(lab.vault.wrapped_secret_id(lab.base))
    as_role = login("approle", role_id=role.role_id, secret_id={"file": "wrapping"}, wrapped=True)
    with lab.application(as_role) as app:
        app.documents.list_requests()
        wrapping.unlink()
        for edit in (vault(), vault(timeout="11s")):
            change(lab, Daemon(app, Manager()), as_role, edit)
        assert len(lab.told("configuration.reloaded")) == 2
        assert app.client.settings.timeout_seconds == 11.0
        assert app.documents.list_requests() == []


def test_a_wrapping_token_that_somebody_used_before_is_an_alarm_of_its_own(lab: Lab, logged_in: Daemon):
    role = lab.vault.install_approle(lab.base, ["root"], lab.folder)
    wrapping = lab.vault.wrapped_secret_id(lab.base)
    lab.vault.request("POST", "sys/wrapping/unwrap", {"token": wrapping})
    (lab.folder / "wrapping").touch(mode=0o600)
    (lab.folder / "wrapping").write_text(wrapping)
    edit = login("approle", role_id=role.role_id, secret_id={"file": "wrapping"}, wrapped=True)
    assert_refused(lab, logged_in, edit, "its Vault cannot be used")
    assert lab.told("vault.secret_id_unwrapped_twice")
