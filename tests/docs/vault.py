"""The reference of what lives where in Vault, and who may do what there."""

from __future__ import annotations

from dataclasses import fields

from rotator.vault.codec import TokenDocument
from rotator.vault.paths import Paths
from rotator.vault.policies import Holder, rules
from tests.docs.markdown import table

MOUNT, BASE, NAME, USER, SERIAL = "secret", "salesforce", "acme", "integration@acme.example", 7

HEAD = f"""\
# Vault: paths and policies

Made by `python -m tests.docs`; do not edit. All documents live in one KV version 2 engine. Here `vault.mount` is `{MOUNT}`,
`vault.base_path` is `{BASE}` (both by default), the credential is `{NAME}`, and its user `{USER}`.

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

What a consumer reads; times are RFC 3339, UTC:

"""
TOKEN = {
    "access_token": "for the header `Authorization: Bearer ...`",
    "token_type": "`Bearer`",
    "instance_url": "where to call: `instance_url` + `/services/data/v` + `api_version`",
    "org_id": "the org that it is for",
    "username": "the user that it acts as",
    "issued_at": "when it was minted",
    "verified_at": "when it was last seen to work",
    "expires_at": "how long it is proved to work, never more",
    "refresh_after": "read the document again then",
    "api_version": "the newest that org and rotator know, unless configured",
    "key_serial": "number of the key pair that it was minted with",
    "key_fingerprint": "SHA-256 of its certificate",
    "sequence": "counts publications",
    "prolongable": "whether calls keep it alive: true for opaque tokens, false for those in JWT format",
    "schema": "version of this document's shape",
}
POLICIES = """
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
    token = [(f"`{one.name}`", TOKEN[one.name]) for one in fields(TokenDocument)]
    text = HEAD + table(("path", "written by", "read by", "holds"), paths) + RULES
    text += table(("key", "meaning"), token) + POLICIES
    for holder, who in HOLDERS.items():
        found = rules(holder, MOUNT, BASE, credential=NAME if holder == "consumer" else None)
        rows = [(f"`{rule.path}`", ", ".join(rule.capabilities), rule.why) for rule in found]
        text += f"\n### {holder}\n\n{who}\n\n{table(('path', 'capabilities', 'for'), rows)}"
    return text
