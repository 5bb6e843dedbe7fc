"""The metrics as a page. Make it again with: python -m tests.web.catalogue > docs/metrics.md"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.metrics_core import Metric

from rotator.web.gauges import Gauges
from rotator.web.meter import Meter
from tests.world.exhibit import exhibit, names

HEAD = """# Metrics

Made by `python -m tests.web.catalogue`; do not edit. `/metrics` on the port of `web.listen` gives them as Prometheus text
or as OpenMetrics. Times are Unix times in seconds, so that `time()` tells how long ago or how soon; a time that is not
there is not there. A credential is spoken of once its record was read, and no more when it is not configured any more.
Label values are those of the configuration, or of lists that never grow. Beside these there are `process_*`.

| metric | type | labels | meaning |
|---|---|---|---|
"""


@dataclass(frozen=True, order=True)
class Line:
    """One metric."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


def lines() -> list[Line]:
    """Return all metrics, off a fleet that has everything."""
    with tempfile.TemporaryDirectory() as folder, exhibit(Path(folder), names(300)) as fleet:
        counted = [one for one in Meter().registry.collect() if one.name.startswith("rotator_")]
        gauges = Gauges().of(fleet.look())
        return sorted(
            [
                *(_line(one) for one in counted),
                *(Line(one.name, "gauge", one.labels, one.meaning) for one in gauges),
            ]
        )


def _line(family: Metric) -> Line:
    suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
    of_samples = [name for sample in family.samples for name in sample.labels if name != "le"]
    labels = tuple(dict.fromkeys(of_samples)) or tuple(getattr(family, "_labelnames", ()))
    kind = "gauge" if family.type == "info" else family.type
    return Line(family.name + suffix, kind, labels, family.documentation)


def markdown() -> str:
    """Return the page."""
    rows = (
        f"| `{one.name}` | {one.kind} | {' '.join(f'`{label}`' for label in one.labels)} | {one.meaning} |"
        for one in lines()
    )
    return HEAD + "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
