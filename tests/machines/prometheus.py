"""A real Prometheus on loopback, which scrapes one daemon and follows the alert rules."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import yaml

EXAMPLE = Path(__file__).parents[2] / "config" / "prometheus"
READY_SECONDS = 60.0
PATIENCE_SECONDS = 30.0
INTERVAL = "1s"


@dataclass(frozen=True)
class Prometheus:
    """One that runs."""

    url: str

    def ask(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer of its API. Raises AssertionError when it refuses."""
        answer = requests.get(f"{self.url}/api/v1/{path}", parameters, timeout=PATIENCE_SECONDS).json()
        assert answer["status"] == "success", (parameters, answer)
        return answer["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of an expression as they are now."""
        found: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return found


@contextmanager
def prometheus(folder: Path, daemon_url: str, token: str) -> Iterator[Prometheus]:
    """Run Prometheus with the example's configuration, for a daemon at an address, and leave nothing behind."""
    folder.mkdir()
    secret = folder / "rotator-token"
    secret.touch(mode=0o600)
    secret.write_text(token)
    said = yaml.safe_load((EXAMPLE / "prometheus.yml").read_text())
    said["global"] = {"evaluation_interval": INTERVAL}
    (job,) = said["scrape_configs"]
    job |= {"scrape_interval": INTERVAL, "static_configs": [{"targets": [urlsplit(daemon_url).netloc]}]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(said))
    (folder / "alerts.yml").write_text((EXAMPLE / "alerts.yml").read_text())
    port = _free_port()
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            _await(f"http://127.0.0.1:{port}", process, folder / "log")
            yield Prometheus(f"http://127.0.0.1:{port}")
        finally:
            process.kill()


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + READY_SECONDS
    while time.monotonic() < give_up and process.poll() is None:
        with suppress(requests.ConnectionError):
            if requests.get(f"{url}/-/ready", timeout=PATIENCE_SECONDS).ok:
                return
        time.sleep(0.2)
    raise AssertionError(log.read_text()[-4000:])


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
