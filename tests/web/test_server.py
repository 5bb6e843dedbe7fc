"""The server: what it takes and answers, its bounds and time limits."""

from __future__ import annotations

import errno
import socket
import threading
import time
from contextlib import ExitStack

import pytest

from rotator.web import server
from tests.web.conftest import PATIENCE_SECONDS, Visitor, wire
from tests.world.serving import until


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
        until(lambda: not serving.serves, "the end of the server")
        until(
            lambda: not [one for one in threading.enumerate() if one.name.startswith("web-")],
            "the end of its threads",
        )
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
