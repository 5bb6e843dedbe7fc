"""Manifests for Kubernetes, judged by the types and schemas of their kinds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.judges.tools import NodeTools
from tests.world.examples import EXAMPLES

OPERATOR = Path(__file__).with_name("vault-secrets-operator.ts")
Manifest = dict[str, Any]
KUBERNETES, ESO, VSO = (
    "kubernetes-models",
    "@kubernetes-models/external-secrets",
    "./vault-secrets-operator.js",
)
KINDS = {
    "ServiceAccount": (f"{KUBERNETES}/v1", "IServiceAccount"),
    "Deployment": (f"{KUBERNETES}/apps/v1", "IDeployment"),
    "SecretStore": (f"{ESO}/external-secrets.io/v1", "ISecretStore"),
    "ExternalSecret": (f"{ESO}/external-secrets.io/v1", "IExternalSecret"),
    "VaultConnection": (VSO, "VaultConnection"),
    "VaultAuth": (VSO, "VaultAuth"),
    "VaultStaticSecret": (VSO, "VaultStaticSecret"),
}
"""Kind -> the module that has its type, and the type's name."""

STRICT = ("--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext")
VALIDATE = """
import { readFileSync } from 'node:fs';
for (const [module, name, manifest] of JSON.parse(readFileSync('manifests.json', 'utf8'))) {
  new (await import(module))[name](manifest).validate();
}
"""


def manifests(example: str) -> dict[str, Manifest]:
    """Return the manifests of a file of config/consumers by their kind."""
    return {one["kind"]: one for one in yaml.safe_load_all((EXAMPLES / example).read_text())}


def complaints(node: NodeTools, folder: Path, *judged: Manifest) -> str:
    """Return what is wrong with manifests, field by field; empty when nothing is.

    TypeScript tells fields that a kind does not have: a cluster would drop them without a word. The schemas tell
    what types can't, such as formats.
    """
    (folder / "node_modules").symlink_to(node.modules)
    (folder / "vault-secrets-operator.ts").write_text(OPERATOR.read_text())
    (folder / "package.json").write_text('{"type": "module"}')
    lines = []
    for number, manifest in enumerate(judged):
        module, name = KINDS[manifest["kind"]]
        lines.append(f"import type {{ {name} as Kind{number} }} from '{module}';")
        lines.append(f"export const manifest{number}: Kind{number} = {json.dumps(manifest, indent=2)};")
    (folder / "manifests.ts").write_text("\n".join(lines))
    typed = node.run("typescript/bin/tsc", *STRICT, "manifests.ts", cwd=folder)
    if typed.returncode:
        return typed.stdout
    with_schema = [
        (*KINDS[manifest["kind"]], manifest) for manifest in judged if KINDS[manifest["kind"]][0] != VSO
    ]
    (folder / "manifests.json").write_text(
        json.dumps([(module, name.removeprefix("I"), manifest) for module, name, manifest in with_schema])
    )
    (folder / "validate.mjs").write_text(VALIDATE)
    return node.run(folder / "validate.mjs", cwd=folder).stderr
