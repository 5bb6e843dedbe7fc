"""Assertions and the OAuth endpoints."""

from __future__ import annotations

import base64
import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from rotator.errors import KeyRefused, Misconfigured, RotatorError, Transient
from rotator.salesforce.assertion import sign_assertion
from rotator.salesforce.budget import LoginBudget
from rotator.salesforce.http import Reply, Wire
from rotator.salesforce.oauth import Grant, Login, _grant, introspect, mint, revoke
from rotator.secret import Secret
from tests.world.http_fake import Answer, HttpFake

NOW = datetime(2026, 11, 23, 10, 0, 0, 900_000, tzinfo=UTC)
OPAQUE = "00D5e000001abcd!AQEAQH.x_y.zwq"
GOOD = {
    "access_token": OPAQUE,
    "scope": "api refresh_token",
    "instance_url": "https://acme.my.salesforce.com",
    "id": "https://login.salesforce.com/id/00D5e000001AbCdEAK/0055e000002AbCdAAK",
    "token_type": "Bearer",
}


def login(fake: HttpFake, path: str = "") -> Login:
    return Login(fake.url + path, "https://login.salesforce.com", "3MVGkey", "me@acme.example")


def granted(**changed: Any) -> Grant:
    said = {name: value for name, value in {**GOOD, **changed}.items() if value is not None}
    return _grant(Reply(200, {}, json.dumps(said).encode(), "https://acme.example/"), NOW)


def unsigned(claims: object) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in [*parts, b"signature"])


# Assertions


def test_an_assertion_holds_four_claims_and_is_signed_with_rs256(private_key: rsa.RSAPrivateKey) -> None:
    signed = sign_assertion(
        consumer_key="3MVGkey",
        username="me@acme.example",
        audience="https://aud",
        private_key=private_key,
        now=NOW,
    )
    header = jwt.get_unverified_header(signed.reveal())
    claims = jwt.decode(
        signed.reveal(),
        private_key.public_key(),
        ["RS256"],
        audience="https://aud",
        options={"verify_exp": False},
    )
    assert header["alg"] == "RS256"
    assert claims == {
        "iss": "3MVGkey",
        "sub": "me@acme.example",
        "aud": "https://aud",
        "exp": int(NOW.timestamp()) + 150,
    }
    assert type(claims["exp"]) is int


@pytest.mark.parametrize("seconds", [119, 181, 0, 3600])
def test_an_assertion_lives_two_to_three_minutes(private_key: rsa.RSAPrivateKey, seconds: int) -> None:
    with pytest.raises(ValueError, match="120 to 180"):
        sign_assertion(
            consumer_key="k",
            username="u",
            audience="a",
            private_key=private_key,
            now=NOW,
            lifetime_seconds=seconds,
        )


class RemoteKey(rsa.RSAPrivateKey):
    """A key that signs elsewhere, and can't be taken out."""

    def __init__(self, far: rsa.RSAPrivateKey) -> None:
        self._far = far

    @property
    def key_size(self) -> int:
        return self._far.key_size

    def sign(self, *args: Any, **kwargs: Any) -> bytes:
        return self._far.sign(*args, **kwargs)

    def public_key(self) -> rsa.RSAPublicKey:
        return self._far.public_key()

    def decrypt(self, *_: Any) -> bytes:
        raise NotImplementedError

    def private_numbers(self) -> rsa.RSAPrivateNumbers:
        raise NotImplementedError

    def private_bytes(self, *_: Any) -> bytes:
        raise NotImplementedError

    def __copy__(self) -> RemoteKey:
        return self

    def __deepcopy__(self, _: object) -> RemoteKey:
        return self


def test_a_key_that_signs_elsewhere_will_do(private_key: rsa.RSAPrivateKey) -> None:
    signed = sign_assertion(
        consumer_key="k", username="u", audience="a", private_key=RemoteKey(private_key), now=NOW
    )
    jwt.decode(
        signed.reveal(),
        private_key.public_key(),
        ["RS256"],
        options={"verify_exp": False, "verify_aud": False},
    )


# Minting


def test_a_mint_posts_an_assertion_and_returns_the_grant(
    wire: Wire, fake: HttpFake, private_key: rsa.RSAPrivateKey
) -> None:
    fake.answer = Answer(body=GOOD, headers={"Date": "Mon, 23 Nov 2026 10:00:03 GMT"})
    grant = mint(wire, login(fake, "/customers/"), private_key, now=NOW)
    [request] = fake.requests
    form = parse_qs(request.body.decode(), strict_parsing=True)
    assert (request.method, request.path) == ("POST", "/customers/services/oauth2/token")
    assert set(form) == {"grant_type", "assertion"}
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    assert jwt.decode(form["assertion"][0], options={"verify_signature": False})["sub"] == "me@acme.example"
    assert grant == Grant(
        access_token=Secret(OPAQUE),
        token_type="Bearer",
        instance_url="https://acme.my.salesforce.com",
        org_id="00D5e000001AbCdEAK",
        user_id="0055e000002AbCdAAK",
        scope="api refresh_token",
        expires_at=None,
        is_jwt=False,
        date=datetime(2026, 11, 23, 10, 0, 3, tzinfo=UTC),
        members=frozenset(GOOD),
    )


def test_a_fresh_mint_uses_a_connection_of_its_own(
    wire: Wire, fake: HttpFake, private_key: rsa.RSAPrivateKey
) -> None:
    fake.answer = Answer(body=GOOD)
    for fresh in (False, True, False):
        mint(wire, login(fake), private_key, now=NOW, fresh=fresh)
    assert [request.connection for request in fake.requests] == [1, 2, 1]


def test_a_mint_that_the_budget_does_not_allow_is_not_sent(
    wire: Wire, fake: HttpFake, private_key: rsa.RSAPrivateKey
) -> None:
    fake.answer = Answer(400, {"error": "invalid_grant", "error_description": "invalid assertion"})
    budget = LoginBudget(burst=1)
    with pytest.raises(KeyRefused):
        mint(wire, login(fake), private_key, now=NOW, budget=budget)
    with pytest.raises(Transient) as caught:
        mint(wire, login(fake), private_key, now=NOW, budget=budget)
    assert caught.value.code == "salesforce.login_budget"
    assert len(fake.requests) == 1


def test_an_expired_assertion_tells_how_far_the_clocks_are_apart(
    wire: Wire, fake: HttpFake, private_key: rsa.RSAPrivateKey
) -> None:
    fake.answer = Answer(
        400,
        {"error": "invalid_grant", "error_description": "expired authorization code"},
        {"Date": "Mon, 23 Nov 2026 10:10:00 GMT"},
    )
    with pytest.raises(Transient) as caught:
        mint(wire, login(fake), private_key, now=NOW)
    assert "599 seconds" in caught.value.hint


def test_the_assertion_never_comes_back_in_an_error(
    wire: Wire, fake: HttpFake, private_key: rsa.RSAPrivateKey
) -> None:
    sent: list[str] = []

    def echo(request: Any) -> Answer:
        sent.append(parse_qs(request.body.decode())["assertion"][0])
        return Answer(400, {"error": sent[-1], "error_description": f"bad assertion {sent[-1]}"})

    fake.answer = echo
    with pytest.raises(RotatorError) as caught:
        mint(wire, login(fake), private_key, now=NOW)
    shown = f"{caught.value.message} {caught.value.hint} {caught.value.code}"
    for part in sent[0].split("."):
        assert part not in shown


def test_a_grant_does_not_show_its_token() -> None:
    assert OPAQUE not in repr(granted())


# Reading a grant


@pytest.mark.parametrize("name", ["scope", "id", "token_type"])
def test_a_grant_may_lack(name: str) -> None:
    assert granted(**{name: None}).access_token.reveal() == OPAQUE
    assert granted(**{name: 7}).access_token.reveal() == OPAQUE


def test_an_unreadable_identity_leaves_the_ids_empty() -> None:
    for identity in ("", "https://login.salesforce.com/id/", "https://a/id/00Dshort/005short"):
        grant = granted(id=identity)
        assert (grant.org_id, grant.user_id) == ("", "")


@pytest.mark.parametrize("token", [None, "", 5, "with blank", "line\nend", "täken"])
def test_an_answer_without_a_usable_token_is_transient(token: Any) -> None:
    with pytest.raises(Transient) as caught:
        granted(access_token=token)
    assert caught.value.code == "salesforce.no_token"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("https://acme.my.salesforce.com/", "https://acme.my.salesforce.com"),
        ("https://org.example:8443/path?x=1", "https://org.example:8443"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_the_instance_url_is_kept_as_scheme_and_host(said: str, kept: str) -> None:
    assert granted(instance_url=said).instance_url == kept


@pytest.mark.parametrize(
    "said", ["http://acme.my.salesforce.com", "https://me:pw@acme.example", "ftp://a", "acme", "https://"]
)
def test_an_instance_url_that_would_leak_the_token_is_refused(said: str) -> None:
    with pytest.raises(Misconfigured):
        granted(instance_url=said)


def test_a_missing_instance_url_is_transient() -> None:
    with pytest.raises(Transient):
        granted(instance_url=None)


@pytest.mark.parametrize("seconds", [7200, 7200.0, "7200"], ids=repr)
def test_expires_in_is_read_as_number_or_text(seconds: Any) -> None:
    assert granted(expires_in=seconds).expires_at == NOW + timedelta(hours=2)


@pytest.mark.parametrize(
    "seconds",
    [
        "null",
        "true",
        "-1",
        '"soon"',
        "[]",
        "1e300",
        '"1e400"',
        '"nan"',
        "NaN",
        pytest.param("9" * 4000, id="huge"),
    ],
)
def test_an_expires_in_without_sense_is_left_out(seconds: str) -> None:
    body = json.dumps({**GOOD, "expires_in": "?"}).replace('"?"', seconds)
    assert _grant(Reply(200, {}, body.encode(), "https://a.example/"), NOW).expires_at is None


def test_a_jwt_format_token_tells_its_own_end() -> None:
    end = NOW.replace(microsecond=0) + timedelta(minutes=30)
    grant = granted(access_token=unsigned({"exp": int(end.timestamp())}))
    assert (grant.is_jwt, grant.expires_at) == (True, end)


def test_the_earlier_end_counts() -> None:
    token = unsigned({"exp": int(NOW.timestamp()) + 3600})
    assert granted(access_token=token, expires_in=60).expires_at == NOW + timedelta(seconds=60)


@pytest.mark.parametrize("claims", [{}, {"exp": "soon"}, {"exp": 1e300}, {"exp": -1}])
def test_a_jwt_format_token_without_a_sensible_end_is_still_one(claims: dict[str, Any]) -> None:
    grant = granted(access_token=unsigned(claims))
    assert (grant.is_jwt, grant.expires_at) == (True, None)


@pytest.mark.parametrize("token", [OPAQUE, "a.b.c", "e30", "e30.e30", "W10.W10.x", "bnVsbA.e30.x"])
def test_a_token_with_dots_is_not_yet_a_jwt(token: str) -> None:
    assert granted(access_token=token).is_jwt is False


@given(st.dictionaries(st.sampled_from([*GOOD, "expires_in"]), st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers())))  # fmt: skip
def test_any_grant_is_read_or_refused_in_our_words(changed: dict[str, Any]) -> None:
    with contextlib.suppress(RotatorError):
        assert granted(**changed).access_token


@given(st.binary() | st.text(alphabet='{}[]":,0.e-', max_size=20).map(str.encode))
def test_any_body_is_read_or_refused_in_our_words(body: bytes) -> None:
    with pytest.raises(RotatorError):
        _grant(Reply(200, {}, body, "https://a.example/"), NOW)


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_any_visible_token_is_taken_as_it_is(token: str) -> None:
    assert granted(access_token=token).access_token.reveal() == token


# Introspection and revocation


def test_introspection_shows_the_client_secret_and_returns_what_the_org_knows(
    wire: Wire, fake: HttpFake
) -> None:
    fake.answer = Answer(
        body={"active": True, "exp": 1795428000, "username": "me@acme.example", "scope": "api"}
    )
    found = introspect(
        wire, fake.url, Secret(OPAQUE), consumer_key="3MVGkey", client_secret=Secret("1234567890"), now=NOW
    )
    assert (found.active, found.username, found.scope) == (True, "me@acme.example", "api")
    assert found.expires_at == datetime.fromtimestamp(1795428000, UTC)
    [request] = fake.requests
    assert request.path == "/services/oauth2/introspect"
    assert parse_qs(request.body.decode()) == {
        "token": [OPAQUE],
        "token_type_hint": ["access_token"],
        "client_id": ["3MVGkey"],
        "client_secret": ["1234567890"],
    }


@pytest.mark.parametrize("said", [{"active": False}, {}, {"active": "true"}])
def test_a_token_is_active_only_if_the_org_says_so(wire: Wire, fake: HttpFake, said: dict[str, Any]) -> None:
    fake.answer = Answer(body=said)
    found = introspect(wire, fake.url, Secret(OPAQUE), consumer_key="k", client_secret=Secret("s"), now=NOW)
    assert (found.active, found.expires_at) == (False, None)


def test_a_wrong_client_secret_is_a_misconfiguration_that_does_not_show_it(
    wire: Wire, fake: HttpFake
) -> None:
    fake.answer = Answer(
        400,
        {"error": "invalid_client", "error_description": f"invalid client credentials 1234567890 {OPAQUE}"},
    )
    with pytest.raises(Misconfigured) as caught:
        introspect(
            wire, fake.url, Secret(OPAQUE), consumer_key="k", client_secret=Secret("1234567890"), now=NOW
        )
    assert caught.value.code == "salesforce.client_secret"
    assert "1234567890" not in caught.value.message
    assert OPAQUE not in caught.value.message


def test_revocation_posts_the_token(wire: Wire, fake: HttpFake) -> None:
    revoke(wire, fake.url, Secret(OPAQUE))
    assert fake.requests[0].path == "/services/oauth2/revoke"
    assert parse_qs(fake.requests[0].body.decode()) == {"token": [OPAQUE]}


def test_revoking_a_token_that_is_dead_already_is_no_error(wire: Wire, fake: HttpFake) -> None:
    fake.answer = Answer(400, {"error": "invalid_token", "error_description": "invalid token: x"})
    revoke(wire, fake.url, Secret(OPAQUE))


def test_a_revocation_that_fails_is_an_error(wire: Wire, fake: HttpFake) -> None:
    fake.answer = Answer(503)
    with pytest.raises(Transient):
        revoke(wire, fake.url, Secret(OPAQUE))


def test_a_token_never_appears_in_the_refusals_of_any_endpoint(
    wire: Wire, fake: HttpFake, private_key: rsa.RSAPrivateKey
) -> None:
    pem = private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    fake.answer = Answer(400, {"error": "invalid_grant", "error_description": f"{pem} {OPAQUE}"})
    with pytest.raises(RotatorError) as caught:
        revoke(wire, fake.url, Secret(OPAQUE))
    assert OPAQUE not in caught.value.message
    assert not any(line in caught.value.message for line in pem.splitlines()[1:-2])
