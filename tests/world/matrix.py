"""Every path that there may be in a Vault, every operation on it, and what comes of it for whom."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import quote, urlsplit

from rotator.sandbox.settings import BASE_PATH, MOUNT
from rotator.sandbox.vault import BaoServer
from rotator.vault.paths import Paths
from rotator.vault.policies import Rule

OTHER_MOUNT = "elsewhere"
CREDENTIALS = ("acme", "globex", "+")
USERS = ("integration@acme.example", "+", "o'brien+1@acme.example")
METHODS = ("GET", "LIST", "SCAN", "POST", "PATCH", "DELETE")
ENGINE = ("data", "metadata", "detailed-metadata", "subkeys", "delete", "undelete", "destroy")
FORBIDDEN = 403

PLACES = (
    f"{MOUNT}/config",
    "sys/policies/acl/rotator", "sys/policies/acl/", "sys/mounts", f"sys/mounts/{MOUNT}", "sys/auth/approle",
    "sys/audit", "sys/audit/file", "sys/raw/x", "sys/leases/lookup/", "sys/config/cors", "sys/remount", "sys/rotate",
    "sys/generate-root/attempt", "sys/quotas/config", "sys/plugins/catalog/", "sys/namespaces/", "sys/storage/raft/snapshot",
    "auth/token/create", "auth/token/create-orphan", "auth/token/accessors/", "auth/token/lookup", "auth/token/roles/any",
    "auth/approle/role/", "auth/approle/role/rotator", "auth/approle/role/rotator/role-id",
    "auth/approle/role/rotator/secret-id", "identity/entity", "identity/entity/id/", "identity/group", "nowhere/data/x",
)  # fmt: skip
"""What is not about documents. Nothing that would end the token with which it is tried."""


@dataclass(frozen=True)
class Try:
    """One operation on one path; ``capability`` is what a policy must give for it."""

    method: str
    path: str
    capability: str


def documents(base: str) -> tuple[list[str], list[str]]:
    """Return the paths of documents that are there, and of such that are not."""
    paths = Paths(base)
    there, absent = (
        [],
        [f"{base}/acme", f"{base}/-/other", f"{base}/-/requests/acme/more", f"{base}-2/acme/record"],
    )
    for name in CREDENTIALS:
        there += [paths.record(name), paths.key(name, 1), *(paths.token(name, user) for user in USERS)]
        absent += [paths.key(name, 2), paths.token(name, "nobody@acme.example"), paths.record(name) + "/more"]
        absent += [paths.token(name, USERS[0]) + "/more", paths.record(name).replace("record", "other")]
        (there if name == "acme" else absent).append(paths.request(name))
    return there, absent


def folders(base: str) -> list[str]:
    """Return the folders in which documents are."""
    tops = {"/".join(path.split("/")[:depth]) for path in documents(base)[0] for depth in range(5)}
    return sorted(f"{top}/" for top in tops if top not in documents(base)[0] and top)


def universe() -> Iterator[Try]:
    """Return every operation on every path, those that delete at the end."""
    there, absent = documents(BASE_PATH)
    paths = {
        f"{MOUNT}/{part}/{path}": path in there
        for part in ENGINE
        for path in (*there, *absent, *folders(BASE_PATH))
    }
    paths |= {f"{MOUNT}/{part}/": False for part in ENGINE} | dict.fromkeys(PLACES, True)
    paths |= {f"{OTHER_MOUNT}/{part}/{path}": True for part in ("data", "metadata") for path in there}
    for method in METHODS:
        for path, is_there in paths.items():
            if method in {"LIST", "SCAN"} or not (path.endswith("/") and "/data/" not in path):
                yield Try(method, path, _capability(method, path, exists=is_there))


def _capability(method: str, path: str, *, exists: bool) -> str:
    written = path.split("/")[1] in {"data", "metadata"} and not exists
    return {
        "GET": "read", "LIST": "list", "SCAN": "scan", "PATCH": "patch", "DELETE": "delete",
        "POST": "create" if written else "update",
    }[method]  # fmt: skip


def granted(rules: Iterable[Rule], one: Try) -> bool:
    """Tell whether some rule gives what is needed, as Vault reads policies."""
    return any(
        one.capability in rule.capabilities and pattern(rule.path).fullmatch(one.path) for rule in rules
    )


def pattern(path: str) -> re.Pattern[str]:
    """Return what the path of a rule stands for: "+" is one segment, which OpenBao lets be empty."""
    return re.compile("/".join("[^/]*" if part == "+" else re.escape(part) for part in path.split("/")))


class Tries:
    """Tries things with a token."""

    def __init__(self, bao: BaoServer, token: str) -> None:
        self._connection = HTTPConnection(urlsplit(bao.address).netloc, timeout=60)
        self._headers = {"X-Vault-Token": token}

    def is_denied(self, one: Try) -> bool:
        """Tell whether Vault denies it. An answer such as 404 or 405 comes from behind the policy."""
        kind = {"Content-Type": "application/merge-patch+json"} if one.method == "PATCH" else {}
        body = json.dumps({}) if one.method in {"POST", "PATCH"} else None
        self._connection.request(one.method, f"/v1/{quote(one.path, safe='/')}", body, self._headers | kind)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status == FORBIDDEN

    def close(self) -> None:
        self._connection.close()


def furnish(bao: BaoServer) -> None:
    """Write the documents that are there."""
    for path in documents(BASE_PATH)[0]:
        for mount in (MOUNT, OTHER_MOUNT):
            bao.request("POST", f"{mount}/data/{path}", {"data": {"held": "here"}})
