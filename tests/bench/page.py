"""How much time of a processor the port takes to say how a large fleet is.

Of each path: to somebody who looks after a while, and to the next within a second. Of the metrics also beside
prometheus-client, which writes the same samples: so their ratio means something on any machine, and the times do not.
Run it with: python -m tests.bench.page --credentials 1000
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from rotator.web.exposition import text
from rotator.web.gauges import Gauges
from rotator.web.meter import Meter
from rotator.web.site import Site
from tests.world.exhibit import Exhibit, exhibit, hurried, names

ROUNDS = 15
PATHS = ("/livez", "/readyz", "/metrics", "/", "/?show=problems", "/?q=acme&sort=-token", "/credentials/acme")


class Theirs(Collector):
    """The gauges as prometheus-client has them: an object for each sample."""

    def __init__(self, fleet: Exhibit) -> None:
        self._fleet = fleet

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for family in Gauges().of(self._fleet.look()):
            made = GaugeMetricFamily(family.name, family.meaning, labels=family.labels)
            for values, number in family.samples:
                made.add_metric(values, float(number))
            yield made


def main() -> None:
    """Print the median times in milliseconds and what is answered, and at last the ratio as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--credentials", type=int, default=1000)
    count = parser.parse_args().credentials
    with tempfile.TemporaryDirectory() as folder, exhibit(Path(folder), names(count)) as fleet:
        _print_times(fleet)
        print(json.dumps({"credentials": count, **ratio(fleet)}))


def _print_times(fleet: Exhibit) -> None:
    anew, again = _site(fleet, hurried()), _site(fleet, lambda: 0.0)
    print(f"{'path':24} {'anew':>11} {'again':>11} {'answer':>11}")
    for path in PATHS:
        bare, _, query = path.partition("?")
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": bare,
            "QUERY_STRING": query,
            "HTTP_HOST": "localhost",
        }
        times = [
            statistics.median(_milliseconds(lambda: site.answer(environ)) for _ in range(ROUNDS))  # noqa: B023 - at once
            for site in (anew, again)
        ]
        size = len(anew.answer(environ).body) / 1000
        print(f"{path:24} {times[0]:8.1f} ms {times[1]:8.1f} ms {size:8.1f} kB")


def ratio(fleet: Exhibit) -> dict[str, float]:
    """Return how long all gauges take, theirs beside ours, in turns."""
    theirs, gauges = Theirs(fleet), Gauges()
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(ROUNDS):
        times["ours"].append(_milliseconds(lambda: text(gauges.of(fleet.look())).encode()))
        times["theirs"].append(_milliseconds(lambda: generate_latest(theirs)))
    ours, others = (statistics.median(times[which]) for which in ("ours", "theirs"))
    return {
        "gauges_ms": round(ours, 1),
        "prometheus_client_ms": round(others, 1),
        "ratio": round(ours / others, 3),
    }


def _site(fleet: Exhibit, steady: Callable[[], float]) -> Site:
    site = Site(Meter().registry, steady=steady)
    site.look, site.alive = fleet.look, fleet.is_alive
    return site


def _milliseconds(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return (time.process_time() - began) * 1000


if __name__ == "__main__":
    main()
