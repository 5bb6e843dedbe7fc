"""How rude the org of a system test is by default, and the seed from which it draws.

A few percent of all requests meet a transient fault, certificates spread slowly, and the org's servers answer in turn
(see rotator.sandbox.org.knobs). What it draws follows from pytest's ``--randomly-seed`` and the name of the test, so
that one option brings the same weather back; how threads and processes interleave is not replayed.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from contextvars import ContextVar
from types import MappingProxyType

FAULT_RATE = 0.03
CALM: Mapping[str, object] = MappingProxyType({})
"""The knobs of an org that is not rude: no fault lends its words to what is told."""

_seed: ContextVar[int] = ContextVar("seed of the org", default=1)


def sow(run_seed: object, test: str) -> None:
    """Fix the seed for what this test starts from here on."""
    _seed.set(zlib.crc32(f"{run_seed} {test}".encode()))


def weather() -> dict[str, object]:
    """Return the knobs of an org that is as rude as Salesforce may be on any day."""
    return {"seed": _seed.get(), "fault_rate": FAULT_RATE}
