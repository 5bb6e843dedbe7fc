"""What the daemon logs, in words for a spectator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Line = dict[str, Any]

SENTENCES: dict[str, str] = {
    "key.adopted": "{credential}: key pair {serial}, made by hand, is in Vault",
    "key.created": "{credential}: key pair {serial} is made and in Vault",
    "validation.passed": "{credential}: the org would take certificate {target} (tried without changing anything)",
    "deploy.sent": "{credential}: certificate {target} is on its way into the org",
    "deploy.finished": "{credential}: certificate {target} is deployed; proofs are collected",
    "deploy.refused": "{credential}: the deploy of certificate {target} was refused: {message}",
    "deploy.unknown": "{credential}: nobody knows yet what became of the deploy: {message}",
    "key.promoted": "{credential}: key pair {serial} signs from now on, {seconds:.0f} s after it was begun",
    "change.failed": "{credential}: the change to key pair {target} failed: {message}",
    "change.restored": "{credential}: key pair {serial} is proved again, as if nothing had happened",
    "key.retired": "{credential}: key pair {serial} is retired and kept for a while",
    "key.destroyed": "{credential}: the private key of pair {serial} is destroyed for good",
    "request.accepted": "{credential}: asked by {by} to {ask}: {sentence}",
    "request.refused": "{credential}: asked by {by} to {ask}, but {sentence}",
    "credential.locked_out": "{credential}: the org takes no key that is kept",
    "change.sessions_died": "{credential}: the deploy ended live sessions",
    "token.dead": "{credential}: the session of {user} has ended",
    "token.restored": "{credential}: the token of {user} works again",
    "vault.unavailable": "Vault does not answer: {message}",
    "vault.recovered": "Vault answers again",
    "vault.sealed": "Vault is sealed",
    "daemon.stopped": "the daemon has stopped, {seconds:.1f} s after it was asked to",
}


class Narrator:
    """Turns log lines into sentences, and passes over what says nothing new."""

    def __init__(self) -> None:
        self._told: set[tuple[object, ...]] = set()
        self._special: dict[str, Callable[[Line], str | None]] = {
            "change.begun": self._begun,
            "change.restoring": self._restoring,
            "token.published": self._published,
            "proof.passed": self._passed,
            "proof.refused": self._refused,
        }

    def sentence(self, line: Line) -> str | None:
        """Return what there is to say; None for what a spectator need not hear."""
        event = str(line["event"])
        if event in self._special:
            return self._special[event](line)
        if event in SENTENCES:
            return SENTENCES[event].format_map(line)
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

    def _passed(self, line: Line) -> str:
        takes = "proof {proofs} of {proofs_needed}: the org takes key pair {target}"
        refuses = " and refuses {rival}" if line.get("rival") else ""
        return ("{credential}: " + takes + refuses).format_map(line)

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
