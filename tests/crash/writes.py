"""What of a request is a write, and its name, from what is on the wire.

Whatever is not known to read alone counts as a write, so that one which is new in rotator gets its points by itself.
A name says what is written where, without what differs from run to run (ids, times, keys):
``vault/data/acme/record:proving:1``, ``org/token:acme:integration@acme.example``, ``org/deploy``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import parse_qs, unquote

import jwt

from rotator.sandbox.settings import BASE_PATH, MOUNT
from tests.world.http_fake import Request

READING = frozenset({"GET", "HEAD", "LIST"})
RECORD = re.compile(r"data/[^/]+/record")
SOAP_OPERATION = re.compile(rb"Body>\s*<(\w+)")
SOAP_READS = re.compile(r"check|describe|get|list|read|retrieve")


def write_to_vault(request: Request) -> str | None:
    """Return the name of a write to Vault; None for what only reads."""
    if request.method in READING:
        return None
    path = unquote(request.path).removeprefix("/v1/")
    path = path.replace(f"{MOUNT}/", "", 1).replace(f"{BASE_PATH}/", "", 1)
    verb = "delete-" if request.method == "DELETE" else ""
    return f"vault/{verb}{path}{_progress(request.body) if RECORD.fullmatch(path) else ''}"


def _progress(body: bytes) -> str:
    """Return what a record says: its phase, and how many changes have ended."""
    record = json.loads(body)["data"]
    return f":{record['phase']}:{len(record['history'])}"


def write_to_org(request: Request, credentials: Mapping[str, str]) -> str | None:
    """Return the name of a request that changes the org; None for what only reads.

    ``credentials``: consumer key -> credential.
    """
    path = request.path.partition("?")[0]
    if request.method in READING or path.endswith("/introspect"):
        return None
    if path.endswith("/oauth2/token"):
        assertion = parse_qs(request.body.decode())["assertion"][0]
        claims = jwt.decode(assertion, options={"verify_signature": False})
        return f"org/token:{credentials[claims['iss']]}:{claims['sub']}"
    if "/Soap/" in path:
        found = SOAP_OPERATION.search(request.body)
        operation = found.group(1).decode() if found else "unknown"
        return None if SOAP_READS.match(operation) else f"org/soap:{operation}"
    if path.endswith("/deployRequest"):
        return "org/check" if b'"checkOnly": true' in request.body else "org/deploy"
    if request.method == "PATCH" and "/deployRequest/" in path:
        return "org/cancel"
    return f"org/{request.method.lower()}:{path.rpartition('/')[2]}"
