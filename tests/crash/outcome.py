"""The end state of a run, in which two runs of a path must be equal.

What is compared, for each credential: the phase; the newest, current and previous serial; the retired serials and
whether their certificates were handed out; what is being shredded; the pause; the troubles by subject and code; whose
session is owed a revocation; the changes that ended, by target, reason and outcome; which private keys are in Vault
and which are destroyed; whose certificate each server of the org has; and by which key pair each token was minted.
Serials are compared as they are: after a crash the same serial is used again, so no run may use another.

What may differ: times, ids, fingerprints and tokens; how often a token was published; how many failures in a row are
counted; what was said to the last request, for a person may say that a certificate is in when the next daemon has
proved it already; and restores of the key pair that was current all along. Rotator brings that in whenever the org may
have seen another one, and a crash can make it unsure where an undisturbed run is sure: a deploy whose sending was
interrupted counts, though nothing came of it.
"""

from __future__ import annotations

from typing import Any

from tests.world.site import Site

State = dict[str, Any]


def end_state(here: Site) -> State:
    """Return what is compared."""
    return {f"{name}: {what}": value for name in here.ledger.names for what, value in _of_one(here, name)}


def differences(wanted: State, found: State) -> list[str]:
    """Return in words what differs."""
    return [
        f"{what}: {found.get(what)!r}, and {wanted.get(what)!r} without a crash"
        for what in sorted(wanted.keys() | found.keys())
        if wanted.get(what) != found.get(what)
    ]


def _of_one(here: Site, name: str) -> list[tuple[str, Any]]:
    record, keys = here.ledger.record(name), here.ledger.keys(name)
    serials = {key.fingerprint: serial for serial, key in keys.items() if key.fingerprint}
    history = [(entry["target"], entry["reason"], entry["outcome"]) for entry in record["history"]]
    return [
        *((what, record[what]) for what in ("phase", "newest", "current", "previous", "shredding", "revoke")),
        ("retired", sorted((one["serial"], one["handed_out"]) for one in record["retired"])),
        ("paused", record["paused"] and record["paused"]["kind"]),
        ("trouble", sorted((one["subject"], one["code"]) for one in record["trouble"])),
        ("changes", [entry for entry in history if entry[1:] != ("restore", "restored")]),
        (
            "keys",
            {serial: "kept" if key.private_key else "destroyed" for serial, key in sorted(keys.items())},
        ),
        ("in the org", sorted(serials.get(one, 0) for one in here.ledger.org_fingerprints(name))),
        *(
            (f"token of {user}", here.ledger.token(name, user)["key_serial"])
            for user in here.ledger.published.get(name, ())
        ),
    ]
