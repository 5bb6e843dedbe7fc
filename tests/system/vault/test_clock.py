"""The clock of Vault differs from the daemon's, and comes right again, in the middle of a rotation."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime

import pytest

from rotator.core.model import Ask
from rotator.sandbox.vault import BaoServer
from tests.world.site import LASTING, site
from tests.world.vault_proxy import VaultProxy

pytestmark = pytest.mark.timeout(180)

SKEWED_SECONDS = 6


def wrong_by(seconds):
    """Vault does what it was asked for, and its clock is wrong."""

    def spoil(_request, forward):
        answer = forward()
        date = parsedate_to_datetime(answer.headers["Date"]) + timedelta(seconds=seconds)
        return replace(answer, headers={**answer.headers, "Date": format_datetime(date, usegmt=True)})

    return spoil


@pytest.mark.parametrize("seconds", [90, -90])
def test_while_clocks_differ_by_more_than_a_minute_nothing_is_deployed_and_tokens_go_on(seconds, figures):
    with BaoServer("root-token-of-a-test") as bao, VaultProxy(bao) as proxy:

        def through_it(settings):
            settings["vault"]["address"] = proxy.address

        with site(LASTING, vault=bao, edit=through_it) as here, here.consuming():
            since = here.rotate_until("key.created")
            proxy.spoil(wrong_by(seconds))
            here.journal.wait_for("clock.skewed", since, peer="Vault")
            skewed = here.journal.mark()
            here.ask("globex", Ask.REHEARSE)
            here.journal.wait_for("request.refused", skewed, credential="globex")
            time.sleep(SKEWED_SECONDS)
            here.journal.wait_for("token.published", skewed, credential="globex")
            proxy.heal()
            over = here.journal.wait_for("clock.agrees", skewed, peer="Vault")
            here.journal.wait_for("key.promoted", skewed, credential="acme", serial=2)
            sent = here.journal.find("deploy.sent", since)
            assert sent
            assert all(line["timestamp"] > over["timestamp"] for line in sent)
            here.await_steady()
            assert len(here.journal.find("clock.skewed")) == len(here.journal.find("clock.agrees")) == 1
            here.daemon.stop()
            figures(deploys_after_it=len(sent), **here.audit())
