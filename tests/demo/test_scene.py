"""The story goes on until something happens, and says so when it does not."""

from __future__ import annotations

import signal
import sys

import pytest

from rotator.core.model import Ask
from rotator.demo.daemon import Daemon
from rotator.demo.scene import BrokenPromiseError, StoppedError

SPEAKS = """
import sys, time
print('no json', file=sys.stderr)
print('{"event": "key.destroyed", "credential": "acme", "serial": 1}', file=sys.stderr, flush=True)
if sys.argv[1:2] == ["stay"]:
    time.sleep(60)
"""


@pytest.fixture
def speaking(scene, tmp_path):
    """A scene whose daemon says one thing, and then stays or ends."""

    def start(*arguments):
        scene.daemon = Daemon(
            scene.stage.config, tmp_path / "log", [sys.executable, "-c", SPEAKS, *arguments]
        )
        scene.daemon.start()
        return scene

    yield start
    scene.daemon.stop()


def test_what_the_daemon_logs_is_told_and_kept(speaking, told, tmp_path):
    scene = speaking("stay")
    line = scene.until("it was destroyed", lambda: scene.happened("key.destroyed", credential="acme"))
    assert line["serial"] == 1
    assert "acme: the private key of pair 1 is destroyed for good" in told.getvalue()
    assert (tmp_path / "log").read_text().startswith("no json\n")


def test_a_daemon_that_ends_by_itself_breaks_the_promise(speaking):
    scene = speaking()
    with pytest.raises(BrokenPromiseError, match=r"ended by itself \(exit code 0\) before the moon rose"):
        scene.until("the moon rose", lambda: None)


def test_patience_has_an_end(speaking):
    scene = speaking("stay")
    scene.ends_at = 0
    with pytest.raises(BrokenPromiseError, match="not in time: the moon rose"):
        scene.until("the moon rose", lambda: None)


def test_a_signal_ends_the_waiting(speaking):
    scene = speaking("stay")
    scene.stopping.set()
    with pytest.raises(StoppedError):
        scene.until("the moon rose", lambda: None)


def test_a_daemon_that_was_killed_is_not_missed(speaking):
    scene = speaking("stay")
    scene.daemon.kill()
    assert scene.daemon.ended is None
    assert scene.daemon.stop() is None


def test_a_daemon_that_is_stopped_gets_the_time_to_do_so(speaking):
    scene = speaking("stay")
    assert scene.daemon.stop() == -signal.SIGTERM


def test_an_operator_asks_for_what_comes_after_the_newest_key(scene):
    scene.stage.vault.request("DELETE", "secret/metadata/salesforce/-/requests/acme")
    scene.ask("acme", Ask.ROTATE)
    waiting = scene.stage.vault.request("GET", "secret/data/salesforce/-/requests/acme")["data"]["data"]
    assert waiting["request"]["ask"] == "rotate"
    assert waiting["request"]["serial"] == 0
