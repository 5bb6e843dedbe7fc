"""What a client wishes by its headers (RFC 9110, sections 12.5 and 13.1.2)."""

from __future__ import annotations

import re

OPEN_METRICS = "application/openmetrics-text"
_WEIGHT = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)


def wants_openmetrics(accept: str) -> bool:
    """Tell whether a header ``Accept`` names OpenMetrics, and wants nothing of the text format more."""
    wanted = _weights(accept)
    text = next((wanted[kind] for kind in ("text/plain", "text/*", "*/*") if kind in wanted), 0.0)
    return wanted.get(OPEN_METRICS, 0.0) > 0 and wanted[OPEN_METRICS] >= text


def takes_gzip(accept_encoding: str) -> bool:
    """Tell whether a header ``Accept-Encoding`` lets an answer be packed."""
    wanted = _weights(accept_encoding)
    return wanted.get("gzip", wanted.get("*", 0.0)) > 0


def has(if_none_match: str, tag: str) -> bool:
    """Tell whether a header ``If-None-Match`` says that the client has what bears this ``ETag`` already."""
    known = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return tag in known or "*" in known


def _weights(header: str) -> dict[str, float]:
    """Return how much each thing is wanted that a header names; of what it names twice the greater one counts."""
    found: dict[str, float] = {}
    for each in header.lower().split(","):
        name, *parameters = (part.strip() for part in each.split(";"))
        weight = next((part for part in parameters if part.startswith("q=")), "q=1")
        read = _WEIGHT.fullmatch(weight)
        found[name] = max(found.get(name, 0.0), float(read[1]) if read else 0.0)
    return found
