"""The disk of Vault fills up in the middle of a rotation, and is given room again."""

from __future__ import annotations

import time

import pytest

from rotator.sandbox.vault import BaoServer
from tests.system.vault.outages import outages
from tests.world.daemon import SENT
from tests.world.site import LASTING, site
from tests.world.small_disk import SmallDisk

pytestmark = pytest.mark.timeout(240)

MEGABYTES = 64
FULL_SECONDS = 8


def test_with_a_full_disk_the_daemon_waits_and_with_room_again_the_rotation_goes_on(tmp_path, figures):
    """Where OpenBao ends itself because it could not store what was agreed on, whoever runs it starts it again."""
    with (
        SmallDisk(tmp_path / "disk", MEGABYTES) as disk,
        BaoServer("root-token-of-a-test", storage=disk.folder / "vault") as bao,
        site(LASTING, vault=bao) as here,
        here.consuming(),
    ):
        since = here.rotate_until(SENT)
        disk.fill()
        here.journal.wait_for("vault.unavailable", since)
        time.sleep(FULL_SECONDS)
        disk.clear()
        if not bao.runs:
            bao.stop()
            bao.start()
        here.journal.wait_for("vault.recovered", since)
        steady = here.await_steady()
        assert here.ledger.record("acme")["current"] == 2
        (said,) = outages(here.journal, since)
        assert set(said.events) <= {"vault.unavailable", "vault.sealed"}
        here.daemon.stop()
        figures(outage_seconds=said.seconds, steady_after_seconds=round(steady, 1), **here.audit())
