"""The wire to Salesforce, against a server that is polite or rude."""

from __future__ import annotations

import base64
import contextlib
import gzip
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
import urllib3

from rotator.errors import Misconfigured, RotatorError, Transient
from rotator.salesforce.http import Reply, Wire, WireSettings
from rotator.secret import Secret
from tests.world.http_fake import Answer, HttpFake

QUICK = WireSettings(connect_timeout_seconds=2, read_timeout_seconds=0.2)
TOKEN = Secret("00Dsession!secret")


@pytest.fixture
def quick() -> Iterator[Wire]:
    with Wire(QUICK) as wire:
        yield wire


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def tls(authority: trustme.CA, name: str = "localhost") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]


def refused(wire: Wire, url: str, method: str = "POST", **asked: object) -> RotatorError:
    with pytest.raises(RotatorError) as caught:
        wire.send(method, url, **asked)
    assert caught.value.__context__ is None, "the library's exception, and with it the request, must be gone"
    return caught.value


# What is sent, and what comes back


def test_a_form_is_posted_with_the_token_and_the_answer_returned(wire: Wire, fake: HttpFake) -> None:
    fake.answer = Answer(201, {"id": "1"}, {"Date": "Mon, 23 Nov 2026 10:00:00 GMT"})
    reply = wire.send("POST", f"{fake.url}/a", params={"b": "c d"}, data={"assertion": "x+y"}, token=TOKEN)
    assert (reply.status, reply.json(), reply.headers["date"][:3]) == (201, {"id": "1"}, "Mon")
    assert reply.date == datetime(2026, 11, 23, 10, tzinfo=UTC)
    [request] = fake.requests
    assert (request.method, request.path, request.body) == ("POST", "/a?b=c+d", b"assertion=x%2By")
    assert request.headers["Authorization"] == f"Bearer {TOKEN.reveal()}"
    assert request.headers["Accept"] == "application/json"
    assert request.headers["User-Agent"].startswith("rotator/")


def test_a_multipart_form_carries_its_files_and_types(wire: Wire, fake: HttpFake) -> None:
    wire.send(
        "POST",
        fake.url,
        files=[
            ("file", ("package.zip", b"PK", "application/zip")),
            ("entity_content", (None, "{}", "application/json")),
        ],
    )
    [request] = fake.requests
    assert request.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert b'name="file"; filename="package.zip"\r\nContent-Type: application/zip' in request.body
    assert b'name="entity_content"\r\nContent-Type: application/json\r\n\r\n{}' in request.body


def test_a_compressed_answer_is_unpacked(wire: Wire, fake: HttpFake) -> None:
    fake.answer = Answer(body=gzip.compress(b"[1]"), headers={"Content-Encoding": "gzip"})
    assert wire.send("GET", fake.url).json() == [1]


def test_a_chunked_answer_is_put_together(wire: Wire, fake: HttpFake) -> None:
    fake.answer = Answer(
        raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n2\r\n,2\r\n1\r\n]\r\n0\r\n\r\n"
    )
    assert wire.send("GET", fake.url).json() == [1, 2]


def test_a_connection_is_used_again(wire: Wire, fake: HttpFake) -> None:
    for _ in range(3):
        wire.send("GET", fake.url)
    assert (len(fake.requests), fake.connections) == (3, 1)


def test_a_fresh_request_has_a_connection_of_its_own(wire: Wire, fake: HttpFake) -> None:
    wire.send("GET", fake.url)
    wire.send("GET", fake.url, fresh=True)
    wire.send("GET", fake.url, fresh=True)
    wire.send("GET", fake.url)
    assert [request.connection for request in fake.requests] == [1, 2, 3, 1]


def test_no_cookie_comes_back_to_the_server(wire: Wire, fake: HttpFake) -> None:
    fake.answer = Answer(headers={"Set-Cookie": "sid=1; Path=/"})
    wire.send("GET", fake.url)
    wire.send("GET", fake.url)
    assert not any("Cookie" in request.headers for request in fake.requests)


def test_the_environment_has_no_say(
    wire: Wire, fake: HttpFake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine localhost login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert wire.send("GET", fake.url).status == 200
    assert "Authorization" not in fake.requests[0].headers


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_but_told_with_its_target(wire: Wire, fake: HttpFake, status: int) -> None:
    fake.answer = Answer(
        status, headers={"Location": "https://user:pw@elsewhere.example:444/login?assertion=s"}
    )
    error = refused(wire, fake.url, data={"assertion": "s"})
    assert isinstance(error, Misconfigured)
    assert error.code == "salesforce.redirected"
    assert "elsewhere.example:444 " in error.message
    assert "pw" not in error.message
    assert len(fake.requests) == 1


@pytest.mark.parametrize("location", [{}, {"Location": "http://[::1"}, {"Location": "//"}])
def test_a_redirect_to_nowhere_is_still_a_redirect(
    wire: Wire, fake: HttpFake, location: dict[str, str]
) -> None:
    fake.answer = Answer(302, headers=location)
    assert refused(wire, fake.url).code == "salesforce.redirected"


# Addresses


@pytest.mark.parametrize(
    "url",
    [
        "http://login.salesforce.com/",
        "http://localhost.example.com/",
        "http://10.0.0.1/",
        "ftp://localhost/",
        "login.salesforce.com",
        "https://",
        "https://[::1",
        "",
    ],
)
def test_plain_http_is_for_this_machine_alone(wire: Wire, url: str) -> None:
    error = refused(wire, url)
    assert isinstance(error, Misconfigured)
    assert error.code == "salesforce.insecure_url"


@pytest.mark.parametrize(
    "url", ["https://localhost:99999/", "https://a b/", "https://*.example/", "https://a..b/"]
)
def test_a_url_that_cannot_be_called_is_a_misconfiguration(wire: Wire, url: str) -> None:
    assert isinstance(refused(wire, url), Misconfigured)


@pytest.mark.parametrize("token", ["a\r\nX-Evil: 1", "tök€n"])
def test_a_token_that_no_header_can_hold_is_refused_unseen(wire: Wire, fake: HttpFake, token: str) -> None:
    error = refused(wire, fake.url, token=Secret(token))
    assert isinstance(error, Misconfigured)
    assert token not in f"{error.message}{error.hint}"
    assert fake.requests == []


# A network that fails


def test_a_server_that_takes_no_connection_surely_did_nothing(wire: Wire) -> None:
    error = refused(wire, f"http://127.0.0.1:{free_port()}/")
    assert isinstance(error, Transient)
    assert (error.code, error.maybe_done) == ("salesforce.unreachable", False)


def test_a_connection_that_is_not_taken_in_time_surely_did_nothing(quick: Wire) -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for client in (first, second):  # the queue holds one; the rest waits for an answer that never comes
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        with Wire(WireSettings(connect_timeout_seconds=0.2)) as wire:
            error = refused(wire, f"http://127.0.0.1:{full.getsockname()[1]}/")
    assert isinstance(error, Transient)
    assert (error.code, error.maybe_done) == ("salesforce.unreachable", False)
    assert "in time" in error.message


RUDE = {
    "is silent": Answer(silent=True),
    "resets the connection": Answer(reset=True),
    "closes without a word": Answer(raw=b""),
    "cuts the body": Answer(body=b"x" * 100, cut=True),
    "does not speak HTTP": Answer(raw=b"220 smtp.example ESMTP\r\n"),
    "sends a broken chunk": Answer(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "sends broken compression": Answer(body=b"no gzip", headers={"Content-Encoding": "gzip"}),
    "sends endless headers": Answer(raw=b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n"),
    "drips its headers": Answer(headers={"X": "x" * 1000}, drip_seconds=0.02),
    "drips its body": Answer(raw=None, body=b"x" * 1000, drip_seconds=0.02),
}


@pytest.mark.parametrize("answer", RUDE.values(), ids=RUDE.keys())
def test_a_post_may_be_done_when_the_server(quick: Wire, fake: HttpFake, answer: Answer) -> None:
    fake.answer = answer
    error = refused(quick, fake.url, data={"assertion": "s3cret"})
    assert isinstance(error, Transient)
    assert error.maybe_done
    assert "s3cret" not in f"{error.message}{error.hint}"
    assert refused(quick, fake.url, "GET").maybe_done is False
    assert len(fake.requests) == 2, "nothing is sent twice"


def fail_before() -> None:
    raise urllib3.exceptions.ConnectTimeoutError("of an earlier request")


def test_what_the_caller_was_handling_is_not_taken_for_the_cause(quick: Wire, fake: HttpFake) -> None:
    fake.answer = Answer(silent=True)
    try:
        fail_before()
    except urllib3.exceptions.ConnectTimeoutError:
        with pytest.raises(Transient) as caught:
            quick.send("POST", fake.url)
    assert caught.value.maybe_done


def test_an_answer_that_is_too_long_is_not_read_to_its_end(wire: Wire, fake: HttpFake) -> None:
    fake.answer = Answer(body=b"x" * 1001)
    error = refused(wire, fake.url, max_bytes=1000)
    assert (error.code, error.maybe_done) == ("salesforce.too_long", True)
    assert len(wire.send("GET", fake.url, max_bytes=1001).body) == 1001


def test_an_answer_without_end_is_left_as_soon_as_it_is_too_long(quick: Wire, fake: HttpFake) -> None:
    fake.answer = Answer(body=b"x" * 200_000, headers={"Content-Length": "9999999999"})
    assert refused(quick, fake.url, max_bytes=1000).code == "salesforce.too_long"


def test_a_compression_bomb_is_not_unpacked(wire: Wire, fake: HttpFake) -> None:
    fake.answer = Answer(body=gzip.compress(b"\0" * 50_000_000), headers={"Content-Encoding": "gzip"})
    assert refused(wire, fake.url, "GET").code == "salesforce.too_long"


# TLS


def test_a_server_is_trusted_by_the_ca_file(authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with HttpFake(tls=tls(authority)) as fake, Wire(WireSettings(ca_file=tmp_path / "ca.pem")) as wire:
        assert wire.send("GET", fake.url).status == 200
        assert wire.send("GET", fake.url).status == 200
        assert wire.send("GET", fake.url, fresh=True).status == 200
        assert [request.connection for request in fake.requests] == [1, 1, 2]


def test_a_server_of_an_unknown_authority_gets_nothing(authority: trustme.CA, wire: Wire) -> None:
    with HttpFake(tls=tls(authority)) as fake:
        error = refused(wire, fake.url)
    assert isinstance(error, Misconfigured)
    assert (error.code, error.maybe_done) == ("salesforce.tls", False)
    assert "ca_file" in error.hint
    assert fake.requests == []


def test_a_server_with_another_name_gets_nothing(authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with (
        HttpFake(tls=tls(authority, "elsewhere.example")) as fake,
        Wire(WireSettings(ca_file=tmp_path / "ca.pem")) as wire,
    ):
        error = refused(wire, fake.url)
    assert error.code == "salesforce.tls"
    assert "ostname mismatch" in error.message
    assert fake.requests == []


def test_a_server_without_tls_is_told_from_one_that_is_not_trusted(wire: Wire, fake: HttpFake) -> None:
    error = refused(wire, fake.url.replace("http:", "https:"))
    assert isinstance(error, Misconfigured)
    assert "does not speak TLS" in error.message


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_ca_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Misconfigured) as caught:
        Wire(WireSettings(ca_file=path))
    assert str(path) in caught.value.message


# Proxies


def proxied(fake: HttpFake) -> Wire:
    return Wire(WireSettings(proxy=fake.url.replace("//", "//me:pr0xypw@")))


def test_requests_go_through_the_proxy_with_its_password(fake: HttpFake) -> None:
    with proxied(fake) as wire:
        assert wire.send("GET", "http://localhost:1/there").status == 200
    [request] = fake.requests
    assert request.path == "http://localhost:1/there"
    assert request.headers["Proxy-Authorization"] == f"Basic {base64.b64encode(b'me:pr0xypw').decode()}"


@pytest.mark.parametrize(
    ("status", "kind"), [(407, Misconfigured), (403, Misconfigured), (502, Transient), (503, Transient)]
)
def test_a_proxy_that_opens_no_tunnel_is_told_apart_by_status(
    fake: HttpFake, status: int, kind: type
) -> None:
    fake.answer = Answer(status)
    with proxied(fake) as wire:
        error = refused(wire, "https://acme.example/")
    assert isinstance(error, kind)
    assert (error.code, error.maybe_done) == ("salesforce.proxy", False)
    assert fake.requests[0].method == "CONNECT"
    assert "pr0xypw" not in f"{error.message}{error.hint}"


def test_a_proxy_that_is_away_surely_let_nothing_through() -> None:
    settings = WireSettings(proxy=f"http://me:pr0xypw@127.0.0.1:{free_port()}")
    assert "pr0xypw" not in repr(settings)
    with Wire(settings) as wire:
        error = refused(wire, "https://acme.example/")
    assert isinstance(error, Transient)
    assert not error.maybe_done
    assert "proxy" in error.message
    assert "pr0xypw" not in error.message


@contextmanager
def tunnel() -> Iterator[str]:
    """A proxy that opens one tunnel to wherever it is asked to."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            near, _ = listener.accept()
            with near:
                host, port = near.recv(65536).split(b" ")[1].rsplit(b":", 1)
                with socket.create_connection((host.decode(), int(port))) as far:
                    near.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                    back = threading.Thread(target=pump, args=(far, near))
                    back.start()
                    pump(near, far)
                    back.join()

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def test_a_tunnel_is_encrypted_to_the_far_end(authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with HttpFake(tls=tls(authority)) as far, tunnel() as proxy:
        with Wire(WireSettings(ca_file=tmp_path / "ca.pem", proxy=proxy)) as wire:
            assert wire.send("GET", far.url).status == 200
            assert wire.send("GET", far.url).status == 200
        assert [request.connection for request in far.requests] == [1, 1]


def test_the_far_end_of_a_tunnel_must_be_trusted(authority: trustme.CA) -> None:
    with HttpFake(tls=tls(authority)) as far, tunnel() as proxy, Wire(WireSettings(proxy=proxy)) as wire:
        assert refused(wire, far.url).code == "salesforce.tls"
        assert far.requests == []


# Replies


def reply(
    headers: dict[str, str] | None = None, body: bytes = b"", status: int = 200, method: str = "GET"
) -> Reply:
    return Reply(status, headers or {}, body, "https://a.example/x", method)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30),
        (" 0 ", 0),
        ("999999999", 86400),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("²", None),
        ("Mon, 23 Nov 2026 10:01:00 GMT", 60),
        ("Mon, 23 Nov 2026 09:00:00 GMT", 0),
        ("Mon, 99 Nov 2026 09:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_by_the_servers_clock(value: str, seconds: float | None) -> None:
    headers = {"Retry-After": value, "Date": "Mon, 23 Nov 2026 10:00:00 GMT"}
    assert reply(headers).retry_after_seconds == seconds


@pytest.mark.parametrize(
    "value", [None, "", "yesterday", "Mon, 99 Nov 2026 10:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -1200"]
)
def test_a_date_that_cannot_be_read_is_none(value: str | None) -> None:
    assert reply({} if value is None else {"Date": value}).date is None


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[" * 100_000, b"9" * 5000])
def test_what_is_not_json_is_transient(body: bytes) -> None:
    with pytest.raises(Transient) as caught:
        reply(body=body, method="POST").json()
    assert caught.value.code == "salesforce.not_json"
    assert caught.value.maybe_done
    assert caught.value.__context__ is None


def test_a_reply_shows_neither_body_nor_headers() -> None:
    shown = repr(reply({"Set-Cookie": "sid=s3cret"}, b"s3cret"))
    assert "s3cret" not in shown
    assert "a.example" in shown
