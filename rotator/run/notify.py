"""Tell systemd how the daemon is: the sd_notify(3) protocol, by the standard library alone."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

_SEND_TIMEOUT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Notifier:
    """Speaks to the service manager; says nothing to nobody where there is none.

    A message that can't be delivered is dropped: the watchdog of systemd notices a daemon that it does not hear.

    Attributes:
        address: of the manager's datagram socket; a leading ``@`` stands for an abstract one. None: no manager.
        watchdog: the manager kills us if it hears no :meth:`alive` for so long. None: it does not watch.
    """

    address: str | None = None
    watchdog: timedelta | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Notifier:
        """Read NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, as sd_watchdog_enabled(3) does."""
        address = environment.get("NOTIFY_SOCKET") or None
        microseconds = environment.get("WATCHDOG_USEC", "")
        meant_for_us = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watched = address and meant_for_us and microseconds.isdecimal() and int(microseconds) > 0
        return cls(address, timedelta(microseconds=int(microseconds)) if watched else None)

    def ready(self) -> None:
        """Start-up, or a reload, is over."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The configuration is about to be read again; :meth:`ready` ends that, whatever became of it.

        One message, with the time: else systemd does not know which reload is meant (``Type=notify-reload``, 253).
        """
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def status(self, sentence: str) -> None:
        """Show one sentence in ``systemctl status``."""
        self._send("STATUS=" + " ".join(sentence.split()))

    def stopping(self) -> None:
        """Shut-down has begun."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if self.address is None:
            return
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
            wire.settimeout(_SEND_TIMEOUT_SECONDS)
            wire.sendto(message.encode(), address)
