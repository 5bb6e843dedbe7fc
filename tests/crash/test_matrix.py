"""What counts as a write, which points a sample takes, and when two ends are the same."""

from __future__ import annotations

import json

import jwt
import pytest

from tests.crash.matrix import points_of, sample
from tests.crash.outcome import differences
from tests.crash.wire import Point, Side, Write
from tests.crash.writes import write_to_org, write_to_vault
from tests.world.http_fake import Request

SECRET = "a secret that is long enough for HS256"
WRITES = [
    Write("vault/data/acme/record:creating:1", 1),
    Write("vault/data/acme/keys/2", 1),
    Write("vault/data/acme/record:staged:1", 1),
    Write("org/check", 1),
    Write("org/deploy", 1),
    Write("org/token:acme:a@acme.example", 1),
    Write("org/token:acme:a@acme.example", 2),
    Write("vault/data/acme/record:steady:2", 1),
]


def request(method, path, body=b""):
    return Request(method, path, {}, body, 1)


@pytest.mark.parametrize(
    ("method", "path", "body", "name"),
    [
        ("GET", "secret/data/salesforce/acme/record", b"", None),
        ("LIST", "secret/metadata/salesforce/-/requests", b"", None),
        (
            "POST",
            "secret/data/salesforce/acme/record",
            json.dumps({"data": {"phase": "proving", "history": [{}]}}).encode(),
            "vault/data/acme/record:proving:1",
        ),
        ("POST", "secret/data/salesforce/acme/keys/2", b"{}", "vault/data/acme/keys/2"),
        ("PUT", "secret/destroy/salesforce/acme/keys/2", b"{}", "vault/destroy/acme/keys/2"),
        (
            "DELETE",
            "secret/metadata/salesforce/-/requests/acme",
            b"",
            "vault/delete-metadata/-/requests/acme",
        ),
        ("POST", "auth/approle/login", b"{}", "vault/auth/approle/login"),
        ("POST", "sys/something/new", b"{}", "vault/sys/something/new"),
    ],
)
def test_what_is_no_read_of_vault_is_a_write_and_named_by_its_place(method, path, body, name):
    assert write_to_vault(request(method, f"/v1/{path}", body)) == name


@pytest.mark.parametrize(
    ("method", "path", "body", "name"),
    [
        ("GET", "/services/data/v66.0/query?q=SELECT", b"", None),
        ("POST", "/services/oauth2/introspect", b"token=a", None),
        ("POST", "/services/Soap/m/66.0", b"<s:Envelope><s:Body><checkRetrieveStatus>", None),
        ("POST", "/services/Soap/m/66.0", b"<s:Envelope><s:Body><updateMetadata>", "org/soap:updateMetadata"),
        ("POST", "/services/data/v66.0/metadata/deployRequest", b'{"checkOnly": true}', "org/check"),
        ("POST", "/services/data/v66.0/metadata/deployRequest", b'{"checkOnly": false}', "org/deploy"),
        ("PATCH", "/services/data/v66.0/metadata/deployRequest/0Af1", b"{}", "org/cancel"),
        ("POST", "/services/oauth2/revoke", b"token=a", "org/post:revoke"),
        ("POST", "/services/something/new", b"", "org/post:new"),
    ],
)
def test_what_is_not_known_to_be_a_read_of_the_org_is_a_write(method, path, body, name):
    assert write_to_org(request(method, path, body), {}) == name


def test_a_login_is_named_by_credential_and_user():
    assertion = jwt.encode({"iss": "key", "sub": "a@acme.example"}, SECRET, "HS256")
    body = f"grant_type=x&assertion={assertion}".encode()
    found = write_to_org(request("POST", "/services/oauth2/token", body), {"key": "acme"})
    assert found == "org/token:acme:a@acme.example"


def test_every_write_has_a_point_before_and_one_after_it():
    assert len(points_of(WRITES)) == 2 * len(WRITES)
    assert {point.side for point in points_of(WRITES)} == set(Side)


def test_a_point_is_read_as_it_is_written():
    for point in points_of(WRITES):
        assert Point.read(str(point)) == point
    with pytest.raises(ValueError, match="such as before:org/deploy#1"):
        Point.read("org/deploy")


def test_a_sample_always_holds_both_sides_of_deploy_key_and_end_and_the_same_rest_by_the_same_seed():
    points = points_of(WRITES)
    always = [str(point) for point in sample(points, 0, seed=1)]
    assert always == [
        f"{side}:{write}"
        for write in ("vault/data/acme/keys/2#1", "org/deploy#1", "vault/data/acme/record:steady:2#1")
        for side in ("before", "after")
    ]
    assert sample(points, 9, seed=1) == sample(points, 9, seed=1) != sample(points, 9, seed=2)
    assert len(sample(points, 9, seed=1)) == len(always) + 9
    assert sample(points, None, seed=1) == points


def test_ends_that_differ_are_told_in_words():
    same = {"acme: current": 2, "acme: keys": {1: "kept"}}
    assert differences(same, dict(same)) == []
    assert differences(same, same | {"acme: current": 1}) == ["acme: current: 1, and 2 without a crash"]
    assert differences(same, {"acme: current": 2}) == ["acme: keys: None, and {1: 'kept'} without a crash"]
