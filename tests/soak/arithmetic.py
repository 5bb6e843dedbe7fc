"""Slopes and shares of what was measured."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence

Point = tuple[float, float]

MOST_POINTS = 300  # of which all pairs are looked at


def slope(points: Sequence[Point]) -> float:
    """Return by how much y grows for each unit of x: the median over all pairs of points (Theil and Sen).

    A third of the points may be as wrong as they like. 0.0 for less than two points.
    """
    thin = points[:: -(-len(points) // MOST_POINTS)] if points else points
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in itertools.combinations(thin, 2) if x2 != x1]
    return statistics.median(slopes) if slopes else 0.0


def growth(points: Sequence[Point]) -> float:
    """Return by how much y has grown from the first point to the last, as the slope has it."""
    return slope(points) * (points[-1][0] - points[0][0]) if points else 0.0


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value below which so many percent lie (1 to 99); 0.0 for none."""
    if len(values) < 2:
        return values[0] if values else 0.0
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
