"""Gauges as text. What counts and times is written by prometheus-client, and could write these, too.

But that takes an object for each sample and looks at each name anew: about four times as long (``tests.bench.page``), in
which no step gets on. A fleet has twenty samples for each credential.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Sample = tuple[tuple[str, ...], float]
"""The values of the labels, and the number."""


@dataclass(frozen=True, slots=True)
class Family:
    """One gauge with all its samples.

    Attributes:
        meaning: one line, without a backslash or a quotation mark.
        samples: may be gone through once.
    """

    name: str
    meaning: str
    labels: tuple[str, ...]
    samples: Iterable[Sample]


def text(families: Iterable[Family]) -> str:
    """Return what Prometheus' text format (0.0.4) and OpenMetrics (1.0) write alike."""
    lines: list[str] = []
    for family in families:
        lines.append(f"# HELP {family.name} {family.meaning}\n# TYPE {family.name} gauge\n")
        if family.labels:
            shape = f"{family.name}{{{','.join(f'{label}=%s' for label in family.labels)}}} %r\n"
            lines.extend(shape % (*map(_quoted, values), float(number)) for values, number in family.samples)
        else:
            lines.extend(f"{family.name} {float(number)!r}\n" for _values, number in family.samples)
    return "".join(lines)


def _quoted(value: str) -> str:
    if '"' in value or "\\" in value or "\n" in value:
        value = value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return f'"{value}"'
