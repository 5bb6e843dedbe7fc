"""Commands, run as an operator runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner

from rotator.app import application
from rotator.cli import main
from rotator.config import load
from rotator.demo.policies import sandbox_policies
from rotator.run.ask import acquaint
from rotator.run.once import run_to_rest
from rotator.sandbox.lifetimes import SANDBOX, Lifetimes
from rotator.sandbox.stage import Stage, Tls

QUICK = replace(
    SANDBOX,
    first_due_seconds=3600,
    certificate_seconds=7200,
    session_timeout_seconds=7200,
    refresh_seconds=1800,
    verify_seconds=900,
    proofs=2,
    proof_span_seconds=0.2,
    proof_retry_seconds=0.1,
    proof_deadline_seconds=20,
    slow_servers_seconds=3,
    backoff_seconds=1,
    poll_seconds=0.1,
    retry_seconds=0.1,
    reconcile_seconds=0.2,
    propagation_seconds=0,
    deploy_seconds=0,
)
"""Nothing comes due by itself, and changes take a second."""


@contextmanager
def ready_stage(lives: Lifetimes = QUICK, *, tls: Tls | None = None, **knobs: object) -> Iterator[Stage]:
    """Run a sandbox whose key pairs are adopted and whose first tokens are published."""
    with Stage(sandbox_policies(), lives, knobs, tls=tls) as stage:
        with application(load(stage.config)) as app:
            acquaint(app)
            assert run_to_rest(app) == []
        yield stage


@dataclass
class Ran:
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Rotator:
    """Runs commands, with the configuration of the sandbox unless they name another."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def __call__(self, *arguments: object, config: Path | None = None) -> Ran:
        """Run a command in this process."""
        env = {"ROTATOR_CONFIG": str(config or self.stage.config), "COLUMNS": "100"}
        result = CliRunner().invoke(main, [str(one) for one in arguments], env=env)
        return Ran(result.exit_code, result.stdout, result.stderr)

    def operator(self, *arguments: object) -> Ran:
        """Run a command with a token of the operator's policy."""
        return self(*arguments, "--vault-token-file", self.stage.operator_token_file)

    def process(
        self,
        *arguments: object,
        config: Path | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Ran:
        """Run a command in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "rotator", *map(str, arguments)],
            env={**os.environ, "ROTATOR_CONFIG": str(config or self.stage.config), **(env or {})},
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def status(self, name: str) -> Any:
        """Return how a credential stands."""
        return self("status", name, "--json").json["credentials"][0]

    def stored_key_pair(self, name: str, serial: int | None = None) -> Any:
        """Return what Vault holds of a credential's key pair, of the one that signs unless another is named."""
        wanted = self.status(name)["current"]["serial"] if serial is None else serial
        answer = self.stage.vault.request("GET", f"secret/data/salesforce/{name}/keys/{wanted}")
        return answer["data"]["data"]

    def variant(self, folder: Path, **sections: Any) -> Path:
        """Write the sandbox's configuration with other sections, and return where it is."""
        path = folder / "rotator.yaml"
        path.write_text(yaml.safe_dump({**self.settings(), **sections}))
        return path

    def settings(self) -> Any:
        """Return the sandbox's configuration as data that holds from anywhere."""
        settings = yaml.safe_load(self.stage.config.read_text())
        settings["vault"]["login"]["secret_id"] = {"file": str(self.stage.approle.secret_id_file)}
        return settings
