"""What is counted and timed: each number comes from an event, at the very place where it is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)

from rotator import __version__, events
from rotator.core.effects import Action, Kind, Nothing
from rotator.events import Event

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
        Info("rotator_build", "The version that runs.", registry=self.registry).info({"version": __version__})
        Gauge(
            "rotator_start_time_seconds", "When the process began.", registry=self.registry
        ).set_to_current_time()
        self._events = self._counter(
            "events", "Events of the log, whatever the level that is logged.", "event"
        )
        self._errors = self._counter(
            "errors", "Errors met by steps and effects, by what they ask for.", "class"
        )
        self._faults = self._counter("scheduler_events", "What went wrong with jobs of the timer.", "kind")
        self._reloads = self._counter(
            "configuration_reloads", "Times that the configuration was read again.", "result"
        )
        self._in_force = Gauge(
            "rotator_configuration_last_reload_successful",
            "0 while the configuration was refused as it was read last, and an older one is in force.",
            registry=self.registry,
        )
        self._in_force.set(1)
        self._steps = self._counter("steps", "Steps that were taken.")
        self._jumps = self._counter("clock_jumps", "Times that the clock of this machine was set.")
        self._lateness = self._histogram(
            "step_lateness_seconds", "How long after its time a step began.", LATENESS_SECONDS
        )
        self._duration = self._histogram("step_duration_seconds", "How long a step took.", EFFECT_SECONDS)
        self._effects = self._histogram(
            "effect_duration_seconds",
            "How long one effect on Vault or Salesforce took.",
            EFFECT_SECONDS,
            "effect",
        )
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

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"rotator_{name}", meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"rotator_{name}", meaning, labels, buckets=buckets, registry=self.registry)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
