"""A port that cannot be had at first, and what is served when the configuration changes."""

from __future__ import annotations

import socket
import threading

import pytest

from rotator.config.secrets import SecretReference
from rotator.config.web import WebConfig
from rotator.show import logs
from rotator.web import Port, pool
from tests.web.conftest import Visitor, told


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
