"""Docker's daemon, started by hand beside whatever runs on this machine, and nothing of it left at the end."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Self

START_SECONDS = 120.0
STOP_SECONDS = 60.0
COMMAND_SECONDS = 600.0
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
PROGRAM = "/usr/bin/docker"
"""Debian's, which goes with Debian's daemon. What else has this name may be too new to build without a plugin."""

# Its mounts are seen by nobody else and gone with it, the one with all images, too; and a containerd that this machine
# may have is not its own.
_APART = """
mkdir -p /run/containerd
mount -t tmpfs tmpfs /run/containerd
mount -t tmpfs -o mode=0711 tmpfs "$1"
exec dockerd --data-root="$@"
"""


class Docker:
    """Runs the daemon as a context manager; called, it runs a command of the client to its end.

    Containers use the network of this machine: there is no other.
    """

    def __init__(self, folder: Path) -> None:
        """``folder``: sockets and the like come into it. It is removed; images and containers are in memory alone."""
        self._folder = folder
        self.environment: Mapping[str, str] = {
            **{name: os.environ[name] for name in ("PATH", "HOME", *PROXIES) if name in os.environ},
            "DOCKER_HOST": f"unix://{folder}/socket",
            "DOCKER_CONFIG": f"{folder}/client",
            "DOCKER_BUILDKIT": "1",
        }

    def __enter__(self) -> Self:
        settings = self._folder / "daemon.json"  # else those of this machine would hold
        settings.write_text("{}")
        data = self._folder / "data"
        data.mkdir()
        arguments = [
            str(data),
            f"--config-file={settings}",
            f"--exec-root={self._folder / 'exec'}",
            f"--pidfile={self._folder / 'pid'}",
            f"--host={self.environment['DOCKER_HOST']}",
            "--bridge=none",
            *(f"--{what}=false" for what in ("iptables", "ip6tables", "ip-forward", "ip-masq")),
        ]
        namespace = [
            "setpriv",
            "--pdeathsig=TERM",
            "--",
            "unshare",
            "--mount",
            "--",
            "sh",
            "-ec",
            _APART,
            "sh",
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*namespace, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            self._await_start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        left = self._client("ps", "--all", "--quiet")
        if left.returncode == 0 and left.stdout:
            self._client("rm", "--force", "--volumes", *left.stdout.split())
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()
            shutil.rmtree(self._folder)

    def __call__(self, *arguments: object) -> str:
        """Run a command, and return what it printed. Raises AssertionError, with its last words, if it fails."""
        done = self._client(*arguments)
        assert done.returncode == 0, f"docker {arguments}: {done.returncode}\n{done.stdout[-4000:]}"
        return done.stdout.strip()

    def start(self, *arguments: object, stdin: IO[bytes] | None = None) -> subprocess.Popen[str]:
        """Start a command whose output, both streams in one, is read as it comes."""
        return subprocess.Popen(
            [PROGRAM, *map(str, arguments)],
            env=self.environment,
            stdin=stdin or subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, image: str, *arguments: object, options: tuple[object, ...] = ()) -> tuple[int, str]:
        """Run a container that comes to its end by itself, shut off; return its exit code and what it printed."""
        done = self._client("run", "--rm", *SHUT_OFF, *options, image, *arguments)
        return done.returncode, done.stdout

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _client(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, *map(str, arguments)],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def _await_start(self) -> None:
        give_up = time.monotonic() + START_SECONDS
        while self._client("version").returncode != 0:
            said = self._log.read_text()[-4000:]
            assert self._process.poll() is None, f"dockerd ended:\n{said}"
            assert time.monotonic() < give_up, f"dockerd does not serve:\n{said}"
            time.sleep(0.2)


SHUT_OFF = (
    "--network=host",
    "--read-only",
    "--tmpfs=/tmp",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
)
"""How a container runs that may do nothing but what rotator needs."""
