"""Raises the curtain, plays the acts, reckons up, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from rotator.app import application
from rotator.config import load
from rotator.demo import acts
from rotator.demo.consumers import Consumer
from rotator.demo.count import reckon
from rotator.demo.daemon import Daemon
from rotator.demo.policies import sandbox_policies
from rotator.demo.scene import BrokenPromiseError, Scene, StoppedError
from rotator.demo.tellers import Teller, teller
from rotator.errors import RotatorError
from rotator.sandbox.lifetimes import DEMO
from rotator.sandbox.stage import Stage

_SIGNALLED = 128  # what shells add to the number of a signal


def run(*, as_json: bool, seconds_limit: int = 120) -> int:
    """Tell the story on standard output, and return the exit code: 0 only if every promise was kept.

    Args:
        as_json: one JSON object a line; the last line is the result.
        seconds_limit: what has not happened by then counts as broken.
    """
    with _signals() as caught, teller(as_json=as_json) as tell:
        descriptor, name = tempfile.mkstemp(prefix="rotator-demo-", suffix=".log")
        os.close(descriptor)
        log = Path(name)
        broken = _play(tell, log, seconds_limit, caught)
        if caught.number or not broken:
            log.unlink()
    if caught.number:
        return _SIGNALLED + caught.number
    return 1 if broken else 0


def _play(tell: Teller, log: Path, seconds_limit: int, caught: _Caught) -> list[str]:
    """Play all acts and return which promises were broken."""
    with ExitStack() as ending:
        scene = _set(ending, tell, log, seconds_limit, caught)
        broken: list[str] = []
        try:
            for act in (acts.adopt, acts.rotate, acts.restore, acts.kill, acts.destroy):
                act(scene)
            code = scene.daemon.stop()
            scene.listen()
            if code:
                broken.append(f"the daemon stops cleanly (its exit code is {code})")
        except (BrokenPromiseError, RotatorError) as error:
            broken.append(str(error))
            scene.daemon.stop()
        except StoppedError:
            return []
        for consumer in scene.consumers:
            consumer.stop()
        summary, more = reckon(scene)
        broken += more
        if broken:
            summary["log"] = str(log)
        tell.result(summary, broken)
        return broken


def _set(ending: ExitStack, tell: Teller, log: Path, seconds_limit: int, caught: _Caught) -> Scene:
    """Put everything in its place; ``ending`` takes it all away again."""
    began = time.monotonic()
    stage = ending.enter_context(Stage(sandbox_policies(), DEMO))
    configuration = load(stage.config)
    daemon = Daemon(stage.config, log)
    ending.callback(daemon.stop)
    operator = ending.enter_context(application(configuration, stage.operator_token_file))
    consumers = []
    for name in acts.ROTATED:
        for user in configuration.credentials[name].usernames:
            consumer = Consumer(
                stage.vault.address,
                stage.consumer_token_file(name),
                (name, user),
                stage.lifetimes.consumer_lag_seconds,
            )
            consumer.start()
            ending.callback(consumer.stop)
            consumers.append(consumer)
    return Scene(
        stage, daemon, operator, consumers, tell, caught.event, began=began, ends_at=began + seconds_limit
    )


class _Caught:
    """The signal that asks to stop, if one came. The first is enough: cleaning up is not interrupted."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.number = 0

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        self.number = self.number or number
        self.event.set()


@contextmanager
def _signals() -> Iterator[_Caught]:
    caught = _Caught()
    before = {number: signal.signal(number, caught) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
