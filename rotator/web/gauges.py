"""What stands at the moment of a look: read off the stations, so that nothing goes stale and nothing removed stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from rotator.core import timing
from rotator.core.model import PauseKind, Phase, TokenFacts
from rotator.performer import Station, alarms_on
from rotator.standing import waits_for_person
from rotator.web.certificates import Ends
from rotator.web.exposition import Family, Sample
from rotator.web.seen import Seen


class Gauges:
    """Gives the present numbers of what a daemon lets be seen."""

    def __init__(self, shown_until: Callable[[], datetime | None] = lambda: None) -> None:
        """``shown_until``: when the certificate ends that the port shows to whoever connects now; None where it shows none."""
        self._shown_until = shown_until
        self._ends = Ends()

    def of(self, seen: Seen) -> Iterator[Family]:
        """Yield all gauges."""
        yield from _of_daemon(seen)
        yield from _of_vault(seen)
        yield from _of_credentials(seen)
        yield from _of_people(seen)
        yield _gauge(
            "tls_certificate_not_after_timestamp_seconds",
            "End of a TLS certificate that rotator shows, by what it shows it for.",
            ("use",),
            [((use,), end.timestamp()) for use, end in self._certificates(seen)],
        )

    def _certificates(self, seen: Seen) -> Iterator[tuple[str, datetime]]:
        yield from self._ends.of(seen.configuration.vault)
        if (end := self._shown_until()) is not None:
            yield "web", end


def _of_daemon(seen: Seen) -> Iterator[Family]:
    yield _gauge("credentials", "Credentials that are served.", (), [((), len(seen.stations))])
    yield _gauge(
        "credential_set_aside",
        "1 for a credential that is left alone, for its settings are wrong.",
        ("credential",),
        (((name,), name not in seen.stations) for name in sorted({*seen.stations, *seen.aside})),
    )
    yield _gauge(
        "configuration_file_refused",
        "1 for an included file that does not hold as a whole.",
        ("file",),
        [((file,), 1) for file in sorted(seen.refused)],
    )
    yield _gauge(
        "credential_unusable",
        "1 for a credential that waits for a person, for its record cannot be used.",
        ("credential",),
        (((name,), name in seen.unusable) for name in sorted(seen.stations)),
    )
    yield _gauge(
        "queue_credentials",
        "Credentials that want a step, or have one.",
        ("state",),
        [(("queued",), seen.queued), (("running",), seen.running)],
    )
    yield _gauge(
        "scheduler_beat_timestamp_seconds",
        "When all that must move was last seen to move.",
        (),
        [((), seen.beaten_at.timestamp())],
    )
    yield _gauge(
        "fleet_brake",
        "1 while no rotation begins in the whole fleet.",
        (),
        [((), bool(seen.driver.braked()))],
    )
    yield _gauge(
        "clock_skew_seconds",
        "The clock of a peer minus ours, while they differ so much that nothing is deployed.",
        ("peer",),
        [((peer,), seconds) for peer, seconds in seen.skews.items()],
    )
    yield _gauge(
        "configuration_loaded_timestamp_seconds",
        "When the configuration was put into force.",
        (),
        [((), seen.loaded_at.timestamp())],
    )


def _of_vault(seen: Seen) -> Iterator[Family]:
    yield _gauge("vault_up", "1 while Vault serves.", (), [((), seen.vault_serves)])
    lease = seen.lease
    ends, lives = (lease.expires_at, lease.duration) if lease else (None, None)
    yield _gauge(
        "vault_lease_expires_timestamp_seconds",
        "End of the daemon's Vault token; none for one that does not end.",
        (),
        [] if ends is None else [((), ends.timestamp())],
    )
    yield _gauge(
        "vault_lease_duration_seconds",
        "Life that Vault granted the daemon's token when it was last renewed; none for one that does not end.",
        (),
        [] if lives is None else [((), lives.total_seconds())],
    )
    yield _gauge(
        "vault_secret_id_expires_timestamp_seconds",
        "End of the secret_id that the daemon logs in with; known of one that came wrapped alone.",
        (),
        [] if seen.secret_id_ends is None else [((), seen.secret_id_ends.timestamp())],
    )


def _of_credentials(seen: Seen) -> Iterator[Family]:
    """Yield what the records say. A credential whose record was not read yet is not spoken of."""
    known = [station for station in seen.stations.values() if station.read_at is not None]
    name = ("credential",)
    yield _gauge(
        "credential_phase",
        "1 for the phase that a credential is in.",
        (*name, "phase"),
        (((one.name, phase), phase is one.record.phase) for one in known for phase in Phase),
    )
    yield _gauge(
        "credential_paused",
        "1 while a credential is held.",
        (*name, "kind"),
        (((one.name, kind), _paused(one) is kind) for one in known for kind in PauseKind),
    )
    yield _gauge(
        "credential_trouble",
        "1 while the record has a trouble.",
        (*name, "subject"),
        (((one.name, subject), 1) for one in known for subject in _subjects(one)),
    )
    yield _gauge(
        "change_failures",
        "Changes that failed in a row.",
        name,
        (((one.name,), one.record.failures) for one in known),
    )
    yield from _of_certificates(known)
    yield from _of_tokens(known)


def _of_people(seen: Seen) -> Iterator[Family]:
    """Yield what waits for somebody, and the alarms that are on."""
    known = [station for station in seen.stations.values() if station.read_at is not None]
    yield _gauge(
        "change_waits_for_person",
        "1 while a certificate is in the org only when a person has brought it there.",
        ("credential",),
        (((one.name,), waits_for_person(one.record, one.terms, seen.at)) for one in known),
    )
    yield _gauge(
        "credential_alarm",
        "1 while an alarm is on that is told once, when it begins; by the event that tells it.",
        ("credential", "event"),
        (((one.name, event), 1) for one in known for event in alarms_on(one)),
    )


def _of_certificates(known: list[Station]) -> Iterator[Family]:
    for metric, meaning, read in _CERTIFICATES:
        yield _gauge(metric, meaning, ("credential",), _times(known, read))


def _times(known: list[Station], read: Callable[[Station], datetime | None]) -> Iterator[Sample]:
    for one in known:
        if (at := read(one)) is not None:
            yield (one.name,), at.timestamp()


def _of_tokens(known: list[Station]) -> Iterator[Family]:
    tokens = [(one.name, token) for one in known if one.config.publish for token in one.facts()]
    for metric, meaning, read in _TOKENS:
        yield _gauge(metric, meaning, ("credential", "user"), _token_times(tokens, read))


def _token_times(
    tokens: list[tuple[str, TokenFacts]], read: Callable[[TokenFacts], datetime]
) -> Iterator[Sample]:
    for name, token in tokens:
        yield (name, token.user), read(token).timestamp()


def _gauge(name: str, meaning: str, labels: tuple[str, ...], samples: Iterable[Sample]) -> Family:
    return Family(f"rotator_{name}", meaning, labels, samples)


def _paused(station: Station) -> PauseKind | None:
    return station.record.paused.kind if station.record.paused else None


def _subjects(station: Station) -> list[str]:
    """Return what a credential's troubles are about, without users and serials."""
    return sorted({trouble.subject.partition(":")[0] for trouble in station.record.trouble})


def _not_after(station: Station) -> datetime | None:
    facts = station.record.key(station.record.current)
    return facts.not_after if facts else None


def _began(station: Station) -> datetime | None:
    return station.record.change.began if station.record.change else None


_CERTIFICATES: tuple[tuple[str, str, Callable[[Station], datetime | None]], ...] = (
    ("certificate_not_after_timestamp_seconds", "End of the certificate of the key that signs.", _not_after),
    (
        "rotation_due_timestamp_seconds",
        "When the key that signs is due to be replaced, jitter included.",
        lambda one: timing.due_at(one.record, one.terms),
    ),
    (
        "rotation_urgent_timestamp_seconds",
        "From when windows, ranks and rehearsals hold a rotation back no longer.",
        lambda one: timing.urgent_at(one.record, one.terms),
    ),
    ("change_began_timestamp_seconds", "When the change that is under way began.", _began),
)

_TOKENS: tuple[tuple[str, str, Callable[[TokenFacts], datetime]], ...] = (
    (
        "token_published_timestamp_seconds",
        "When the published token was minted.",
        lambda token: token.issued_at,
    ),
    (
        "token_expires_timestamp_seconds",
        "How far the life of the published token is proved.",
        lambda token: token.expires_at,
    ),
    (
        "token_refresh_timestamp_seconds",
        "When the published token is to be minted anew.",
        lambda token: token.refresh_after,
    ),
)
