"""The wires of all threads, when the settings of Salesforce change."""

from __future__ import annotations

from rotator.performer.toolbox import Wires
from rotator.salesforce.http import WireSettings


def test_a_connection_that_cannot_be_closed_keeps_nobody_from_the_new_settings():
    wires = Wires(WireSettings())
    former = wires()

    def close() -> None:
        raise OSError

    former.close = close
    wires.renew(WireSettings(read_timeout_seconds=1.0))
    assert wires() is not former
    former.close = lambda: None
    wires.close()
