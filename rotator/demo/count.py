"""The reckoning: every private key in Vault, every certificate in the org, every call of a consumer."""

from __future__ import annotations

from typing import Any

from rotator.core.model import Ask, Reason, Record
from rotator.core.outcome import Outcome
from rotator.demo.scene import Scene
from rotator.sandbox.settings import APPS, BASE_PATH, MOUNT
from rotator.sandbox.vault_api import BaoError

FEWEST_CALLS = 500
FEWEST_ROTATIONS = 2


def reckon(scene: Scene) -> tuple[dict[str, Any], list[str]]:
    """Return the figures, and which promises were broken. The daemon must not run meanwhile."""
    records = {name: scene.record(name) for name in APPS}
    history = [entry for record in records.values() for entry in record.history]
    keys = {name: _keys(scene, name) for name in APPS}
    living = {(name, serial) for name in APPS for serial, lives in keys[name].items() if lives}
    named = {(name, serial) for name in APPS for serial in _named(records[name])}
    summary = {
        "rotations": sum(
            entry.reason is Reason.ROTATION and entry.outcome is Outcome.PROMOTED for entry in history
        ),
        "unasked_rotations": _begun(scene) - _asked(scene),
        "restores": sum(entry.outcome is Outcome.RESTORED for entry in history),
        "kills": scene.kills,
        **scene.figures(),
        "keys": len(living),
        "destroyed_keys": sum(not lives for of_one in keys.values() for lives in of_one.values()),
        "orphaned_keys": len(living - named),
        "missing_keys": len(named - living),
        "foreign_certificates": len(_foreign(scene, records)),
        "seconds": round(scene.seconds, 1),
    }
    return summary, _broken(scene, summary)


def _broken(scene: Scene, summary: dict[str, Any]) -> list[str]:
    promises = {
        "consumers had no failed call": not summary["failed_consumer_calls"],
        f"consumers made {FEWEST_CALLS} calls": summary["consumer_calls"] >= FEWEST_CALLS,
        f"there were {FEWEST_ROTATIONS} rotations": summary["rotations"] >= FEWEST_ROTATIONS,
        f"{FEWEST_ROTATIONS} rotations came due by themselves": summary["unasked_rotations"]
        >= FEWEST_ROTATIONS,
        "a failed deploy was restored": summary["restores"] >= 1,
        "the daemon was killed and went on": summary["kills"] >= 1,
        "every key in Vault is named by its record": not summary["orphaned_keys"],
        "every key that a record names is in Vault": not summary["missing_keys"],
        "every server of the org has the certificate of the key that signs": not summary[
            "foreign_certificates"
        ],
    }
    broken = [promise for promise, kept in promises.items() if not kept]
    return broken + [failure for consumer in scene.consumers for failure in consumer.failures]


def _begun(scene: Scene) -> int:
    return sum(line["event"] == "change.begun" and line["reason"] == Reason.ROTATION for line in scene.seen)


def _asked(scene: Scene) -> int:
    return sum(line["event"] == "request.accepted" and line["ask"] == Ask.ROTATE for line in scene.seen)


def _named(record: Record) -> set[int]:
    """Return the serials that a record answers for."""
    named = {record.current, record.previous, record.shredding, *(one.serial for one in record.retired)}
    if record.change is not None:
        named.add(record.change.target)
    return {serial for serial in named if serial is not None}


def _keys(scene: Scene, name: str) -> dict[int, bool]:
    """Return every serial that Vault has of a credential, and whether its private key still exists. Asks as root."""
    path = f"{MOUNT}/metadata/{BASE_PATH}/{name}/keys"
    vault = scene.stage.vault
    try:
        serials = vault.request("GET", f"{path}/?list=true")["data"]["keys"]
    except BaoError:  # nothing was ever written there: the story ended before
        return {}
    found = {}
    for serial in serials:
        versions = vault.request("GET", f"{path}/{serial}")["data"]["versions"]
        found[int(serial)] = not all(version["destroyed"] for version in versions.values())
    return found


def _foreign(scene: Scene, records: dict[str, Record]) -> set[tuple[str, int]]:
    """Return the servers of the org that hold another certificate than that of the current key."""
    apps = scene.stage.control.state()["apps"]
    foreign = set()
    for name, record in records.items():
        current = record.key(record.current)
        for server, fingerprint in enumerate(apps[APPS[name]]["servers"]):
            if current is None or fingerprint != current.fingerprint:
                foreign.add((name, server))
    return foreign
