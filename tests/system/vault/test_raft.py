"""Three nodes that share their data by Raft: one dies, most die, or one is cut off, in the middle of rotations."""

from __future__ import annotations

import time
from contextlib import contextmanager

import pytest

from tests.system.vault.outages import outages
from tests.world.bao import cluster
from tests.world.daemon import SENT
from tests.world.site import LASTING, site

pytestmark = [
    pytest.mark.timeout(600),
    # Python's ssl leaves a socket open that was reset between connect and handshake, as a dying server's are.
    pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning"),
]

MOMENTS = ("key.created", SENT, "proof.passed")
AWAY_SECONDS = 8
FEW_LINES = 25
LONGEST_SECONDS = 150


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with cluster(tmp_path_factory.mktemp("cluster")) as nodes:
        yield nodes


@pytest.fixture
def nodes(running, monkeypatch):
    """The cluster, with nothing in it. Consumers and judges trust it by the environment, the daemon by its settings."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(running.authority.ca_file))
    yield running
    running.links.mend()
    for node in running.all:
        if not node.pid:
            node.start()
    running.settle()
    running.request("DELETE", "sys/mounts/secret")
    running.request("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})


@contextmanager
def site_at(nodes, node):
    """A site whose daemon asks one of the nodes."""

    def ask(settings):
        settings["vault"] |= {"address": node.address, "ca_file": str(nodes.authority.ca_file)}

    with site(LASTING, vault=nodes, edit=ask) as here, here.consuming():
        nodes.settle()
        yield here


def audited(here, nodes):
    """Stop the daemon and return the figures. Nothing of what happened was worth an alert."""
    here.until("retired keys are destroyed", lambda: not here.ledger.record("acme")["retired"])
    here.daemon.stop()
    nodes.settle()
    assert not [line for line in here.journal.lines if line.get("alert")]
    return here.audit()


def test_the_leader_dies_in_the_middle_of_rotations_and_they_end_well(nodes, figures):
    asked = nodes.standby()
    with site_at(nodes, asked) as here:
        begun = here.journal.mark()
        for number, event in enumerate(MOMENTS):
            nodes.demote(asked)
            since = here.rotate_until(event)
            leader = nodes.leader()
            leader.kill()
            nodes.await_other_leader(leader)
            here.journal.wait_for(
                "key.promoted", since, within_seconds=LONGEST_SECONDS, credential="acme", serial=number + 2
            )
            leader.start()
            nodes.settle()
            here.await_steady()
        figures(outage_seconds=seconds_of(outages(here.journal, begun)), **audited(here, nodes))


def test_without_a_majority_the_daemon_waits_and_with_one_again_the_rotation_goes_on(nodes, figures):
    asked = nodes.standby()
    with site_at(nodes, asked) as here:
        since = here.rotate_until(SENT)
        others = [node for node in nodes.all if node is not asked]
        for node in others:
            node.kill()
        lines = waits(here, since)
        for node in others:
            node.start()
        nodes.settle()
        goes_on(here, nodes, since, lines, figures)


def test_cut_off_with_the_one_node_that_it_asks_the_daemon_waits_until_the_network_is_whole(nodes, figures):
    asked = nodes.leader()
    with site_at(nodes, asked) as here:
        since = here.rotate_until(SENT)
        nodes.links.cut(asked.name)
        lines = waits(here, since)
        nodes.links.mend()
        nodes.settle()
        goes_on(here, nodes, since, lines, figures)


def test_while_the_leader_is_cut_off_rotations_go_on_through_the_majority(nodes, figures):
    asked = nodes.standby()
    with site_at(nodes, asked) as here:
        since = here.rotate_until(SENT)
        leader = nodes.leader()
        nodes.links.cut(leader.name)
        here.journal.wait_for(
            "key.promoted", since, within_seconds=LONGEST_SECONDS, credential="acme", serial=2
        )
        here.journal.wait_for("token.published", here.journal.mark(), credential="acme")
        nodes.links.mend()
        nodes.settle()
        steady = here.await_steady()
        said = seconds_of(outages(here.journal, since))
        figures(outage_seconds=said, steady_after_seconds=round(steady, 1), **audited(here, nodes))


def waits(here, since):
    """Let the outage last, and return how many lines were logged meanwhile."""
    here.journal.wait_for("vault.unavailable", since)
    begun = here.journal.mark()
    time.sleep(AWAY_SECONDS)
    lines = here.journal.mark() - begun
    assert lines <= FEW_LINES
    return lines


def goes_on(here, nodes, since, lines, figures):
    """The rotation ends well, unaided, after one outage that was told on its edges."""
    here.journal.wait_for("vault.recovered", since, within_seconds=LONGEST_SECONDS)
    steady = here.await_steady()
    assert here.ledger.record("acme")["current"] == 2
    said = outages(here.journal, since)
    assert len(said) == 1
    figures(
        outage_seconds=seconds_of(said),
        lines_meanwhile=lines,
        steady_after_seconds=round(steady, 1),
        **audited(here, nodes),
    )


def seconds_of(said):
    """Return how long outages were; all are over, and nothing else was wrong than that Vault did not serve."""
    assert {event for one in said for event in one.events} <= {"vault.unavailable"}
    assert all(one.seconds for one in said)
    return [one.seconds for one in said]
