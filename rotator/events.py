"""The event catalogue: everything that rotator says in its log, with level, fields and meaning.

``python -m rotator.events`` prints it as ``docs/events.md``. Log an event with :func:`rotator.show.logs.emit`.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import Literal

Level = Literal["debug", "info", "warning", "error", "critical"]

_TROUBLE = "code message hint"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens, as the log names it.

    Attributes:
        name: ``subject.what_happened``; stable, so that alerts and searches can rely on it.
        fields: what it may carry beside time, level and name.
        meaning: one sentence for an operator.
        alert: a person must act; the line carries ``alert: true`` and the ``runbook`` section to follow.
        runbook: section of ``docs/runbook.md``.
    """

    name: str
    level: Level
    fields: frozenset[str]
    meaning: str
    alert: bool = False
    runbook: str = ""


def _event(name: str, level: Level, fields: str, meaning: str) -> Event:
    return Event(name, level, frozenset(fields.split()), meaning)


def _alert(name: str, level: Level, fields: str, meaning: str, runbook: str) -> Event:
    return Event(name, level, frozenset(fields.split()), meaning, alert=True, runbook=runbook)


# A table reads better than what the formatter would make of it.
# fmt: off

# --- the daemon
DAEMON_STARTED = _event("daemon.started", "info", "version config credentials workers",
    "The daemon runs; it does not wait for Vault.")
DAEMON_STOPPING = _event("daemon.stopping", "info", "signal steps",
    "The daemon was told to stop and finishes the steps under way.")
DAEMON_STOPPED = _event("daemon.stopped", "info", "seconds steps",
    "The daemon has stopped; the records say what is half-way.")
HEARTBEAT_LATE = _alert("heartbeat.late", "error", "part credential seconds limit_seconds",
    "A step, a round or the queue does not get on although its time is over; the watchdog is not fed meanwhile.",
    "daemon-does-not-move")
LIFE_SIGN_FAILED = _event("life_sign.failed", "warning", "file error",
    "The file that shows that the daemon is alive cannot be written; `rotator alive` says meanwhile that it is not.")
CLOCK_JUMPED = _event("clock.jumped", "warning", "seconds",
    "The clock of this machine was set; everything is scheduled anew.")
CLOCK_SKEWED = _alert("clock.skewed", "error", "peer seconds",
    "The clock of Vault or Salesforce differs from ours by more than a minute; nothing is deployed meanwhile.",
    "clocks-differ")
CLOCK_AGREES = _event("clock.agrees", "info", "peer",
    "The clock of Vault or Salesforce, of which it was told that it differs, agrees with ours again.")
ROUND_FAILED = _alert("round.failed", "error", "part error",
    "A round of the daemon, or what a new configuration changes in it, met an error that nobody foresaw; the next one tries "
    "again.",
    "unforeseen-error")
TIMER_OVERRUN = _event("timer.overrun", "debug", "job",
    "What comes round was still at work when its time came again, and is left out once; a round waits for Vault, say.")
STEP_FAILED = _alert("step.failed", "error", "credential error not_before",
    "A step met an error that nobody foresaw; the credential is tried again later, the others go on.",
    "unforeseen-error")
STEP_TAKEN = _event("step.taken", "debug", "credential late_seconds seconds",
    "A step was taken, ``late_seconds`` after its time; without that field it came before it, as for a request.")
STEP_HINDERED = _event("step.hindered", "debug", "credential code policy",
    "A step ended by an error that is tried again; where somebody should know, another event tells it once.")
EFFECT_DONE = _event("effect.done", "debug", "credential effect answer seconds policy",
    "One effect on Vault or Salesforce came to its end; ``policy`` is the class of the error where there was one.")
TIMER_FAULTED = _event("timer.faulted", "debug", "kind job",
    "The timer missed a time, or a job of it met an error.")
CRASHED = _alert("daemon.crashed", "critical", "thread error",
    "An error that nobody foresaw ended a thread or the process.",
    "unforeseen-error")

# --- health, metrics and the status page
WEB_LISTENING = _event("web.listening", "info", "url",
    "Health, metrics and the status page are served at ``url``.")
WEB_FAILED = _alert("web.failed", "error", "listen error hint",
    "The port for health and metrics cannot be served; that is tried again, and the credentials are served meanwhile.",
    "web-port")
WEB_CERTIFICATE_RENEWED = _event("web.certificate_renewed", "info", "not_after",
    "The port shows the certificate that is in its files by now, to whoever connects from now on.")
WEB_CERTIFICATE_KEPT = _event("web.certificate_kept", "warning", "listen error hint",
    "What was put into the files of the port's certificate cannot be used; the one before is shown until something else is there.")
WEB_REQUEST_FAILED = _alert("web.request_failed", "error", "page error",
    "A look at the status page, health or metrics met an error that nobody foresaw; the credentials are served all the same.",
    "unforeseen-error")

# --- the configuration
CONFIGURATION_RELOADED = _event("configuration.reloaded", "info", "config added removed changed kept finishing",
    "The configuration was read again and holds; those ``kept`` have their former settings, for their new ones do not; "
    "those ``finishing`` were taken out of it or have another app there, and are served as before until the change under "
    "way has ended.")
CONFIGURATION_REFUSED = _alert("configuration.refused", "error", "config mistakes",
    "The configuration has mistakes, or names a file or a Vault that cannot be used; the daemon goes on with the one it "
    "has.",
    "configuration")
CONFIGURATION_FILE_REFUSED = _alert("configuration.file_refused", "error", "file mistakes kept",
    "An included file does not hold as a whole; until it is mended, the credentials ``kept`` are served with the settings "
    "that they had, and what else it has is left alone.",
    "configuration")
CREDENTIAL_KEPT = _alert("credential.kept", "error", "credential message hint",
    "The new settings of one credential are wrong; until a restart it is served with those that it had.",
    "configuration")
CREDENTIAL_FINISHING = _event("credential.finishing", "warning", "credential phase",
    "A credential was taken out of the configuration in the middle of a change, or while it deploys for one that is, or "
    "got another app, consumer key or org in the middle of one; it is served with its former settings until the change has "
    "ended.")
CREDENTIAL_LET_GO = _event("credential.let_go", "info", "credential",
    "A credential that was taken out of the configuration is served no more; what it has in Vault stays as it is.")
CREDENTIAL_SET_ASIDE = _alert("credential.set_aside", "error", "credential message hint",
    "The settings of one credential are wrong; it is left alone and the others are served.",
    "configuration")

# --- Vault
VAULT_LOGIN = _event("vault.login", "info", "method lease_seconds renewable",
    "The daemon has logged in to Vault.")
VAULT_RENEWED = _event("vault.renewed", "debug", "lease_seconds",
    "The daemon's Vault token was renewed.")
VAULT_LOGIN_FAILED = _alert("vault.login_failed", "error", _TROUBLE,
    "Vault refused a login; once the present Vault token has ended, no token can be published until it takes one.",
    "vault-login")
VAULT_UNAVAILABLE = _event("vault.unavailable", "error", _TROUBLE,
    "Vault does not answer, or not usefully; published tokens stay as they are.")
VAULT_SEALED = _alert("vault.sealed", "error", _TROUBLE,
    "Vault is sealed; published tokens stay as they are.",
    "vault-sealed")
VAULT_RECOVERED = _event("vault.recovered", "info", "seconds",
    "Vault serves again after ``seconds``; where writes had failed, one has succeeded.")
VAULT_PERMISSION_DENIED = _alert("vault.permission_denied", "error", f"credential {_TROUBLE}",
    "The daemon's Vault policy lacks a right that it needs.",
    "vault-permission")
VAULT_MISCONFIGURED = _alert("vault.misconfigured", "error", _TROUBLE,
    "Vault cannot be used before a person changes a setting; published tokens stay as they are.",
    "vault-settings")
VAULT_DOCUMENT_UNUSABLE = _alert("vault.document_unusable", "error", f"credential {_TROUBLE}",
    "A document of one credential is damaged, newer or gone; that credential waits for a person, the others go on.",
    "vault-document")
VAULT_DOCUMENT_USABLE = _event("vault.document_usable", "info", "credential",
    "What was told of the documents of one credential, or of the rights to them, is over.")
VAULT_CONFLICT = _event("vault.conflict", "debug", "credential message",
    "Somebody else wrote first; the step is decided again.")
VAULT_WENT_BACK = _alert("vault.went_back", "critical", "credential document version known_version",
    "A document is older than it was, or the org has a certificate whose key Vault does not know: Vault was restored from a backup.",
    "vault-went-back")
VAULT_RECONCILED = _event("vault.reconciled", "info", "credential serial",
    "After Vault had been restored from a backup, every user who can has a new token and the org takes the current key: both agree again.")
VAULT_TOKEN_ENDING = _alert("vault.token_ending", "warning", "expires_at hint",
    "The daemon's Vault token cannot be renewed any more and no login can replace it.",
    "vault-login")
VAULT_SECRET_ID_UNWRAPPED_TWICE = _alert("vault.secret_id_unwrapped_twice", "critical", _TROUBLE,
    "The wrapped secret_id had been unwrapped before: somebody else may hold it.",
    "leaked-secret-id")

# --- tokens
TOKEN_PUBLISHED = _event("token.published", "info", "credential user key_serial sequence expires_at refresh_after unchanged",
    "A token that works was written for the consumers.")
TOKEN_VERIFIED = _event("token.verified", "debug", "credential user",
    "The published token was used and works.")
TOKEN_DEAD = _event("token.dead", "warning", f"credential user {_TROUBLE}",
    "The session of the published token has ended; a new one is minted at once.")
TOKEN_UNPROVEN = _alert("token.unproven", "error", f"credential user since {_TROUBLE}",
    "Since ``since`` nobody can say that the published token works.",
    "token-does-not-work")
TOKEN_REFUSED = _alert("token.refused", "error", f"credential user since {_TROUBLE}",
    "The org gives this user no token; ``hint`` says what to change.",
    "token-does-not-work")
TOKEN_RESTORED = _event("token.restored", "info", "credential user since",
    "The published token, in trouble since ``since``, works again.")
TOKEN_REVOKED = _event("token.revoked", "info", "credential user key_serial",
    "A session was revoked because the key behind it leaked.")
TOKEN_NOT_REPLACED = _alert("token.not_replaced", "error", f"credential user since {_TROUBLE}",
    "The published token does not work since ``since``, and no other could be had; consumers are refused.",
    "token-does-not-work")
INTROSPECTION_FAILED = _event("introspection.failed", "warning", f"credential user {_TROUBLE}",
    "The org does not tell how long a session lives; half of the configured timeout counts instead.")
SESSION_SHORT = _alert("session.short", "warning", "credential user seconds expected_seconds",
    "A session ends sooner after a call than half of the configured timeout; that setting is too high.",
    "session-too-short")
LOGIN_BUDGET_SPENT = _event("login_budget.spent", "warning", "credential user resumes_at",
    "The logins of this user for the hour are used up; what can wait does.")

# --- the change
CHANGE_BEGUN = _event("change.begun", "info", "credential target rival reason",
    "The certificate of key ``target`` is to be brought in.")
KEY_CREATED = _event("key.created", "info", "credential serial fingerprint not_before not_after",
    "A key pair was made and is in Vault.")
KEY_ADOPTED = _event("key.adopted", "info", "credential serial fingerprint not_before not_after",
    "A key pair made elsewhere is in Vault.")
VALIDATION_PASSED = _event("validation.passed", "info", "credential target",
    "The org would take the deploy; nothing has changed yet.")
VALIDATION_REFUSED = _event("validation.refused", "warning", f"credential target {_TROUBLE}",
    "The org would not take the deploy; nothing was sent.")
DEPLOY_SENT = _event("deploy.sent", "info", "credential target publisher ticket busy_until message",
    "The publisher was asked to bring the certificate in; ``message`` is what it remarks on that.")
DEPLOY_FINISHED = _event("deploy.finished", "info", "credential target ticket",
    "The publisher says that the certificate is in the org.")
DEPLOY_REFUSED = _event("deploy.refused", "warning", f"credential target ticket {_TROUBLE}",
    "The deploy was refused or came to nothing.")
DEPLOY_UNKNOWN = _event("deploy.unknown", "warning", f"credential target ticket {_TROUBLE}",
    "No answer says whether the deploy happened; that is found out before anything else is sent.")
PROOF_PASSED = _event("proof.passed", "info", "credential target rival proofs proofs_needed",
    "The org took the target key and refused the other one.")
PROOF_REFUSED = _event("proof.refused", "info", "credential user target rival code message",
    "The org does not tell the keys apart yet; usual while a certificate spreads.")
KEY_PROMOTED = _event("key.promoted", "info", "credential serial previous reason seconds",
    "The key has its proofs and signs from now on.")
CHANGE_RESTORING = _event("change.restoring", "warning", "credential target failed why",
    "The current certificate is being brought back; ``failed`` is the key of the change before, if it was another one.")
CHANGE_RESTORED = _event("change.restored", "warning", "credential serial seconds",
    "The current key is proved again; the change did not happen.")
CHANGE_ABORTED = _event("change.aborted", "warning", "credential target",
    "An operator called the change off.")
CHANGE_FAILED = _alert("change.failed", "error", f"credential target reason outcome failures not_before {_TROUBLE}",
    "A change came to nothing; the current key signs, and the next try is not before ``not_before``.",
    "change-failed")
CHANGE_STUCK = _alert("change.stuck", "error", f"credential target {_TROUBLE}",
    "The change under way does not get on before a person mends something; the current key signs meanwhile.",
    "change-stuck")
CHANGE_WAITING = _alert("change.waiting", "warning", "credential target deadline fingerprint certificate steps",
    "A person must bring the certificate into the org, by the steps given.",
    "bring-a-certificate-in")
BRIDGE_LACKING = _alert("bridge.lacking", "error", "credential user expires_at needed_until hint",
    "No live session would carry the consumers over the change, so nothing is deployed.",
    "bridge-lacking")
SESSIONS_DIED = _event("change.sessions_died", "warning", "credential target",
    "The change of certificate ended live sessions.")
REHEARSAL_FINISHED = _event("rehearsal.finished", "info", "credential serial sessions_survived seconds",
    "A rehearsal with the current certificate ended with its proofs; ``sessions_survived`` says what became of live sessions.")
ROTATION_DUE_BUT_HELD = _alert("rotation.due_but_held", "warning", "credential due_at not_after why hint",
    "A rotation is due and does not begin before a person lets it.",
    "rotation-held")
ROTATION_CAPPED = _alert("rotation.capped", "error", "credential swaps not_before not_after",
    "As many changes as a day may have reached the org, and none held; a person should look.",
    "change-failed")

# --- certificates and keys
CERTIFICATE_EXPIRING = _alert("certificate.expiring", "error", "credential serial not_after why",
    "The current certificate ends soon and no new one is in place.",
    "certificate-expiring")
CERTIFICATE_EXPIRED = _alert("certificate.expired", "critical", "credential serial not_after",
    "The current certificate has ended; the org may refuse its key at any time.",
    "certificate-expiring")
CERTIFICATE_REVERTED = _alert("certificate.reverted", "error", "credential serial found",
    "The org takes an older key again, which signs from now on: something else deployed the app with its old certificate.",
    "certificate-reverted")
CHANGE_LATE = _event("change.late", "warning", "credential serial found",
    "A change that was given up has reached the org after all; its key ``found`` signs from now on, in the place of ``serial``.")
LOCKED_OUT = _alert("credential.locked_out", "critical", "credential serials fingerprint certificate steps message hint",
    "All kept keys were tried and the org takes none, for ``message``; ``steps`` say how a person brings the certificate in, "
    "or that it is to stay out, where its key leaked.",
    "locked-out")
KEY_FOUND = _event("key.found", "warning", "credential serial",
    "The org takes this kept key; it is being proved.")
KEY_DOUBTED = _event("key.doubted", "warning", "credential user serial doubts code message",
    "The org refused the current key; it is asked again.")
KEY_RETIRED = _event("key.retired", "info", "credential serial destroy_after",
    "The key no longer signs and waits for its destruction.")
KEY_DESTROYED = _event("key.destroyed", "info", "credential serial",
    "The private key was destroyed for good.")
KEY_STILL_ACCEPTED = _alert("key.still_accepted", "error", "credential serial since",
    "The org still takes a key that it must refuse; the key is not destroyed.",
    "key-still-accepted")
KEY_NOT_DESTROYED = _alert("key.not_destroyed", "error", f"credential serial since {_TROUBLE}",
    "The private key of a retired key pair cannot be destroyed before a person mends something; the org refuses it.",
    "key-not-destroyed")

# --- people
REQUEST_ACCEPTED = _event("request.accepted", "info", "credential request_id ask by sentence",
    "The request of an operator was taken.")
REQUEST_REFUSED = _event("request.refused", "warning", "credential request_id ask by sentence",
    "The request of an operator was refused.")
CREDENTIAL_PAUSED = _event("credential.paused", "warning", "credential kind why",
    "The credential is held; its tokens are still served.")
CREDENTIAL_RESUMED = _event("credential.resumed", "info", "credential since",
    "The credential is served again.")
IDENTITY_MISMATCH = _alert("identity.mismatch", "critical", "credential expected found hint",
    "This is not the org, app or user that the record is bound to; nothing is deployed.",
    "identity-mismatch")
BRAKE_ON = _alert("fleet.brake_on", "error", "failures credentials",
    "Several rotations failed in a row; no new one begins in the whole fleet.",
    "fleet-brake")
BRAKE_OFF = _event("fleet.brake_off", "info", "",
    "Rotations may begin again.")
# fmt: on

CATALOGUE: tuple[Event, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Event))


def markdown() -> str:
    """Return the catalogue as the page ``docs/events.md``."""
    lines = [
        "# Events",
        "",
        "Made by `python -m rotator.events`; do not edit. Each line of the log is one event.",
        "Beside its own fields it carries `timestamp` (RFC 3339, UTC), `level` and `event`.",
        "Where a person must act, it carries `alert: true` and `runbook`, the section of [runbook.md](runbook.md).",
        "",
        "| event | level | alert | fields | meaning |",
        "|---|---|---|---|---|",
    ]
    for event in CATALOGUE:
        fields = " ".join(f"`{name}`" for name in sorted(event.fields))
        meaning = re.sub(r"``(\w+)``", r"`\1`", event.meaning)
        lines.append(
            f"| `{event.name}` | {event.level} | {'yes' if event.alert else ''} | {fields} | {meaning} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
