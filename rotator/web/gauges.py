"""What stands at the moment of a look: read off the stations, so that nothing goes stale and nothing removed stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from rotator import metrics
from rotator.core import timing
from rotator.core.model import PauseKind, Phase, TokenFacts
from rotator.metrics import Metric
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
            metrics.TLS_ENDS,
            [((use,), end.timestamp()) for use, end in self._certificates(seen)],
        )

    def _certificates(self, seen: Seen) -> Iterator[tuple[str, datetime]]:
        yield from self._ends.of(seen.configuration.vault)
        if (end := self._shown_until()) is not None:
            yield "web", end


def _of_daemon(seen: Seen) -> Iterator[Family]:
    yield _gauge(metrics.CREDENTIALS, [((), len(seen.stations))])
    yield _gauge(
        metrics.SET_ASIDE,
        (((name,), name not in seen.stations) for name in sorted({*seen.stations, *seen.aside})),
    )
    yield _gauge(
        metrics.FILE_REFUSED,
        [((file,), 1) for file in sorted(seen.refused)],
    )
    yield _gauge(
        metrics.UNUSABLE,
        (((name,), name in seen.unusable) for name in sorted(seen.stations)),
    )
    yield _gauge(
        metrics.QUEUE,
        [(("queued",), seen.queued), (("running",), seen.running)],
    )
    yield _gauge(
        metrics.SCHEDULER_BEAT,
        [((), seen.beaten_at.timestamp())],
    )
    yield _gauge(
        metrics.BRAKE,
        [((), bool(seen.driver.braked()))],
    )
    yield _gauge(
        metrics.CLOCK_SKEW,
        [((peer,), seconds) for peer, seconds in seen.skews.items()],
    )
    yield _gauge(
        metrics.CONFIGURATION_LOADED,
        [((), seen.loaded_at.timestamp())],
    )


def _of_vault(seen: Seen) -> Iterator[Family]:
    yield _gauge(metrics.VAULT_UP, [((), seen.vault_serves)])
    lease = seen.lease
    ends, lives = (lease.expires_at, lease.duration) if lease else (None, None)
    yield _gauge(
        metrics.LEASE_ENDS,
        [] if ends is None else [((), ends.timestamp())],
    )
    yield _gauge(
        metrics.LEASE_DURATION,
        [] if lives is None else [((), lives.total_seconds())],
    )
    yield _gauge(
        metrics.SECRET_ID_ENDS,
        [] if seen.secret_id_ends is None else [((), seen.secret_id_ends.timestamp())],
    )


def _of_credentials(seen: Seen) -> Iterator[Family]:
    """Yield what the records say. A credential whose record was not read yet is not spoken of."""
    known = [station for station in seen.stations.values() if station.read_at is not None]
    yield _gauge(
        metrics.PHASE,
        (((one.name, phase), phase is one.record.phase) for one in known for phase in Phase),
    )
    yield _gauge(
        metrics.PAUSED,
        (((one.name, kind), _paused(one) is kind) for one in known for kind in PauseKind),
    )
    yield _gauge(
        metrics.TROUBLE,
        (((one.name, subject), 1) for one in known for subject in _subjects(one)),
    )
    yield _gauge(
        metrics.CHANGE_FAILURES,
        (((one.name,), one.record.failures) for one in known),
    )
    yield from _of_certificates(known)
    yield from _of_tokens(known)


def _of_people(seen: Seen) -> Iterator[Family]:
    """Yield what waits for somebody, and the alarms that are on."""
    known = [station for station in seen.stations.values() if station.read_at is not None]
    yield _gauge(
        metrics.WAITS_FOR_PERSON,
        (((one.name,), waits_for_person(one.record, one.terms, seen.at)) for one in known),
    )
    yield _gauge(
        metrics.ALARM,
        (((one.name, event), 1) for one in known for event in alarms_on(one)),
    )


def _of_certificates(known: list[Station]) -> Iterator[Family]:
    for metric, read in _CERTIFICATES:
        yield _gauge(metric, _times(known, read))


def _times(known: list[Station], read: Callable[[Station], datetime | None]) -> Iterator[Sample]:
    for one in known:
        if (at := read(one)) is not None:
            yield (one.name,), at.timestamp()


def _of_tokens(known: list[Station]) -> Iterator[Family]:
    tokens = [(one.name, token) for one in known if one.config.publish for token in one.facts()]
    for metric, read in _TOKENS:
        yield _gauge(metric, _token_times(tokens, read))


def _token_times(
    tokens: list[tuple[str, TokenFacts]], read: Callable[[TokenFacts], datetime]
) -> Iterator[Sample]:
    for name, token in tokens:
        yield (name, token.user), read(token).timestamp()


def _gauge(metric: Metric, samples: Iterable[Sample]) -> Family:
    return Family(metric.name, metric.meaning, metric.labels, samples)


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


_CERTIFICATES: tuple[tuple[Metric, Callable[[Station], datetime | None]], ...] = (
    (metrics.CERTIFICATE_ENDS, _not_after),
    (metrics.ROTATION_DUE, lambda one: timing.due_at(one.record, one.terms)),
    (metrics.ROTATION_URGENT, lambda one: timing.urgent_at(one.record, one.terms)),
    (metrics.CHANGE_BEGAN, _began),
)

_TOKENS: tuple[tuple[Metric, Callable[[TokenFacts], datetime]], ...] = (
    (metrics.TOKEN_PUBLISHED, lambda token: token.issued_at),
    (metrics.TOKEN_EXPIRES, lambda token: token.expires_at),
    (metrics.TOKEN_REFRESH, lambda token: token.refresh_after),
)
