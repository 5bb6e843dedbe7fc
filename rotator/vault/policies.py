"""The least that each of us needs in Vault, as policies.

Capabilities of KV version 2: ``data/`` for versions, ``metadata/`` for LIST and settings, ``destroy/`` for good.
A write is a create or an update depending on whether metadata exists, so both are given where we write. Settings of
records, tokens and keys are written first, so that their create is only for what somebody removes between these two
writes; a request is created outright. A LIST is of a path that ends with a slash. The policy ``default`` must stay on
the token: it allows to look at, and renew, itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rotator.errors import Misconfigured
from rotator.vault.paths import folder, segment

Holder = Literal["daemon", "operator", "consumer"]
ANY = "+"  # one path segment, in the language of policies


@dataclass(frozen=True, slots=True)
class Rule:
    """One path block of a policy."""

    path: str
    capabilities: tuple[str, ...]
    why: str


def policy(
    holder: Holder, mount: str, base: str, *, credential: str | None = None, user: str | None = None
) -> str:
    """Return the least-privilege policy of a holder as HCL.

    Args:
        credential: narrows it to one credential (or, for a daemon of its own, one). A consumer's must be given.
        user: narrows a consumer's to the token of one user.
    """
    blocks = []
    for rule in rules(holder, mount, base, credential=credential, user=user):
        capabilities = ", ".join(f'"{capability}"' for capability in rule.capabilities)
        blocks.append(f'# {rule.why}\npath "{rule.path}" {{\n  capabilities = [{capabilities}]\n}}\n')
    return "\n".join(blocks)


def rules(
    holder: Holder, mount: str, base: str, *, credential: str | None = None, user: str | None = None
) -> list[Rule]:
    """Return the path blocks of a holder's policy. Raises Misconfigured."""
    mount, base = folder("mount", mount), folder("base_path", base)
    name = segment(credential) if credential else ANY
    who = segment(user) if user else ANY
    data, metadata = f"{mount}/data/{base}", f"{mount}/metadata/{base}"
    match holder:
        case "daemon":
            return [
                Rule(f"{data}/{name}/record", ("create", "read", "update"), "the state of each credential"),
                Rule(f"{metadata}/{name}/record", ("create", "update"), "how many versions of it are kept"),
                Rule(f"{data}/{name}/tokens/{who}", ("create", "read", "update"), "what consumers read"),
                Rule(
                    f"{metadata}/{name}/tokens/{who}",
                    ("create", "update"),
                    "how many versions of it are kept",
                ),
                Rule(f"{data}/{name}/keys/{ANY}", ("create", "read", "update"), "private keys; written once"),
                Rule(
                    f"{metadata}/{name}/keys/{ANY}",
                    ("create", "read", "update"),
                    "one version; what is destroyed",
                ),
                Rule(
                    f"{mount}/destroy/{base}/{name}/keys/{ANY}", ("update",), "destroys retired keys for good"
                ),
                Rule(f"{metadata}/-/requests/", ("list",), "finds the requests of operators"),
                Rule(
                    f"{data}/-/requests/{name}",
                    ("create", "read", "update"),
                    "takes a request; makes one for an operator who uses the daemon's own configuration",
                ),
                Rule(f"{metadata}/-/requests/{name}", ("delete",), "removes it when it is answered"),
                Rule(f"{mount}/config", ("read",), "sees whether Vault would delete keys by itself"),
            ]
        case "operator":
            return [
                Rule(f"{data}/{name}/record", ("read",), "their state and history; no secret is in it"),
                Rule(
                    f"{data}/-/requests/{name}",
                    ("create", "update"),
                    "asks the daemon; cannot read what others ask",
                ),
                Rule(f"{metadata}/-/requests/{name}", ("delete",), "takes a request back"),
            ]
        case "consumer":
            if not credential:
                raise Misconfigured(
                    "a consumer's policy is for one credential",
                    code="vault.policy",
                    hint="Name the credential whose tokens the consumer may read.",
                )
            return [Rule(f"{data}/{name}/tokens/{who}", ("read",), f"access tokens of {segment(credential)}")]
