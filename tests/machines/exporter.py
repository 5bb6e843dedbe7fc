"""A fleet in memory behind its real port, scraped as Prometheus scrapes it, and told as series of a rule test."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families

from rotator.config.web import WebConfig
from rotator.core.model import KeyFacts, Record
from rotator.performer import Station
from rotator.show import logs
from rotator.web import Port, Seen
from tests.world.exhibit import Exhibit, exhibit, hurried
from tests.world.steady import key_pair

JOB = {"job": "rotator", "instance": "127.0.0.1:8791"}
NAMES = ["acme", "globex", "initech", "umbrella", "hooli"]
WELL = timedelta(days=200)
PATIENCE_SECONDS = 60
_STANDS_STILL = "rotator_start_time_seconds"

Labels = tuple[tuple[str, str], ...]
Samples = dict[tuple[str, Labels], float]


@dataclass
class Scene:
    """A fleet in which all is well, until a test changes it.

    Attributes:
        skews, beaten_ago: what the daemon would have seen of clocks, and of itself.
        certificate: file of the TLS certificate that Vault is shown.
    """

    fleet: Exhibit
    certificate: Path
    running: ExitStack
    skews: dict[str, float] = field(default_factory=dict)
    beaten_ago: timedelta = timedelta()
    url: str = ""

    @property
    def now(self) -> datetime:
        return self.fleet.now

    def station(self, name: str = "acme") -> Station:
        return self.fleet.stations[name]

    def edit(self, name: str = "acme", **changes: Any) -> Record:
        """Change the record of a credential, and return it."""
        station = self.station(name)
        station.record = replace(station.record, **changes)
        return station.record

    def current(self, name: str = "acme") -> KeyFacts:
        record = self.station(name).record
        facts = record.key(record.current)
        assert facts is not None
        return facts

    def let_end(self, left: timedelta, name: str = "acme") -> None:
        """Let the certificate of the key that signs have this much time left."""
        self.edit(name, keys=(replace(self.current(name), not_after=self.now + left),), previous=None)

    def let_tls_end(self, left: timedelta) -> None:
        self.certificate.write_text(_certificate(left))

    def begin(self) -> None:
        """Begin as a new process does: every counter is at 0."""
        with logs.capture() as lines:
            port = self.running.enter_context(Port(hurried()))
            port.show(self._look, self.fleet.is_alive)
            port.serve(WebConfig(listen="127.0.0.1:0"))
        (self.url,) = [line["url"] for line in lines if line["event"] == "web.listening"]

    def scrape(self) -> Samples:
        """Return what the port tells. Times are told as seconds from now on, so that a story can begin at any time."""
        answer = requests.get(f"{self.url}metrics", timeout=PATIENCE_SECONDS)
        answer.raise_for_status()
        families = text_string_to_metric_families(answer.text)
        now = self.now.timestamp()
        return {
            (one.name, tuple(sorted(one.labels.items()))): one.value - (now if _is_time(one.name) else 0)
            for family in families
            for one in family.samples
        }

    def _look(self) -> Seen:
        return replace(self.fleet.look(), skews=self.skews, beaten_at=self.now - self.beaten_ago)


@cache
def _certificate(left: timedelta) -> str:
    return key_pair("vault", left.total_seconds()).certificate_pem


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    """Build a fleet in which all is well, behind a port."""
    certificate, key = folder / "vault.pem", folder / "vault.key"
    key.touch(mode=0o600)
    vault = {"client_certificate": {"certificate_file": str(certificate), "key_file": str(key)}}
    with ExitStack() as running:
        fleet = running.enter_context(exhibit(folder, NAMES, troubled=False, vault=vault))
        made = Scene(fleet, certificate, running)
        made.let_tls_end(WELL)
        for name in NAMES:
            made.let_end(WELL, name)
        made.begin()
        yield made


@dataclass(frozen=True)
class Phase:
    """Some minutes of a story.

    Attributes:
        samples: what is scraped in each of them; None while nothing answers.
        still: times of the samples that do not move on as the clock does: what should be renewed, and is not.
        restarted: the process began with it.
    """

    samples: Samples | None
    minutes: int
    still: Sequence[str] = ()
    restarted: bool = False


def series(story: Sequence[Phase], wanted: str) -> list[dict[str, str]]:
    """Return a story as ``input_series`` of a rule test, a sample a minute: what is named in ``wanted``, and ``up``."""
    keys = {key for phase in story for key in phase.samples or () if _is_named(*key, wanted)}
    told = [{"series": _named("up", ()), "values": " ".join(_up(phase) for phase in story)}]
    for key in sorted(keys):
        minute, began, values = 0, 0, []
        for phase in story:
            began = minute if phase.restarted else began
            values.append(_values(key, phase, minute, began))
            minute += phase.minutes
        told.append({"series": _named(*key), "values": " ".join(values)})
    return told


def _is_named(name: str, labels: Labels, wanted: str) -> bool:
    return name in wanted and dict(labels).get("event", "") in wanted


def _values(key: tuple[str, Labels], phase: Phase, minute: int, began: int) -> str:
    name, _labels = key
    more = phase.minutes - 1
    if phase.samples is None or key not in phase.samples:
        return "stale" + f" _x{more}" * bool(more)  # as Prometheus marks what is there no more
    value = phase.samples[key]
    if name == _STANDS_STILL:
        return f"{began * 60}+0x{more}"
    if _is_time(name):
        return f"{value + minute * 60}+{0 if name in phase.still else 60}x{more}"
    return f"{value}+0x{more}"


def _up(phase: Phase) -> str:
    return f"{int(phase.samples is not None)}+0x{phase.minutes - 1}"


def _is_time(name: str) -> bool:
    return name.startswith("rotator_") and name.endswith(("_timestamp_seconds", "start_time_seconds"))


def _named(name: str, labels: Labels) -> str:
    said = ", ".join(f"{label}={json.dumps(value)}" for label, value in (*labels, *JOB.items()))
    return f"{name}{{{said}}}"
