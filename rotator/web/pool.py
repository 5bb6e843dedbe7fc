"""The threads that serve connections, and the connections that wait for one."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import Any

from cheroot.workers.threadpool import _SHUTDOWNREQUEST, WorkerThread  # type: ignore[attr-defined]  # the stub


class Pool:
    """What cheroot asks of a pool of threads, with bounds that its own one lacks.

    That one hands connections beyond its bound to one thread that answers them one after the other, however many they
    become, and its end waits for the slowest client.
    """

    def __init__(self, server: Any, threads: int, most_waiting: int) -> None:
        """Prepare; :meth:`start` starts the threads, and raises RuntimeError where the machine has no more of them."""
        self.min = threads
        self._server = server
        self._waiting: Queue[Any] = Queue(most_waiting)
        self._threads: list[WorkerThread] = []
        self.get = self._waiting.get

    def put(self, connection: Any) -> None:
        """Let a connection be served when a thread is free, or close it where too many wait."""
        try:
            self._waiting.put_nowait(connection)
        except Full:
            _close(connection)

    def start(self) -> None:
        for number in range(self.min):
            thread = WorkerThread(self._server)  # type: ignore[no-untyped-call]  # the stub
            thread.name, thread.daemon = f"web-{number}", True
            thread.start()
            self._threads.append(thread)

    def stop(self, seconds: float) -> None:
        """Close who waits. Who is served has so long to take the answer, and is then cut off."""
        with suppress(Empty):
            while True:
                _close(self._waiting.get_nowait())
        threads = [thread for thread in self._threads if thread is not threading.current_thread()]
        self._threads.clear()
        for _ in threads:
            self._waiting.put_nowait(_SHUTDOWNREQUEST)
        _join(threads, seconds)
        for thread in threads:
            if (connection := thread.conn) is not None:
                connection.cut()
        _join(threads, seconds)


def _close(connection: Any) -> None:
    with suppress(OSError):
        connection.close()


def _join(threads: Sequence[threading.Thread], seconds: float) -> None:
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(end - time.monotonic(), 0))
