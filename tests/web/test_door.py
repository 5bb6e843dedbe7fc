"""Who may look: the name that is asked for, and the token."""

from __future__ import annotations

import base64

import pytest

from rotator.config.secrets import SecretReference
from rotator.config.web import WebConfig, WebTls
from rotator.errors import Misconfigured
from rotator.show.logs import redactor
from rotator.web import examine
from rotator.web.door import Door

TOKEN = "correct horse battery ümlaut"
CLOSED = ("/", "/metrics", "/readyz/well", "/credentials/well", "/static/page.css", "/nowhere")


@pytest.fixture
def token(tmp_path):
    file = tmp_path / "web-token"
    file.write_text(f" {TOKEN} \n")
    file.chmod(0o600)
    return SecretReference("web.token", tmp_path, file="web-token")


def basic(token: str, user: str = "anybody") -> str:
    return "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()


@pytest.mark.parametrize("path", CLOSED)
def test_all_but_the_probes_asks_for_the_token_where_there_is_one(fleet, serve, token, path):
    visitor = serve(fleet, token=token)
    answer = visitor.get(path)
    assert (answer.status, answer.headers["WWW-Authenticate"][:5]) == (401, "Basic")
    assert visitor.get(path, Authorization=basic(TOKEN)).status in {200, 404}
    assert visitor.get(path, Authorization=f"Bearer {TOKEN}".encode()).status in {200, 404}
    assert visitor.get(path, Authorization=basic("wrong")).status == 401


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_the_probes_ask_for_none(fleet, serve, token, path):
    assert serve(fleet, token=token).get(path).status == 200


@pytest.mark.parametrize(
    ("header", "opens"),
    [
        (f"Bearer {TOKEN}", True),
        (f"bearer {TOKEN}", True),
        (basic(TOKEN, ""), True),
        (TOKEN, False),
        (f"Digest {TOKEN}", False),
        ("Basic not-base64!", False),
        ("Basic " + base64.b64encode(b"\xff:\xff").decode(), False),
        (f"Bearer {TOKEN}x", False),
        (f"Bearer {TOKEN[:-1]}", False),
        ("Bearer", False),
        ("", False),
    ],
)
def test_the_token_is_shown_as_bearer_or_as_password(token, header, opens):
    as_wsgi_carries_it = header.encode().decode("latin-1")
    assert Door.of(WebConfig(token=token)).opens(as_wsgi_carries_it) == opens


@pytest.mark.parametrize("guessed", ["secret", "  secret                "])
def test_a_token_that_can_be_guessed_is_refused(tmp_path, token, guessed):
    (tmp_path / "web-token").write_text(guessed)
    with pytest.raises(Misconfigured, match=r"web\.token: the token has fewer than 16 characters"):
        Door.of(WebConfig(token=token))
    assert redactor.text("role or secret ID") == "role or secret ID"


def test_a_port_that_is_off_needs_neither_token_nor_certificate(tmp_path):
    nowhere = SecretReference("web.token", tmp_path, file="nowhere")
    tls = WebTls(certificate=tmp_path / "none.pem", key=tmp_path / "none.key")
    examine(WebConfig(listen=False, token=nowhere, tls=tls))
    with pytest.raises(Misconfigured, match=r"web\.token"):
        examine(WebConfig(token=nowhere))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8791", "[::1]:9", "127.8.8.8", "LOCALHOST:80", ""])
def test_loopback_answers_to_its_own_names(host):
    assert Door.of(WebConfig()).knows_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example:8791",
        "10.0.0.1",
        "[",
        "a b",
        "192.168.0.1",
    ],
)
def test_loopback_does_not_answer_to_a_name_that_somebody_led_to_it(visitor, host):
    for path in ("/", "/livez", "/metrics"):
        assert visitor.get(path, Host=host).status == 421


def test_beyond_loopback_any_name_will_do_for_there_is_a_token(token):
    assert Door.of(WebConfig(plain_http=True, listen="[::]:8791", token=token)).knows_host(
        "rotator.example.com"
    )
