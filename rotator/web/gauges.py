"""What stands at the moment of a look: read off the stations, so that nothing goes stale and nothing removed stays."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from rotator import __version__, metrics
from rotator.core import timing
from rotator.core.model import PauseKind, Phase
from rotator.metrics import Metric
from rotator.performer import Station, alarms_on
from rotator.standing import waits_for_person
from rotator.web.certificates import Ends
from rotator.web.seen import Seen

Sample = tuple[tuple[str, ...], float]


class Gauges(Collector):
    """Gives the present numbers of what a daemon lets be seen."""

    def __init__(self, look: Callable[[], Seen | None]) -> None:
        """``look``: None while there is nothing to be seen."""
        self._look = look
        self._began = time.time()
        self._ends = Ends()

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Name nothing beforehand: that would be a look."""
        return ()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield all gauges."""
        yield _gauge(metrics.BUILD, [((__version__,), 1)])
        yield _gauge(metrics.STARTED, [((), self._began)])
        seen = self._look()
        if seen is not None:
            yield from _of_daemon(seen)
            yield from _of_vault(seen)
            yield from _of_credentials(seen)
            yield from _of_people(seen)
            yield _gauge(
                metrics.TLS_ENDS,
                [((use,), end.timestamp()) for use, end in self._ends.of(seen.configuration)],
            )


def _of_daemon(seen: Seen) -> Iterator[GaugeMetricFamily]:
    yield _gauge(metrics.CREDENTIALS, [((), len(seen.stations))])
    yield _gauge(
        metrics.SET_ASIDE,
        [((name,), name not in seen.stations) for name in sorted({*seen.stations, *seen.aside})],
    )
    yield _gauge(metrics.FILE_REFUSED, [((file,), 1) for file in sorted(seen.refused)])
    yield _gauge(metrics.UNUSABLE, [((name,), name in seen.unusable) for name in sorted(seen.stations)])
    yield _gauge(metrics.QUEUE, [(("queued",), seen.queued), (("running",), seen.running)])
    yield _gauge(metrics.SCHEDULER_BEAT, [((), seen.beaten_at.timestamp())])
    yield _gauge(metrics.BRAKE, [((), bool(seen.driver.braked()))])
    yield _gauge(metrics.CLOCK_SKEW, [((peer,), seconds) for peer, seconds in seen.skews.items()])
    yield _gauge(metrics.CONFIGURATION_LOADED, [((), seen.loaded_at.timestamp())])


def _of_vault(seen: Seen) -> Iterator[GaugeMetricFamily]:
    yield _gauge(metrics.VAULT_UP, [((), seen.vault_serves)])
    lease = seen.lease
    ends, lives = (lease.expires_at, lease.duration) if lease else (None, None)
    yield _gauge(metrics.LEASE_ENDS, [] if ends is None else [((), ends.timestamp())])
    yield _gauge(metrics.LEASE_DURATION, [] if lives is None else [((), lives.total_seconds())])
    yield _gauge(
        metrics.SECRET_ID_ENDS, [] if seen.secret_id_ends is None else [((), seen.secret_id_ends.timestamp())]
    )


def _of_credentials(seen: Seen) -> Iterator[GaugeMetricFamily]:
    """Yield what the records say. A credential whose record was not read yet is not spoken of."""
    known = [station for station in seen.stations.values() if station.read_at is not None]
    yield _gauge(
        metrics.PHASE, [((one.name, phase), phase is one.record.phase) for one in known for phase in Phase]
    )
    yield _gauge(
        metrics.PAUSED, [((one.name, kind), _paused(one) is kind) for one in known for kind in PauseKind]
    )
    yield _gauge(metrics.TROUBLE, [((one.name, subject), 1) for one in known for subject in _subjects(one)])
    yield _gauge(metrics.CHANGE_FAILURES, [((one.name,), one.record.failures) for one in known])
    yield from _of_certificates(known)
    yield from _of_tokens(known)


def _of_people(seen: Seen) -> Iterator[GaugeMetricFamily]:
    """Yield what waits for somebody, and the alarms that are on."""
    known = [station for station in seen.stations.values() if station.read_at is not None]
    yield _gauge(
        metrics.WAITS_FOR_PERSON,
        [((one.name,), waits_for_person(one.record, one.terms, seen.at)) for one in known],
    )
    yield _gauge(metrics.ALARM, [((one.name, event), 1) for one in known for event in alarms_on(one)])


def _of_certificates(known: list[Station]) -> Iterator[GaugeMetricFamily]:
    for metric, read in _CERTIFICATES:
        times = ((one.name, read(one)) for one in known)
        yield _gauge(metric, [((name,), at.timestamp()) for name, at in times if at is not None])


def _of_tokens(known: list[Station]) -> Iterator[GaugeMetricFamily]:
    tokens = [(one.name, token) for one in known if one.config.publish for token in one.facts()]
    for metric, field in (
        (metrics.TOKEN_PUBLISHED, "issued_at"),
        (metrics.TOKEN_EXPIRES, "expires_at"),
        (metrics.TOKEN_REFRESH, "refresh_after"),
    ):
        yield _gauge(
            metric, [((name, token.user), getattr(token, field).timestamp()) for name, token in tokens]
        )


def _gauge(metric: Metric, samples: Iterable[Sample]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
    for values, number in samples:
        family.add_metric(values, float(number))
    return family


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
