"""How much time of a processor the port takes to say how a large fleet is. Run it with: python -m tests.bench.page --credentials 1000"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rotator.web.gauges import Gauges
from rotator.web.meter import Meter
from rotator.web.site import Site
from tests.world.exhibit import Exhibit, exhibit, names

ROUNDS = 15
PATHS = ("/livez", "/readyz", "/metrics", "/", "/?show=problems", "/?q=acme&sort=-token", "/credentials/acme")


def main() -> None:
    """Print the median and the longest time of each path, in milliseconds, and how much it answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--credentials", type=int, default=1000)
    count = parser.parse_args().credentials
    with tempfile.TemporaryDirectory() as folder, exhibit(Path(folder), names(count)) as fleet:
        site = _site(fleet)
        print(f"{count} credentials")
        for path in PATHS:
            bare, _, query = path.partition("?")
            environ = {
                "REQUEST_METHOD": "GET",
                "PATH_INFO": bare,
                "QUERY_STRING": query,
                "HTTP_HOST": "localhost",
            }
            taken = [_milliseconds(lambda: site.answer(environ)) for _ in range(ROUNDS)]  # noqa: B023 - called at once
            size = len(site.answer(environ).body) / 1000
            middle, longest = statistics.median(taken), max(taken)
            print(f"{path:24} {middle:8.1f} ms {longest:8.1f} ms {size:8.1f} kB")


def _site(fleet: Exhibit) -> Site:
    meter = Meter()
    site = Site(meter.registry)
    site.look, site.alive = fleet.look, fleet.is_alive
    meter.registry.register(Gauges(site.present))
    return site


def _milliseconds(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    return (time.process_time() - began) * 1000


if __name__ == "__main__":
    main()
