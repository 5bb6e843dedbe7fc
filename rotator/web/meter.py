"""What is counted and timed: each number comes from an event, at the very place where it is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from rotator import __version__, events, metrics
from rotator.core.effects import Action, Kind, Nothing
from rotator.events import Event
from rotator.metrics import Metric

EFFECTS: Final = tuple(one.__name__.lower() for one in get_args(Action) if one is not Nothing)
UNFORESEEN: Final = frozenset(
    {events.STEP_FAILED, events.ROUND_FAILED, events.CRASHED, events.WEB_REQUEST_FAILED}
)
CLASSES: Final = ("transient", "conflict", "rejected", "misconfigured", "compromised", "unforeseen")
FAULTS: Final = ("missed", "overrun", "error")
LATENESS_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
EFFECT_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, of which nobody reckons anything


class Meter:
    """Listens to the events. Every label value is there from the start, so that a rate knows where it began."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._gauge(metrics.BUILD).labels(__version__).set(1)
        self._gauge(metrics.STARTED).set_to_current_time()
        self._events = self._counter(metrics.EVENTS)
        self._errors = self._counter(metrics.ERRORS)
        self._faults = self._counter(metrics.SCHEDULER_EVENTS)
        self._reloads = self._counter(metrics.CONFIGURATION_RELOADS)
        self._in_force = self._gauge(metrics.CONFIGURATION_IN_FORCE)
        self._in_force.set(1)
        self._steps = self._counter(metrics.STEPS)
        self._jumps = self._counter(metrics.CLOCK_JUMPS)
        self._lateness = self._histogram(metrics.STEP_LATENESS, LATENESS_SECONDS)
        self._duration = self._histogram(metrics.STEP_DURATION, EFFECT_SECONDS)
        self._effects = self._histogram(metrics.EFFECT_DURATION, EFFECT_SECONDS)
        for counter, values in (
            (self._events, [event.name for event in events.CATALOGUE]),
            (self._errors, CLASSES),
            (self._faults, FAULTS),
            (self._reloads, ("loaded", "refused")),
            (self._effects, EFFECTS),
        ):
            for value in values:
                counter.labels(value)

    def heard(self, event: Event, fields: Mapping[str, object]) -> None:
        """Count an event."""
        self._events.labels(event.name).inc()
        if event is events.STEP_TAKEN:
            self._steps.inc()
            self._duration.observe(_number(fields["seconds"]))
            if "late_seconds" in fields:
                self._lateness.observe(_number(fields["late_seconds"]))
        elif event is events.EFFECT_DONE:
            self._effects.labels(str(fields["effect"])).observe(_number(fields["seconds"]))
            if "policy" in fields or fields["answer"] == Kind.REFUSED:
                self._errors.labels(str(fields.get("policy", "rejected"))).inc()
        elif event is events.STEP_HINDERED:
            self._errors.labels(str(fields["policy"])).inc()
        elif event is events.VAULT_CONFLICT:
            self._errors.labels("conflict").inc()
        elif event in UNFORESEEN:
            self._errors.labels("unforeseen").inc()
        elif event is events.TIMER_OVERRUN:
            self._faults.labels("overrun").inc()
        elif event is events.TIMER_FAULTED:
            self._faults.labels(str(fields["kind"])).inc()
        elif event is events.CLOCK_JUMPED:
            self._jumps.inc()
        elif event is events.CONFIGURATION_RELOADED:
            self._reloads.labels("loaded").inc()
            self._in_force.set(1)
        elif event is events.CONFIGURATION_REFUSED:
            self._reloads.labels("refused").inc()
            self._in_force.set(0)

    def _gauge(self, metric: Metric) -> Gauge:
        return Gauge(metric.name, metric.meaning, metric.labels, registry=self.registry)

    def _counter(self, metric: Metric) -> Counter:
        return Counter(metric.name, metric.meaning, metric.labels, registry=self.registry)

    def _histogram(self, metric: Metric, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(metric.name, metric.meaning, metric.labels, buckets=buckets, registry=self.registry)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
