"""What systemd hears, on a real datagram socket."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from rotator.run.notify import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """A service manager that listens: its NOTIFY_SOCKET, and the socket."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@rotator-{uuid4()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(5)
        listener.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        yield address, listener


def test_each_message_is_one_datagram_of_sd_notify(manager):
    address, listener = manager
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": address})
    for say, heard in [
        (notifier.ready, b"READY=1"),
        (
            lambda: notifier.status("2 credentials;\nacme is proving"),
            b"STATUS=2 credentials; acme is proving",
        ),
        (notifier.alive, b"WATCHDOG=1"),
        (notifier.stopping, b"STOPPING=1"),
    ]:
        say()
        assert listener.recv(1024) == heard


def test_a_reload_is_told_with_the_time_at_which_it_began(manager):
    address, listener = manager
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    Notifier.from_environment({"NOTIFY_SOCKET": address}).reloading()
    first, second = listener.recv(1024).decode().split("\n")
    name, _, microseconds = second.partition("=")
    assert (first, name) == ("RELOADING=1", "MONOTONIC_USEC")
    assert before <= int(microseconds) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_without_a_manager_nothing_is_said_and_nothing_fails():
    notifier = Notifier.from_environment({"WATCHDOG_USEC": "1000000"})
    notifier.ready()
    assert notifier == Notifier(address=None, watchdog=None)


def test_a_manager_that_went_away_does_not_hurt(tmp_path):
    Notifier(address=str(tmp_path / "gone")).alive()


@pytest.mark.parametrize(
    ("environment", "watchdog"),
    [
        ({"WATCHDOG_USEC": "60000000"}, timedelta(seconds=60)),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, timedelta(seconds=60)),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
    ids=["for us", "for our pid", "for another pid", "zero", "not a number", "unset"],
)
def test_the_watchdog_period_is_taken_only_if_it_is_meant_for_us(environment, watchdog):
    assert Notifier.from_environment({"NOTIFY_SOCKET": "/run/notify", **environment}).watchdog == watchdog
