"""What the daemon logs, in words for a spectator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rotator.show.sentences import sentence

Line = dict[str, Any]

TOLD = frozenset({
    "key.adopted", "key.created", "validation.passed", "deploy.sent", "deploy.finished", "deploy.refused",
    "deploy.unknown", "key.promoted", "change.failed", "change.restored", "key.retired", "key.destroyed",
    "request.accepted", "request.refused", "credential.locked_out", "change.sessions_died", "token.dead",
    "token.restored", "vault.unavailable", "vault.recovered", "vault.sealed", "daemon.stopped", "proof.passed",
})  # fmt: skip
"""Events that a spectator hears of as the log tells them."""


class Narrator:
    """Turns log lines into sentences, and passes over what says nothing new."""

    def __init__(self) -> None:
        self._told: set[tuple[object, ...]] = set()
        self._special: dict[str, Callable[[Line], str | None]] = {
            "change.begun": self._begun,
            "change.restoring": self._restoring,
            "token.published": self._published,
            "proof.refused": self._refused,
        }

    def sentence(self, line: Line) -> str | None:
        """Return what there is to say; None for what a spectator need not hear."""
        event = str(line["event"])
        if event in self._special:
            return self._special[event](line)
        if event in TOLD:
            name = f"{line['credential']}: " if "credential" in line else ""
            return name + sentence(event, line)
        if line.get("alert"):
            return f"{line.get('credential', 'daemon')}: {event}: {line.get('message', '')}".rstrip(": ")
        return None

    def _begun(self, line: Line) -> str | None:
        reasons = {
            "adopt": "key pair {target}, which the app has already, is taken over",
            "rotation": "a rotation to key pair {target} begins",
            "rehearsal": "certificate {target} is deployed again, unchanged",
            "rollback": "going back to key pair {target}",
            "compromised": "the leaked key is replaced by key pair {target}",
        }
        sentence = reasons.get(line["reason"], "a change to key pair {target} begins")
        return "{credential}: ".format_map(line) + sentence.format_map(line)

    def _restoring(self, line: Line) -> str:
        failed = line["failed"] not in (None, line["target"])
        why = "certificate {failed} is not proved in time; " if failed else ""
        return ("{credential}: " + why + "certificate {target} is brought back").format_map(line)

    def _published(self, line: Line) -> str | None:
        if self._repeats("token", line["user"], line["key_serial"]):
            return None
        return "{credential}: {user} has a token, minted with key pair {key_serial}".format_map(line)

    def _refused(self, line: Line) -> str | None:
        if self._repeats("proof", line["credential"], line["target"]):
            return None
        return "{credential}: not proved yet, the certificate is spreading over the org's servers".format_map(
            line
        )

    def _repeats(self, *what: object) -> bool:
        known = what in self._told
        self._told.add(what)
        return known
