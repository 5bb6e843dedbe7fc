"""The catalogue of metrics: every number that `/metrics` gives, with type, labels and meaning.

``python -m rotator.metrics`` prints it as ``docs/metrics.md``. What they stand at is read in :mod:`rotator.web.gauges`,
what is counted and timed in :mod:`rotator.web.meter`.
"""

from __future__ import annotations

import sys
import textwrap
from dataclasses import dataclass
from typing import Literal

PREFIX = "rotator_"
WIDTH = 120


@dataclass(frozen=True, slots=True)
class Metric:
    """A number, as Prometheus reads it.

    Attributes:
        name: in full; stable, so that rules and dashboards can rely on it.
        meaning: one sentence for an operator.
    """

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    labels: tuple[str, ...]
    meaning: str


def _gauge(name: str, labels: str, meaning: str) -> Metric:
    return Metric(PREFIX + name, "gauge", tuple(labels.split()), meaning)


def _counter(name: str, labels: str, meaning: str) -> Metric:
    return Metric(f"{PREFIX}{name}_total", "counter", tuple(labels.split()), meaning)


def _histogram(name: str, labels: str, meaning: str) -> Metric:
    return Metric(PREFIX + name, "histogram", tuple(labels.split()), meaning)


# A table reads better than what the formatter would make of it.
# fmt: off

# --- the daemon
BUILD = _gauge("build_info", "version", "The version that runs.")
STARTED = _gauge("start_time_seconds", "", "When the process began.")
STEPS = _counter("steps", "", "Steps that were taken.")
STEP_LATENESS = _histogram("step_lateness_seconds", "", "How long after its time a step began.")
STEP_DURATION = _histogram("step_duration_seconds", "", "How long a step took.")
EFFECT_DURATION = _histogram("effect_duration_seconds", "effect", "How long one effect on Vault or Salesforce took.")
EVENTS = _counter("events", "event", "Events of the log, whatever the level that is logged.")
ERRORS = _counter("errors", "class", "Errors met by steps and effects, by what they ask for.")
QUEUE = _gauge("queue_credentials", "state", "Credentials that want a step, or have one.")
SCHEDULER_EVENTS = _counter("scheduler_events", "kind", "What went wrong with jobs of the timer.")
SCHEDULER_BEAT = _gauge("scheduler_beat_timestamp_seconds", "", "When all that must move was last seen to move.")
CLOCK_JUMPS = _counter("clock_jumps", "", "Times that the clock of this machine was set.")
CLOCK_SKEW = _gauge("clock_skew_seconds", "peer",
    "The clock of a peer minus ours, while they differ so much that nothing is deployed.")
TLS_ENDS = _gauge("tls_certificate_not_after_timestamp_seconds", "use",
    "End of a TLS certificate that rotator shows, by what it shows it for.")

# --- the configuration
CONFIGURATION_LOADED = _gauge("configuration_loaded_timestamp_seconds", "", "When the configuration was put into force.")
CONFIGURATION_RELOADS = _counter("configuration_reloads", "result", "Times that the configuration was read again.")
CONFIGURATION_IN_FORCE = _gauge("configuration_last_reload_successful", "",
    "0 while the configuration was refused as it was read last, and an older one is in force.")
FILE_REFUSED = _gauge("configuration_file_refused", "file", "1 for an included file that does not hold as a whole.")

# --- Vault
VAULT_UP = _gauge("vault_up", "", "1 while Vault serves.")
LEASE_ENDS = _gauge("vault_lease_expires_timestamp_seconds", "",
    "End of the daemon's Vault token; none for one that does not end.")
LEASE_DURATION = _gauge("vault_lease_duration_seconds", "",
    "Life that Vault granted the daemon's token when it was last renewed; none for one that does not end.")
SECRET_ID_ENDS = _gauge("vault_secret_id_expires_timestamp_seconds", "",
    "End of the secret_id that the daemon logs in with; known of one that came wrapped alone.")

# --- the fleet, and each credential
CREDENTIALS = _gauge("credentials", "", "Credentials that are served.")
BRAKE = _gauge("fleet_brake", "", "1 while no rotation begins in the whole fleet.")
PHASE = _gauge("credential_phase", "credential phase", "1 for the phase that a credential is in.")
PAUSED = _gauge("credential_paused", "credential kind", "1 while a credential is held.")
SET_ASIDE = _gauge("credential_set_aside", "credential",
    "1 for a credential that is left alone, for its settings are wrong.")
UNUSABLE = _gauge("credential_unusable", "credential",
    "1 for a credential that waits for a person, for its record cannot be used.")
TROUBLE = _gauge("credential_trouble", "credential subject", "1 while the record has a trouble.")
ALARM = _gauge("credential_alarm", "credential event",
    "1 while an alarm is on that is told once, when it begins; by the event that tells it.")
CERTIFICATE_ENDS = _gauge("certificate_not_after_timestamp_seconds", "credential",
    "End of the certificate of the key that signs.")
ROTATION_DUE = _gauge("rotation_due_timestamp_seconds", "credential",
    "When the key that signs is due to be replaced, jitter included.")
ROTATION_URGENT = _gauge("rotation_urgent_timestamp_seconds", "credential",
    "From when windows, ranks and rehearsals hold a rotation back no longer.")
CHANGE_BEGAN = _gauge("change_began_timestamp_seconds", "credential", "When the change that is under way began.")
CHANGE_FAILURES = _gauge("change_failures", "credential", "Changes that failed in a row.")
WAITS_FOR_PERSON = _gauge("change_waits_for_person", "credential",
    "1 while a certificate is in the org only when a person has brought it there.")

# --- tokens
TOKEN_PUBLISHED = _gauge("token_published_timestamp_seconds", "credential user", "When the published token was minted.")
TOKEN_EXPIRES = _gauge("token_expires_timestamp_seconds", "credential user",
    "How far the life of the published token is proved.")
TOKEN_REFRESH = _gauge("token_refresh_timestamp_seconds", "credential user",
    "When the published token is to be minted anew.")
# fmt: on

CATALOGUE: tuple[Metric, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Metric)
)

NOTES = (
    "Times are Unix times in seconds, so that `time()` tells how long ago or how soon; a time that is not there is not "
    "there. A credential is spoken of once its record was read, and no more when it is not configured any more. Label "
    "values are those of the configuration, or of lists that never grow. Beside these there are `process_*`."
)


def markdown() -> str:
    """Return the catalogue as the page ``docs/metrics.md``."""
    lines = [
        "# Metrics",
        "",
        *textwrap.wrap(
            "Made by `python -m rotator.metrics`; do not edit. `/metrics` on the port of `web.listen` gives them as "
            f"Prometheus text or as OpenMetrics. {NOTES}",
            WIDTH,
        ),
        "",
        "| metric | type | labels | meaning |",
        "|---|---|---|---|",
    ]
    for one in CATALOGUE:
        labels = " ".join(f"`{label}`" for label in one.labels)
        lines.append(f"| `{one.name}` | {one.kind} | {labels} | {one.meaning} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
