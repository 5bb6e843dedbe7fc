"""TLS of a real OpenBao: a private authority, wrong certificates, and client certificates at the door and as a login."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from rotator.core.model import Record
from rotator.errors import Misconfigured
from rotator.vault.documents import Documents
from rotator.vault.settings import Certificate
from rotator.vault.verify import verify
from tests.vault.values import record
from tests.world.bao import Authority, Node

pytestmark = pytest.mark.judge("OpenBao, TLS")

CLIENT = "rotator.example"
AGES_AGO = datetime(2001, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """The authority of the server's certificates."""
    return Authority(tmp_path_factory.mktemp("servers"))


@pytest.fixture(scope="module")
def clients(tmp_path_factory):
    """The authority of the clients' certificates."""
    return Authority(tmp_path_factory.mktemp("clients"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """An authority that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("stranger"))


@pytest.fixture(scope="module")
def node(servers, clients, tmp_path_factory):
    def shown(name, **wanted):
        certificate, key = servers.issue(name, **wanted)
        return {"tls_cert_file": str(certificate), "tls_key_file": str(key)}

    doors = {
        "expired": shown("127.0.0.1", file="expired", not_after=AGES_AGO),
        "of another name": shown("vault.example"),
        "demanding": {
            "tls_require_and_verify_client_cert": True,
            "tls_client_ca_file": str(clients.ca_file),
        },
    }
    folder = tmp_path_factory.mktemp("node")
    with Node("tls", folder, servers, "root", doors=doors) as node:
        node.request("POST", "sys/auth/cert", {"type": "cert"})
        role = {
            "certificate": clients.ca_file.read_text(),
            "allowed_dns_sans": [CLIENT],
            "token_ttl": "1h",
            "token_policies": ["rotator"],
        }
        node.request("POST", "auth/cert/certs/rotator", role)
        rule = 'path "secret/*" { capabilities = ["create", "read", "update"] }'
        node.install_policy("rotator", rule)
        yield node


@pytest.fixture
def reach(servers):
    return {"ca_file": servers.ca_file}


def issue(authority, name=CLIENT, **wanted):
    """Return a client certificate with the common name by which OpenBao knows whom it belongs to."""
    return authority.issue(name, **{"common_name": name, **wanted})


def door(node, name):
    return SimpleNamespace(address=node.door(name), root_token=node.root_token)


def refused(act):
    with pytest.raises(Misconfigured) as caught:
        act()
    return caught.value


def test_a_server_that_a_private_authority_vouches_for_is_trusted_by_the_ca_file(connect, node):
    documents = Documents(connect(node))
    assert documents.write_record("acme", record(), 0) == 1
    assert documents.read_record("acme") == (record(), 1)


@pytest.mark.parametrize("trusted", ["another", "the system's"])
def test_a_server_whose_authority_is_unknown_gets_nothing(connect, node, stranger, trusted):
    ca_file = stranger.ca_file if trusted == "another" else None
    error = refused(lambda: Documents(connect(node, ca_file=ca_file)).read_record("acme"))
    assert error.code == "vault.tls"
    assert "not trusted" in error.message
    assert "vault.ca_file" in error.hint


def test_an_expired_certificate_is_told_as_such(connect, node):
    error = refused(lambda: Documents(connect(door(node, "expired"))).read_record("acme"))
    assert (error.code, "has expired" in error.message) == ("vault.tls", True)
    assert "Renew" in error.hint


def test_a_certificate_of_another_name_is_told_as_such(connect, node):
    error = refused(lambda: Documents(connect(door(node, "of another name"))).read_record("acme"))
    assert (error.code, "another name" in error.message) == ("vault.tls", True)
    assert "vault.address" in error.hint


# A client certificate at the door


def test_a_listener_that_demands_a_client_certificate_gets_that_of_the_settings(connect, node, clients):
    own = connect(door(node, "demanding"), client_certificate=issue(clients))
    assert Documents(own).read_record("acme") == (Record(), 0)
    assert next(verify(own, {})).ok


@pytest.mark.parametrize("shown", ["none", "of a stranger", "expired"])
def test_a_client_certificate_that_the_listener_does_not_take_is_a_setting_to_mend(
    connect, node, clients, stranger, shown
):
    pair = {
        "none": lambda: None,
        "of a stranger": lambda: issue(stranger),
        "expired": lambda: issue(clients, file="old", not_after=AGES_AGO),
    }[shown]()
    client = connect(door(node, "demanding"), client_certificate=pair)
    error = refused(lambda: Documents(client).read_record("acme"))
    assert error.code == "vault.tls_client"
    assert "vault.client_certificate" in error.hint


@pytest.mark.parametrize("content", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nMIIB"])
def test_a_file_that_holds_no_certificates_is_a_file_to_mend(connect, node, tmp_path, content):
    (tmp_path / "ca.pem").write_text(content)
    error = refused(lambda: Documents(connect(node, ca_file=tmp_path / "ca.pem")).read_record("acme"))
    assert error.code == "vault.tls_file"


def test_a_key_that_is_of_another_certificate_is_a_file_to_mend(connect, node, clients):
    pair = (issue(clients)[0], issue(clients, file="another")[1])
    error = refused(lambda: Documents(connect(node, client_certificate=pair)).read_record("acme"))
    assert error.code == "vault.tls_file"


# A client certificate as a login


@pytest.mark.parametrize("role", ["rotator", ""], ids=["of a role", "of any role"])
def test_a_client_certificate_logs_in_and_its_token_is_renewed(connect, node, clients, clock, role):
    client = connect(node, Certificate(*issue(clients), role=role))
    documents = Documents(client)
    assert documents.write_record("acme", record(), 0) == 1
    first = client.lease()
    assert (first.duration, first.renewable) == (timedelta(hours=1), True)
    client.keep_alive(clock.advance(minutes=41))
    assert (client.lease().token, client.lease().granted_at) == (first.token, clock())
    node.request("POST", "auth/token/revoke", {"token": first.token.reveal()})
    assert documents.read_record("acme") == (record(), 1)
    assert client.lease().token != first.token


def test_the_certificate_of_the_login_opens_a_listener_that_demands_one(connect, node, clients):
    documents = Documents(connect(door(node, "demanding"), Certificate(*issue(clients))))
    assert documents.write_record("acme", record(), 0) == 1


def test_a_certificate_that_was_renewed_in_its_files_is_used_by_the_next_login(connect, node, clients):
    client = connect(node, Certificate(*issue(clients, file="renewed")))
    documents = Documents(client)
    assert documents.read_record("acme") == (Record(), 0)
    node.request("POST", "auth/token/revoke", {"token": client.lease().token.reveal()})
    issue(clients, "successor.example", file="renewed")
    with only(node, "successor.example"):
        assert documents.read_record("acme") == (Record(), 0)


@contextmanager
def only(node, name):
    """Let certificates of one name alone log in."""
    role = node.request("GET", "auth/cert/certs/rotator")["data"]
    node.request("POST", "auth/cert/certs/rotator", {**role, "allowed_dns_sans": [name]})
    try:
        yield
    finally:
        node.request("POST", "auth/cert/certs/rotator", role)


def test_a_client_certificate_without_a_common_name_cannot_log_in(connect, node, clients):
    login = Certificate(*issue(clients, common_name=None))
    error = refused(lambda: Documents(connect(node, login)).read_record("acme"))
    assert (error.code, "common name" in error.hint) == ("vault.login.refused", True)


@pytest.mark.parametrize("shown", ["of a stranger", "of another name", "expired"])
def test_a_client_certificate_that_no_role_takes_does_not_log_in(connect, node, clients, stranger, shown):
    pair = {
        "of a stranger": lambda: issue(stranger),
        "of another name": lambda: issue(clients, "consumer.example"),
        "expired": lambda: issue(clients, file="old", not_after=AGES_AGO),
    }[shown]()
    error = refused(lambda: Documents(connect(node, Certificate(*pair))).read_record("acme"))
    assert error.code == "vault.login.refused"
    assert "certificate" in error.hint


def test_a_client_certificate_logs_in_as_no_other_role(connect, node, clients):
    login = Certificate(*issue(clients), role="another")
    assert refused(lambda: Documents(connect(node, login)).read_record("acme")).code == "vault.login.refused"
