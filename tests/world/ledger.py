"""What must hold of the records, keys and tokens in Vault and of the certificates in the org, whatever happened.

Everything is read as root over HTTP and as JSON: no code of rotator judges itself here.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

import requests
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from rotator.sandbox.settings import BASE_PATH, MOUNT
from rotator.sandbox.stage import Stage
from rotator.sandbox.vault_api import BaoError
from tests.world.consumer import query_until_useful

APPS = {"acme": "Rotator_Acme", "globex": "Rotator_Globex", "deployer": "Rotator_Deployer"}
PUBLISHED = {
    "acme": ("integration@acme.example", "reports@acme.example"),
    "globex": ("integration@globex.example",),
}
ENDED_BY_PROOFS = frozenset({"promoted", "restored", "found", "rehearsed"})
EVERY_VERSION = range(1, 10**9)


@dataclass(frozen=True)
class Key:
    """A key pair in Vault; ``private_key`` is None when it was destroyed."""

    serial: int
    fingerprint: str | None
    private_key: str | None = field(repr=False)


class Ledger:
    """Reads and judges. ``secrets`` gathers every secret that was ever seen, to search the logs for.

    Args:
        names: the credentials that are served.
    """

    def __init__(self, stage: Stage, names: Iterable[str] = APPS) -> None:
        self.stage, self.names = stage, tuple(names)
        self.published = {name: users for name, users in PUBLISHED.items() if name in self.names}
        self.secrets: dict[str, str] = {}

    # -- what there is

    def read(self, path: str) -> dict[str, Any]:
        return self.stage.vault.request("GET", path)["data"]

    def exists(self, path: str) -> bool:
        """Tell whether there is anything at a path below the base path, be it deleted."""
        try:
            self.read(f"{MOUNT}/metadata/{BASE_PATH}/{quote(path, safe='/@')}")
        except BaoError:
            return False
        return True

    def record(self, name: str) -> dict[str, Any]:
        return self.read(f"{MOUNT}/data/{BASE_PATH}/{name}/record")["data"]

    def token(self, name: str, user: str) -> dict[str, Any]:
        document = self.read(f"{MOUNT}/data/{BASE_PATH}/{name}/tokens/{quote(user, safe='@')}")["data"]
        self.secrets[document["access_token"]] = f"token of {user}"
        return document

    def keys(self, name: str) -> dict[int, Key]:
        path = f"{BASE_PATH}/{name}/keys"
        keys = {}
        for serial in self.read(f"{MOUNT}/metadata/{path}/?list=true")["keys"]:
            versions = self.read(f"{MOUNT}/metadata/{path}/{serial}")["versions"].values()
            if all(version["destroyed"] for version in versions):
                keys[int(serial)] = Key(int(serial), None, None)
                continue
            document = self.read(f"{MOUNT}/data/{path}/{serial}")["data"]
            pem = document["private_key_pem"]
            self.secrets[pem] = f"private key {serial} of {name}"
            keys[int(serial)] = Key(int(serial), _fingerprint(document["certificate_pem"], pem), pem)
        return keys

    def org_fingerprints(self, name: str) -> set[str]:
        """Return the certificates that the app has, or that some server of the org still has."""
        app = self.stage.control.state()["apps"][APPS[name]]
        return {found for found in (app["fingerprint"], *app["servers"]) if found}

    def orphans(self, name: str) -> set[str]:
        """Return the certificates in the org whose private key is not in Vault."""
        there = self.org_fingerprints(
            name
        )  # before the keys: what comes in meanwhile has its key in Vault already
        return there - {str(key.fingerprint) for key in self.keys(name).values() if key.private_key}

    def spread(self, name: str) -> set[str | None]:
        """Return the certificates that the servers of the org see in the app."""
        return set(self.stage.control.state()["apps"][APPS[name]]["servers"])

    def troubles(self) -> list[dict[str, Any]]:
        """Return what the records say does not work."""
        return [trouble for name in self.names for trouble in self.record(name)["trouble"]]

    def keep_all_versions(self, most: int = 100_000) -> None:
        """Let Vault keep every version of the records from now on, so that no transition escapes.

        Whoever looks again and again needs no more than ``most``, those since the last look.
        """
        for name in self.names:
            path = f"{MOUNT}/metadata/{BASE_PATH}/{name}/record"
            self.stage.vault.request("POST", path, {"max_versions": most})

    def newest(self, name: str) -> int:
        """Return the number of a record's latest version."""
        return int(self.read(f"{MOUNT}/metadata/{BASE_PATH}/{name}/record")["current_version"])

    def versions(self, name: str, among: range = EVERY_VERSION) -> list[dict[str, Any]]:
        """Return the versions of a record that Vault has kept, oldest first."""
        path = f"{BASE_PATH}/{name}/record"
        kept = self.read(f"{MOUNT}/metadata/{path}")["versions"]
        numbers = sorted(int(number) for number in kept if int(number) in among)
        with requests.Session() as session:
            session.headers["X-Vault-Token"] = self.stage.vault.root_token
            url = f"{self.stage.vault.address}/v1/{MOUNT}/data/{path}"
            return [
                session.get(url, params={"version": number}, timeout=10).json()["data"]["data"]
                for number in numbers
            ]

    # -- what must hold

    def violations(self) -> list[str]:
        """Return what does not hold now. No daemon may write meanwhile."""
        return [violation for name in self.names for violation in self._of_one(name)]

    def key_violations(self) -> list[str]:
        """Return what does not hold of keys and certificates, for which no moment is excepted."""
        return [violation for name in self.names for violation in self._keys(name, self.record(name))]

    def _of_one(self, name: str) -> Iterator[str]:
        record = self.record(name)
        for user in PUBLISHED.get(name, ()):
            yield from self._token(name, user, record)
        yield from self._keys(name, record)

    def _keys(self, name: str, record: dict[str, Any]) -> Iterator[str]:
        keys = self.keys(name)
        for fingerprint in self.orphans(name):
            yield f"{name}: the org has certificate {fingerprint[:12]}, whose key is not in Vault"
        for serial, key in keys.items():
            if key.private_key and serial not in named(record):
                yield f"{name}: key {serial} is in Vault, and the record does not name it"
        for serial in needed(record):
            if serial not in keys or keys[serial].private_key is None:
                yield f"{name}: the record needs key {serial}, which is not in Vault"

    def _token(self, name: str, user: str, record: dict[str, Any]) -> Iterator[str]:
        """The published token works, or the record says since when it does not."""
        try:
            document = self.token(name, user)
        except BaoError:
            yield f"{name}: nothing is published for {user}"
            return
        answer = query_until_useful(document)
        told = [one for one in record["trouble"] if one["subject"] == f"token:{user}" and one["since"]]
        if answer.status_code != 200 and not told:
            said = f"{answer.status_code} {answer.text[:80]}"
            yield f"{name}: the token of {user} does not work ({said}), and the record does not say so"

    def unsteady(self, name: str) -> list[str]:
        """Return what keeps a credential from being steady with the current key's certificate on every server."""
        record = self.record(name)
        found = []
        if record["phase"] != "steady" or record["change"] is not None:
            found.append(f"{name} is {record['phase']}")
        current = next(
            (key["fingerprint"] for key in record["keys"] if key["serial"] == record["current"]), None
        )
        app = self.stage.control.state()["apps"][APPS[name]]
        if {app["fingerprint"], *app["servers"]} != {current} or not all(app["works"]):
            found.append(
                f"{name}: the servers of the org do not all have the certificate of key {record['current']}"
            )
        return found

    def unproved(
        self, name: str, proofs_needed: int, span_seconds: float, among: range = EVERY_VERSION
    ) -> tuple[int, list[str]]:
        """Return how many changes ended by proofs, and which of them did not have enough, over these versions."""
        versions = self.versions(name, among)
        spacing = span_seconds / (proofs_needed - 1)
        promotions, wrong = 0, []
        for before, after in itertools.pairwise(versions):
            change = before["change"]
            gained = _ended(before, after)
            if before["current"] not in (None, after["current"]) and not gained:
                wrong.append(f"{name}: {before['current']} gave way to {after['current']} without a change")
            for entry in gained:
                promotions += 1
                proved = change and before["phase"] == "proving" and change["target"] == entry["target"]
                # More, where a user owed its proof when there were enough of the others.
                if not proved or change["proofs"] < proofs_needed - 1 or after["current"] != entry["target"]:
                    wrong.append(
                        f"{name}: {entry['outcome']} {entry['target']} with {change and change['proofs']} proofs"
                    )
            wrong += _too_fast(name, before, after, spacing)
        return promotions, wrong


def _ended(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the changes that ended by proofs between two versions of a record."""
    known = [(entry["began"], entry["ended"]) for entry in before["history"]]
    new = [entry for entry in after["history"] if (entry["began"], entry["ended"]) not in known]
    return [entry for entry in new if entry["outcome"] in ENDED_BY_PROOFS]


def _too_fast(name: str, before: dict[str, Any], after: dict[str, Any], spacing: float) -> list[str]:
    """Return the proofs that were counted together, or too soon after one another."""
    old, new = before["change"], after["change"]
    if not old or not new or (old["target"], old["began"]) != (new["target"], new["began"]):
        return []
    if new["proofs"] > old["proofs"] + 1:
        return [f"{name}: from {old['proofs']} to {new['proofs']} proofs at once"]
    if new["proofs"] > old["proofs"] > 0:
        pause = (_time(new["proved_at"]) - _time(old["proved_at"])).total_seconds()
        if pause < spacing:
            return [f"{name}: two proofs within {pause:.3f} s"]
    return []


def named(record: dict[str, Any]) -> set[int]:
    """Return the serials that a record answers for."""
    change = record["change"]
    serials = {record["current"], record["previous"], record["shredding"], change and change["target"]}
    return {serial for serial in serials if serial} | {one["serial"] for one in record["retired"]}


def needed(record: dict[str, Any]) -> set[int]:
    """Return the serials whose private key has to be in Vault: the record tells their facts, and none is being shredded."""
    return {key["serial"] for key in record["keys"]} - {record["shredding"]}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _fingerprint(certificate_pem: str, private_key_pem: str) -> str:
    """Return the fingerprint of a certificate that belongs to a private key; raises AssertionError if it does not."""
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    key = serialization.load_pem_private_key(private_key_pem.encode(), None)
    assert key.public_key() == certificate.public_key()
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()
