"""A machine: Debian, booted by systemd, with rotator installed. It shares our network: 127.0.0.1 is one for both."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self

from tests.machines import debian, installed

BOOT_SECONDS = 180.0
STOP_SECONDS = 60.0
COMMAND_SECONDS = 120.0
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NSPAWN = ["systemd-nspawn", "--boot", "--quiet", "--notify-ready=yes", "--link-journal=no"]
# Nothing of this machine's own service manager, if it has one, and nothing of its terminal.
_NSPAWN += ["--register=no", "--keep-unit", "--console=pipe"]


class Machine:
    """Boots as a context manager, and leaves nothing behind: neither process nor mount.

    Attributes:
        root: its file system, as we see it while it runs.
    """

    root: Path

    def __init__(self, folder: Path) -> None:
        """``folder``: what the machine writes comes into it."""
        self._folder = folder
        self._leader = 0

    def __enter__(self) -> Self:
        upper = self._folder / "upper"
        lower = installed.install(upper)
        with ExitStack() as starting:
            layered, at = starting.enter_context(debian.layered(*lower, upper=upper))
            self._boot(
                [*map(str, layered), *_NSPAWN, f"--directory={at}", f"--machine=rotator-{os.getpid()}"]
            )
            starting.callback(self._power_off)
            self._ending = starting.pop_all()
        self.root = Path(f"/proc/{self._leader}/root")
        return self

    def __exit__(self, *_error: object) -> None:
        self._ending.close()

    def _boot(self, command: list[str]) -> None:
        address = self._folder / "notify"
        # Closed after the boot: whoever speaks to one that is open and does not listen waits for ever.
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener,
            self._console.open("wb") as console,
        ):
            listener.bind(str(address))
            listener.settimeout(BOOT_SECONDS)
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig=TERM", "--", *command],
                env={"PATH": os.environ["PATH"], "NOTIFY_SOCKET": str(address)},
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
            )
            try:
                self._await_boot(listener)
            except BaseException:
                self._power_off()
                raise

    def _power_off(self) -> None:
        self._process.send_signal(signal.SIGTERM)  # systemd-nspawn(1): the machine is asked to power off
        try:
            self._process.wait(STOP_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()

    @property
    def _console(self) -> Path:
        return self._folder / "console"

    def _await_boot(self, listener: socket.socket) -> None:
        """Listen to sd_notify(3): who is the first process of the machine, and whether it has booted."""
        ready = False
        while not (ready and self._leader):
            try:
                said = listener.recv(4096).decode().split("\n")
            except TimeoutError:
                raise AssertionError(f"it does not boot:\n{self._console.read_text()}") from None
            for line in said:
                name, _, value = line.partition("=")
                ready = ready or (name, value) == ("READY", "1")
                self._leader = int(value) if name == "X_NSPAWN_LEADER_PID" else self._leader

    def enter(self, *command: object) -> list[str]:
        """Return the command that runs a command on the machine, as root, with nothing of our environment."""
        namespaces = ["--mount", "--uts", "--ipc", "--pid", "--cgroup", "--root", "--wd"]
        clean = ["env", "-i", f"PATH={_PATH}", "LC_ALL=C.UTF-8"]
        return ["nsenter", f"--target={self._leader}", *namespaces, "--", *clean, *map(str, command)]

    def run(self, *command: object, check: bool = True) -> str:
        """Run a command to its end, and return what it printed. Raises AssertionError if it fails, unless told not to."""
        done = subprocess.run(
            self.enter(*command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == 0 or not check, f"{command}: {done.returncode}\n{done.stdout}"
        return done.stdout.strip()

    @contextmanager
    def listening(self, hear: Callable[[str], object], *command: object) -> Iterator[None]:
        """Run a command meanwhile that goes on and on, and hand over each line that it prints."""
        process = subprocess.Popen(self.enter(*command), stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        with process.stdout as stream:
            listener = threading.Thread(target=lambda: [hear(line) for line in stream], daemon=True)
            listener.start()
            try:
                yield
            finally:
                # The child of nsenter alone: that sees its end and ends, too. An orphan would stay a zombie.
                for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
                    os.kill(int(child), signal.SIGKILL)
                process.wait()
                listener.join()

    def show(self, unit: str, what: str) -> str:
        """Return a property of a unit."""
        return self.run("systemctl", "show", "--value", f"--property={what}", unit)

    def put(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of root's."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
