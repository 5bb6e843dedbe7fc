"""Events as sentences, for people who read along. The catalogue's meaning serves where it needs no more words.

In a template ``{field}`` stands for a field of the event; what is within ``[...]`` is left out where a field in it is
missing or empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from rotator.events import CATALOGUE

SENTENCES: Final[Mapping[str, str]] = {
    "daemon.started": "rotator {version} runs with {config}: {credentials} credentials, {workers} workers",
    "daemon.stopping": "told to stop by {signal}; [steps under way: {steps}]",
    "daemon.stopped": "the daemon has stopped, {seconds:.1f} s after it was asked to",
    "heartbeat.late": "{part} has not got on for {seconds:.0f} s, and {limit_seconds:.0f} s are the most; the watchdog is not fed",
    "life_sign.failed": "the sign of life {file} cannot be written: {error}",
    "clock.jumped": "the clock of this machine was set by {seconds:+.0f} s; everything is scheduled anew",
    "clock.skewed": "the clock of {peer} differs from ours by {seconds:+.0f} s; nothing is deployed meanwhile",
    "clock.agrees": "the clock of {peer} agrees with ours again",
    "step.taken": "a step was taken[, {late_seconds:.3f} s after its time]",
    "configuration.reloaded": "{config} was read again and holds[; added: {added}][; removed: {removed}][; changed: {changed}]"
    "[; with their former settings: {kept}]",
    "configuration.refused": "{config} has mistakes, and the configuration stays as it is: {mistakes}",
    "credential.kept": "its new settings are wrong, so it is served with those that it had: {message}",
    "credential.set_aside": "it is left alone, for its settings are wrong: {message}",
    "vault.login": "logged in to Vault by {method}[, for {lease_seconds:.0f} s]",
    "vault.renewed": "the Vault token was renewed[, for {lease_seconds:.0f} s]",
    "vault.login_failed": "Vault refused a login: {message}",
    "vault.unavailable": "Vault does not answer: {message}",
    "vault.sealed": "Vault is sealed",
    "vault.recovered": "Vault answers again[, after {seconds:.0f} s]",
    "vault.conflict": "somebody else wrote first, so it is decided again: {message}",
    "token.published": "{user} has a token, minted with key pair {key_serial}[, proved until {expires_at}]",
    "token.verified": "the token of {user} was used and works",
    "token.dead": "the session of {user} has ended; a new one is minted at once",
    "token.unproven": "since {since} nobody can say that the token of {user} works[: {message}]",
    "token.refused": "the org gives {user} no token, since {since}[: {message}]",
    "token.restored": "the token of {user} works again[, in trouble since {since}]",
    "token.revoked": "a session of {user} was revoked, because key pair {key_serial} behind it leaked",
    "token.not_replaced": "the token of {user} does not work since {since}, and no other could be had[: {message}]",
    "login_budget.spent": "the logins of {user} for this hour are used up[; they go on at {resumes_at}]",
    "change.begun": "a change to key pair {target} begins: {reason}",
    "key.created": "key pair {serial} is made and in Vault",
    "key.adopted": "key pair {serial}, made by hand, is in Vault",
    "validation.passed": "the org would take certificate {target} (tried without changing anything)",
    "validation.refused": "the org would not take certificate {target}, and nothing was sent: {message}",
    "deploy.sent": "certificate {target} is on its way into the org",
    "deploy.finished": "certificate {target} is deployed; proofs are collected",
    "deploy.refused": "the deploy of certificate {target} was refused: {message}",
    "deploy.unknown": "nobody knows yet what became of the deploy: {message}",
    "proof.passed": "proof {proofs} of {proofs_needed}: the org takes key pair {target}[ and refuses {rival}]",
    "proof.refused": "no proof of key pair {target} with {user} yet, as is usual while a certificate spreads[: {message}]",
    "key.promoted": "key pair {serial} signs from now on, {seconds:.0f} s after it was begun",
    "change.restoring": "certificate {target} is brought back[: {why}]",
    "change.restored": "key pair {serial} is proved again, as if nothing had happened",
    "change.aborted": "an operator called the change to key pair {target} off",
    "change.failed": "the change to key pair {target} failed: {message}[; the next try is not before {not_before}]",
    "change.stuck": "the change to key pair {target} does not get on: {message}",
    "change.waiting": "a person must bring certificate {target} into the org[, before {deadline}]",
    "change.sessions_died": "the deploy ended live sessions",
    "bridge.lacking": "no live session of {user} would carry the consumers over the change, so nothing is deployed",
    "rehearsal.finished": "the rehearsal is over, and key pair {serial} is proved; live sessions survived: {sessions_survived}",
    "rotation.due_but_held": "a rotation is due since {due_at}, and held: {why}",
    "rotation.capped": "{swaps} changes reached the org today and none held; the next is not before {not_before}",
    "certificate.expiring": "the certificate of key pair {serial} ends at {not_after}, and no new one is in place[: {why}]",
    "certificate.expired": "the certificate of key pair {serial} has ended at {not_after}",
    "certificate.reverted": "somebody else deployed an older certificate: key pair {found} signs from now on, in the place of {serial}",
    "credential.locked_out": "the org takes no key that is kept[, {message}]",
    "key.found": "the org takes key pair {serial}, which is kept; it is being proved",
    "key.doubted": "the org refused key pair {serial} to {user}; it is asked again[: {message}]",
    "key.retired": "key pair {serial} is retired and kept for a while[, until {destroy_after}]",
    "key.destroyed": "the private key of pair {serial} is destroyed for good",
    "key.still_accepted": "the org still takes key pair {serial}, which it must refuse; it is not destroyed",
    "key.not_destroyed": "the private key of pair {serial} cannot be destroyed: {message}",
    "request.accepted": "asked by {by} to {ask}: {sentence}",
    "request.refused": "asked by {by} to {ask}, but {sentence}",
    "credential.paused": "paused: {why}; its tokens are still served",
    "credential.resumed": "it goes on[, after it was paused since {since}]",
    "identity.mismatch": "this is not what the record is bound to[, {expected}]: {found}; nothing is deployed",
    "fleet.brake_on": "{failures} rotations failed in a row, so no new one begins: {credentials}",
    "fleet.brake_off": "rotations may begin again",
}  # fmt: skip

_MEANINGS: Final = {event.name: event.meaning for event in CATALOGUE}
_OPTIONAL: Final = re.compile(r"\[([^]]*)\]")
_FIELD: Final = re.compile(r"\{(\w+)(:[^}]*)?\}")
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z")
_NAMED: Final = re.compile(r"``(\w+)``")


def sentence(name: str, fields: Mapping[str, Any]) -> str:
    """Return an event as a sentence; what is no event of the catalogue stays as it is."""
    template = SENTENCES.get(name)
    if template is not None:
        kept = _OPTIONAL.sub(lambda part: part[1] if _has_all(part[1], fields) else "", template)
        return _FIELD.sub(lambda field: _told(fields.get(field[1]), (field[2] or ":")[1:]), kept).strip("; ")
    meaning = _MEANINGS.get(name)
    if meaning is None:
        return name
    told = _NAMED.sub(lambda field: _told(fields.get(field[1])), meaning)
    message = fields.get("message") or fields.get("error")
    return f"{told.rstrip('.')}: {message}" if message else told


def _has_all(part: str, fields: Mapping[str, Any]) -> bool:
    return all(fields.get(field[1]) not in (None, "", [], ()) for field in _FIELD.finditer(part))


def _told(value: object, form: str = "") -> str:
    """Return how a value is written in a sentence."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, int | float) and form:
        return format(value, form)
    return "?" if value is None else _TIME.sub(r"\1 \2Z", str(value))
