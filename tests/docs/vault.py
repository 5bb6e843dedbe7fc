"""The reference of what lives where in Vault, and who may do what there."""

from __future__ import annotations

from rotator.vault.paths import Paths
from rotator.vault.policies import Holder, rules
from tests.docs.markdown import table

MOUNT, BASE, NAME, USER, SERIAL = "secret", "salesforce", "acme", "integration@acme.example", 7

HEAD = f"""\
# Vault: paths and policies

Made by `python -m tests.docs`; do not edit. All documents live in one KV version 2 engine, here with the defaults of
`vault.mount` (`{MOUNT}`) and `vault.base_path` (`{BASE}`), for a credential `{NAME}` with the user `{USER}`.

## Paths

"""
PATHS = (
    (
        Paths(BASE).token(NAME, USER),
        "daemon",
        "consumers",
        "the access token of one user, with how long it is proved to work; one or two versions",
    ),
    (
        Paths(BASE).record(NAME),
        "daemon",
        "operators",
        "where the credential stands, and its last 50 changes; no secret",
    ),
    (
        Paths(BASE).key(NAME, SERIAL),
        "daemon, once",
        "daemon alone",
        "private key and certificate number 7; one version",
    ),
    (
        Paths(BASE).request(NAME),
        "operators",
        "daemon alone",
        "what an operator asks for; deleted once it is answered",
    ),
)
RULES = """
Every write is check-and-set: who was overtaken finds out. A key is written before its certificate is deployed, is read
back first, and is never written again; what is destroyed leaves a tombstone that keeps its number. In a username the
characters that a path in Vault cannot have are percent-encoded.

What a consumer reads:

| key | meaning |
|---|---|
| `access_token`, `token_type` | for the header `Authorization: Bearer ...` |
| `instance_url`, `api_version` | where to call: `instance_url` + `/services/data/v` + `api_version` |
| `org_id`, `username` | whose token it is |
| `issued_at`, `verified_at` | when it was minted, and when it was last seen to work (RFC 3339, UTC) |
| `expires_at` | how long it is proved to work, never more |
| `refresh_after` | read the document again then |
| `key_serial`, `key_fingerprint` | the key pair that it was minted with |
| `sequence`, `schema` | counts publications; version of the document |

## Policies

`rotator vault-policy daemon`, `operator` and `consumer` print these for your mount and base path, in HCL. The policy
`default` must stay on the token: with it a token may look at, and renew, itself. In a policy `+` stands for one segment.
"""
HOLDERS: dict[Holder, str] = {
    "daemon": "What rotator itself logs in with. It may neither delete records nor list keys.",
    "operator": "People who run commands with `--vault-token-file`. They see no secret. `--credential NAME` narrows it to one.",
    "consumer": "An application. It reads tokens of one credential, with `--user USERNAME` of one user, and nothing else.",
}


def page() -> str:
    """Return the page."""
    paths = [(f"`{path}`", writes, reads, what) for path, writes, reads, what in PATHS]
    text = HEAD + table(("path", "written by", "read by", "holds"), paths) + RULES
    for holder, who in HOLDERS.items():
        found = rules(holder, MOUNT, BASE, credential=NAME if holder == "consumer" else None)
        rows = [(f"`{rule.path}`", ", ".join(rule.capabilities), rule.why) for rule in found]
        text += f"\n### {holder}\n\n{who}\n\n{table(('path', 'capabilities', 'for'), rows)}"
    return text
