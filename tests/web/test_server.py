"""The port itself: bounds and time limits, TLS, and what it does where it cannot be had."""

from __future__ import annotations

import errno
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives import serialization

from rotator.config.secrets import SecretReference
from rotator.config.web import WebConfig, WebTls
from rotator.errors import Misconfigured
from rotator.show import logs
from rotator.web import Port, examine, pool, server
from tests.web.conftest import PATIENCE_SECONDS, Visitor
from tests.world.bao import Authority


def wire(visitor: Visitor) -> socket.socket:
    where = urlsplit(visitor.url)
    return socket.create_connection((where.hostname, where.port), PATIENCE_SECONDS)


def said_to(visitor: Visitor, request: bytes) -> bytes:
    """Send bytes, and return all that comes back."""
    with wire(visitor) as to:
        to.sendall(request)
        answer = b""
        while piece := to.recv(65536):
            answer += piece
        return answer


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_nothing_can_be_sent_to_it(visitor, method):
    answer = visitor.get("/", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/livez", "/metrics", "/", "/credentials/well", "/nowhere"])
def test_a_head_has_the_headers_of_a_get_and_no_body(visitor, path):
    get, head = visitor.get(path), visitor.get(path, "HEAD")
    assert (head.status, head.body) == (get.status, b"")
    assert [name for name, _ in head.headers.items()] == [name for name, _ in get.headers.items()]


@pytest.mark.parametrize("path", ["/", "/livez", "/readyz/well", "/metrics", "/nowhere", "/static/page.js"])
def test_every_answer_forbids_what_no_page_of_ours_needs(visitor, path):
    headers = visitor.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == ("no-cache" if path.startswith("/static/") else "no-store")
    assert headers["Server"] == "rotator"


def test_a_browser_that_has_a_file_already_is_not_sent_it_again(visitor):
    first = visitor.get("/static/page.css")
    tag = first.headers["ETag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        for method in ("GET", "HEAD"):
            again = visitor.get("/static/page.css", method, If_None_Match=known)
            assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
            assert again.headers["Content-Length"] is None
            assert again.headers["X-Content-Type-Options"] == "nosniff"
    for unknown in ('"other"', tag.strip('"'), ""):
        assert visitor.get("/static/page.css", If_None_Match=unknown).body == first.body
    assert visitor.get("/static/page.js").headers["ETag"] != tag


def test_long_headers_and_bodies_are_refused(visitor):
    assert visitor.get("/" + "x" * server.MOST_HEADER_BYTES).status == 414
    assert visitor.get("/livez", X_Long="x" * server.MOST_HEADER_BYTES).status == 413
    with wire(visitor) as to:
        to.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n")
        assert to.recv(100).startswith(b"HTTP/1.1 413")


def test_whoever_drips_is_cut_off_and_keeps_nobody_else_from_looking(visitor, monkeypatch):
    monkeypatch.setattr(server, "ASK_SECONDS", 1)
    drippers = [wire(visitor) for _ in range(server.THREADS - 1)]
    try:
        for one in drippers:
            one.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        assert visitor.get("/livez").status == 200
        ended = set()
        give_up = time.monotonic() + PATIENCE_SECONDS
        while len(ended) < len(drippers):
            assert time.monotonic() < give_up
            for one in drippers:
                try:
                    one.sendall(b"x")
                except OSError:
                    ended.add(one)
            time.sleep(0.1)
    finally:
        for one in drippers:
            one.close()


def until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_while_no_descriptor_is_left_it_is_not_asked_for_the_next_connection_at_once(monkeypatch):
    pauses = []

    class Lacking:
        def accept(self):
            raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(server.time, "sleep", pauses.append)
    with pytest.raises(OSError, match="Too many"):
        server._Listener(Lacking()).accept()
    assert pauses == [server.PAUSE_SECONDS]


def test_it_stops_whatever_those_do_who_are_served_and_those_who_wait(monkeypatch):
    monkeypatch.setattr(server, "ASK_SECONDS", 1e6)
    monkeypatch.setattr(server, "TAKE_SECONDS", 1e6)
    asked = threading.Event()

    def answers_much(_environ, start_response):
        start_response("200 OK", [])
        asked.set()
        return [bytes(1 << 26)]

    serving = server.Server(("127.0.0.1", 0), answers_much)
    serving.start()
    visitor = Visitor(serving.url)
    with ExitStack() as wires:
        takes_nothing = wires.enter_context(wire(visitor))
        takes_nothing.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert asked.wait(PATIENCE_SECONDS)
        silent = [wires.enter_context(wire(visitor)) for _ in range(3 * server.THREADS)]
        serving.stop()
        assert not serving.serves
        assert [thread for thread in threading.enumerate() if thread.name.startswith("web-")] == []
        assert all(is_over(one) for one in silent)


def is_over(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_many_silent_connections_end_by_themselves(visitor, monkeypatch):
    monkeypatch.setattr(server, "ASK_SECONDS", 1)
    silent = [wire(visitor) for _ in range(4 * server.THREADS)]
    try:
        assert visitor.get("/livez").status == 200
    finally:
        for one in silent:
            one.close()


def test_a_browser_may_ask_again_on_the_same_connection(visitor):
    ask = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = said_to(visitor, ask + last)
    assert (answer.count(b"200 OK"), b"alive" in answer, b"ready" in answer) == (2, True, True)


# -- TLS ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


def over_tls(url: str, trust: ssl.SSLContext) -> tuple[int, str]:
    """Return the status of /livez, and the serial number of the certificate that was shown."""
    wire = HTTPSConnection("127.0.0.1", urlsplit(url).port, timeout=PATIENCE_SECONDS, context=trust)
    try:
        wire.connect()
        serial = wire.sock.getpeercert()["serialNumber"]
        wire.request("GET", "/livez")
        return wire.getresponse().status, serial
    finally:
        wire.close()


@contextmanager
def renewable(fleet, authority) -> Iterator[tuple[Port, list[float], list[dict], WebConfig, str]]:
    """Serve with TLS: the port, the time in seconds, what is told, the configuration, and where."""
    now, files = [0.0], authority.issue("127.0.0.1")
    config = WebConfig(listen="127.0.0.1:0", tls=WebTls(certificate=files[0], key=files[1]))
    with logs.capture() as lines, Port(lambda: now[0]) as port:
        port.show(fleet.look, fleet.is_alive)
        port.serve(config)
        (url,) = [line["url"] for line in lines if line["event"] == "web.listening"]
        yield port, now, lines, config, url
    assert len([line for line in lines if line["event"] == "web.listening"]) == 1


def told(lines, event) -> list[dict]:
    return [line for line in lines if line["event"] == event]


def test_it_speaks_tls_and_shows_a_new_certificate_at_once_when_the_configuration_is_read_again(
    fleet, authority
):
    with renewable(fleet, authority) as (port, _now, lines, config, url):
        assert url.startswith("https://")
        status, before = over_tls(url, authority.trust)
        authority.issue("127.0.0.1")
        port.serve(config)
        assert (status, over_tls(url, authority.trust)[1] != before) == (200, True)
        port.serve(config)
        assert len(told(lines, "web.certificate_renewed")) == 1


def test_a_certificate_that_is_renewed_in_its_files_is_shown_by_itself_and_no_connection_ends(
    fleet, authority
):
    with renewable(fleet, authority) as (port, _now, lines, config, url):
        _status, before = over_tls(url, authority.trust)
        held = HTTPSConnection(
            "127.0.0.1", urlsplit(url).port, timeout=PATIENCE_SECONDS, context=authority.trust
        )
        held.request("GET", "/livez")
        assert held.getresponse().read() == b"alive\n"
        end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=9)
        authority.issue("127.0.0.1", not_after=end)
        port.keep()
        assert over_tls(url, authority.trust)[1] == before, "the second of two files may be still to come"
        port.keep()
        assert over_tls(url, authority.trust)[1] != before
        (line,) = told(lines, "web.certificate_renewed")
        assert datetime.fromisoformat(line["not_after"]) == end
        held.request("GET", "/livez")
        assert held.getresponse().read() == b"alive\n"
        held.close()
        assert config.tls.certificate.exists()


def test_a_certificate_behind_a_link_is_renewed_by_turning_the_link(fleet, authority, tmp_path):
    """As Kubernetes does with a Secret, and certbot."""

    def issue(name):
        (tmp_path / name).mkdir()
        for made, link in zip(authority.issue("127.0.0.1", file=name), ("tls.crt", "tls.key"), strict=True):
            made.rename(tmp_path / name / link)
        turned = tmp_path / "turned"
        turned.symlink_to(name)
        turned.rename(tmp_path / "data")

    issue("first")
    data = tmp_path / "data"
    config = WebConfig(listen="127.0.0.1:0", tls=WebTls(certificate=data / "tls.crt", key=data / "tls.key"))
    with logs.capture() as lines, Port() as port:
        port.show(fleet.look, fleet.is_alive)
        port.serve(config)
        (url,) = [line["url"] for line in told(lines, "web.listening")]
        before = over_tls(url, authority.trust)
        issue("second")
        port.keep()
        port.keep()
        assert over_tls(url, authority.trust)[1] != before[1]


@pytest.mark.parametrize(
    "spoil", [lambda file: file.write_text("nonsense"), Path.unlink], ids=["nonsense", "gone"]
)
def test_files_that_cannot_be_used_are_told_once_and_what_is_shown_stays_until_they_can(
    fleet, authority, spoil
):
    with renewable(fleet, authority) as (port, now, lines, config, url):
        _status, before = over_tls(url, authority.trust)
        spoil(config.tls.certificate)
        for _ in range(6):
            port.keep()
            now[0] += 10
        (line,) = told(lines, "web.certificate_kept")
        assert line["level"] == "warning"
        assert str(config.tls.certificate) in line["error"]
        assert line["hint"]
        assert over_tls(url, authority.trust) == (200, before)
        authority.issue("127.0.0.1")
        for _ in range(3):
            port.keep()
            now[0] += 20
        assert over_tls(url, authority.trust)[1] != before
        assert len(told(lines, "web.certificate_renewed")) == 1


def test_a_certificate_that_is_half_written_when_the_configuration_is_read_again_is_not_shown_before_it_is_whole(
    fleet, authority
):
    with renewable(fleet, authority) as (port, now, lines, config, url):
        before = over_tls(url, authority.trust)
        whole = config.tls.certificate.read_text()
        config.tls.certificate.write_text(whole[: len(whole) // 2])
        port.serve(config)
        assert len(told(lines, "web.certificate_kept")) == 1
        assert over_tls(url, authority.trust) == before
        authority.issue("127.0.0.1")
        for _ in range(3):
            now[0] += 10
            port.keep()
        assert over_tls(url, authority.trust)[1] != before[1]
        assert len(told(lines, "web.certificate_renewed")) == 1
        assert not told(lines, "web.failed")


def test_a_token_that_cannot_be_read_once_the_port_serves_is_tried_again(fleet, tmp_path):
    now, token = [0.0], tmp_path / "token"
    with logs.capture() as lines, Port(lambda: now[0]) as port:
        port.show(fleet.look, fleet.is_alive)
        port.serve(WebConfig(listen="127.0.0.1:0"))
        (line,) = told(lines, "web.listening")
        port.serve(
            WebConfig(listen="127.0.0.1:0", token=SecretReference("web.token", tmp_path, file="token"))
        )
        assert len(told(lines, "web.failed")) == 1
        token.touch(mode=0o600)
        token.write_text("0123456789abcdef0123456789abcdef")
        now[0] += 20
        port.keep()
        assert Visitor(line["url"]).get("/metrics").status == 401


def test_whoever_hangs_in_the_handshake_or_speaks_no_tls_keeps_nobody_waiting(fleet, authority, serve):
    certificate, key = authority.issue("127.0.0.1", file="hang")
    visitor = serve(fleet, tls=WebTls(certificate=certificate, key=key))
    with wire(visitor), wire(visitor) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert over_tls(visitor.url, authority.trust)[0] == 200


def test_too_many_silent_connections_are_closed_at_once_and_the_port_answers_again(
    fleet, authority, serve, monkeypatch
):
    monkeypatch.setattr(server, "ASK_SECONDS", 0.5)
    certificate, key = authority.issue("127.0.0.1", file="many")
    visitor = serve(fleet, tls=WebTls(certificate=certificate, key=key))
    before = descriptors()
    silent = [wire(visitor) for _ in range(4 * server.MOST_WAITING)]
    try:
        most = server.MOST_WAITING + 2 * server.THREADS
        until(lambda: descriptors() - before - len(silent) <= most)
        until(lambda: answers(visitor.url, authority.trust))
    finally:
        for one in silent:
            one.close()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def answers(url: str, trust: ssl.SSLContext) -> bool:
    try:
        return over_tls(url, trust)[0] == 200
    except OSError:
        return False


def test_a_key_that_is_encrypted_is_told_and_nobody_is_asked_for_its_password(authority):
    certificate, file = authority.issue("127.0.0.1", file="locked")
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file.write_bytes(key.private_bytes(pem, form, serialization.BestAvailableEncryption(b"secret")))
    with pytest.raises(Misconfigured, match=r"locked\.key is encrypted"):
        examine(WebConfig(tls=WebTls(certificate=certificate, key=file)))


def test_the_end_that_is_told_is_that_of_the_certificate_that_is_shown(fleet, authority):
    def ends(url):
        now[0] += 10
        wire = HTTPSConnection(
            "127.0.0.1", urlsplit(url).port, timeout=PATIENCE_SECONDS, context=authority.trust
        )
        wire.request("GET", "/metrics")
        shown = ssl.cert_time_to_seconds(wire.sock.getpeercert()["notAfter"])
        text = wire.getresponse().read().decode()
        wire.close()
        found = re.search(
            r'^rotator_tls_certificate_not_after_timestamp_seconds\{use="web"\} (.+)$', text, re.MULTILINE
        )
        return shown, float(found[1])

    with renewable(fleet, authority) as (port, now, _lines, config, url):
        first = ends(url)
        authority.issue("127.0.0.1", not_after=datetime.now(UTC) + timedelta(days=9))
        assert ends(url) == (first[0], first[0])
        port.keep()
        port.keep()
        second = ends(url)
        assert second[0] == second[1] != first[0]
        config.tls.certificate.write_text("nonsense")
        assert ends(url) == second


def test_without_tls_no_end_is_told(visitor):
    assert 'use="web"' not in visitor.get("/metrics").text


# -- a port that cannot be had ------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_told_once_and_tried_again(fleet):
    now = [0.0]
    with socket.socket() as taken, logs.capture() as lines, Port(lambda: now[0]) as port:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port.show(fleet.look, fleet.is_alive)
        port.serve(WebConfig(listen=f"127.0.0.1:{taken.getsockname()[1]}"))
        for _ in range(3):
            port.keep()
            now[0] += 20
        (line,) = [line for line in lines if line["event"] == "web.failed"]
        assert (line["runbook"], "in use" in line["error"], bool(line["hint"])) == ("web-port", True, True)
        taken.close()
        port.keep()
        (line,) = [line for line in lines if line["event"] == "web.listening"]
        assert Visitor(line["url"]).get("/livez").status == 200


def test_where_no_thread_can_be_started_that_is_told_and_tried_again(fleet, monkeypatch):
    now = [0.0]
    started = []

    def lacks(thread):
        started.append(thread)
        if len(started) == 3:
            raise RuntimeError("can't start new thread")
        threading.Thread.start(thread)

    with logs.capture() as lines, Port(lambda: now[0]) as port:
        port.show(fleet.look, fleet.is_alive)
        with monkeypatch.context() as lacking:
            lacking.setattr(pool.WorkerThread, "start", lacks)
            port.serve(WebConfig(listen="127.0.0.1:0"))
        (line,) = [line for line in lines if line["event"] == "web.failed"]
        assert ("RuntimeError" in line["error"], "start new thread" in str(line)) == (True, True)
        assert not any(thread.is_alive() for thread in started)
        now[0] += 20
        port.keep()
        (line,) = [line for line in lines if line["event"] == "web.listening"]
        assert Visitor(line["url"]).get("/livez").status == 200


def test_what_the_configuration_wants_now_is_served(fleet):
    with logs.capture() as lines, Port() as port:
        port.show(fleet.look, fleet.is_alive)
        port.serve(WebConfig(listen="127.0.0.1:0"))
        (before,) = [line["url"] for line in lines if line["event"] == "web.listening"]
        port.serve(WebConfig(listen=False))
        port.keep()
        with pytest.raises(ConnectionRefusedError):
            Visitor(before).get("/livez")
        port.serve(WebConfig(listen="localhost:0"))
        after = [line["url"] for line in lines if line["event"] == "web.listening"][-1]
        assert Visitor(after).get("/livez").status == 200


def test_a_certificate_that_does_not_go_with_its_key_is_found_beforehand(authority):
    one, other = authority.issue("127.0.0.1", file="one"), authority.issue("127.0.0.1", file="other")
    examine(WebConfig(tls=WebTls(certificate=one[0], key=one[1])))
    with pytest.raises(Misconfigured, match=r"(?i)mismatch"):
        examine(WebConfig(tls=WebTls(certificate=one[0], key=other[1])))
