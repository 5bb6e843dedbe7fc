"""The real daemon on a cluster whose leader dies again and again in the middle of rotations."""

from __future__ import annotations

import pytest

from tests.world.site import site

pytestmark = [
    pytest.mark.judge("OpenBao raft, 3 nodes"),
    pytest.mark.timeout(240),
    # Python's ssl leaves a socket open that was reset between connect and handshake, as a dying server's are.
    pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning"),
]

MOMENTS = ("key.created", "deploy.sent", "proof.passed")


@pytest.fixture(autouse=True)
def trusted(nodes, monkeypatch):
    """Consumers and judges trust the authority by the environment; what the daemon trusts its configuration says."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(nodes.authority.ca_file))


def test_rotations_in_which_the_leader_of_vault_dies_end_well_and_no_consumer_notices(nodes):
    asked = nodes.standby()

    def through_it(settings):
        settings["vault"] |= {"address": asked.address, "ca_file": str(nodes.authority.ca_file)}

    with site(vault=nodes, edit=through_it) as here, here.consuming():
        for number, event in enumerate(MOMENTS):
            nodes.demote(asked)
            since = here.journal.mark()
            here.ask("acme")
            here.journal.wait_for(event, since, credential="acme")
            leader = nodes.leader()
            leader.kill()
            nodes.await_other_leader(leader)
            here.journal.wait_for("key.promoted", since, credential="acme", serial=number + 2)
            leader.start()
            nodes.settle()
            here.await_steady()
        here.until("retired keys are destroyed", lambda: not here.ledger.record("acme")["retired"])
        here.daemon.stop()
        nodes.settle()
        told = here.audit()
        outages = here.journal.find("vault.unavailable")
        assert {line["code"] for line in outages} <= {"vault.unreachable", "vault.unavailable"}
        assert here.journal.find("vault.recovered")[-1]["timestamp"] > outages[-1]["timestamp"]
        assert not [line for line in here.journal.lines if line.get("alert")]
        assert here.ledger.record("acme")["current"] == 1 + len(MOMENTS)
    assert told["consumer_calls"] > 0
