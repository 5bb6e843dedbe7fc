"""Three nodes of OpenBao, of which one is asked that is behind, or whose leader dies.

A standby reads its own data, which is behind, and forwards the rest (OpenBao 2.5 and later).
"""

from __future__ import annotations

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

import pytest
import requests

from rotator.errors import Conflict, RotatorError, Transient
from tests.vault.values import token
from tests.world.bao import LEADER_WITHIN_SECONDS

pytestmark = [
    pytest.mark.judge("OpenBao raft, 3 nodes"),
    pytest.mark.timeout(240),
    # Python's ssl leaves a socket open that was reset between connect and handshake, as a dying server's are.
    pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning"),
]

WRITES = 150
MOST_WRITES_UNTIL_BEHIND = 3000
WRITES_AFTER_A_HARM = 20


# Consistency


def test_what_is_written_through_a_standby_is_read_back_at_once_and_no_conflict_is_made_up(documents):
    for number in range(WRITES):
        assert documents.write_token("acme", "u", token(sequence=number), number) == number + 1
        assert documents.read_token("acme", "u") == (token(sequence=number), number + 1)


def test_a_client_that_knows_nothing_of_standbys_is_told_old_data_by_this_one(nodes, base):
    """So the test above could fail."""
    with requests.Session() as session:
        session.headers["X-Vault-Token"] = nodes.root_token
        ca_file = str(nodes.authority.ca_file)
        url = f"{nodes.address}/v1/secret/data/{base}/bare"
        for version in range(MOST_WRITES_UNTIL_BEHIND):
            wish = {"data": {"number": version}, "options": {"cas": version}}
            written = session.post(url, json=wish, timeout=10, verify=ca_file)
            if written.status_code != HTTPStatus.OK:
                break  # a conflict, although nobody else writes
            read = session.get(url, timeout=10, verify=ca_file)
            if read.status_code != HTTPStatus.OK or read.json()["data"]["metadata"]["version"] <= version:
                break
        else:
            pytest.fail("the standby was never behind")


def test_writers_through_each_of_the_nodes_lose_nothing(nodes, connect_to):
    """As several daemons do that know different addresses."""

    def write(node):
        documents, done = connect_to(node), []
        while len(done) < WRITES_AFTER_A_HARM:
            _, version = documents.read_token("acme", "u")
            try:
                done.append(documents.write_token("acme", "u", token(node.name), version))
            except Conflict:
                continue
        return done

    with ThreadPoolExecutor() as pool:
        done = sorted(itertools.chain(*pool.map(write, nodes.all)))
    assert done == list(range(1, len(done) + 1))


# Failover


class Writer(threading.Thread):
    """Writes tokens with growing sequence, one over the other, and goes on whatever happens.

    Attributes:
        written: version -> sequence of what Vault has confirmed.
        undone: the sequences whose write failed and is said to have surely done nothing.
        errors: what failed: kind and code. (The errors themselves would keep dead connections open.)
        made_up: conflicts although the version stood.
    """

    def __init__(self, documents, version):
        super().__init__()
        self._documents, self._version = documents, version
        self.written: dict[int, int] = {}
        self.undone: set[int] = set()
        self.errors: list[tuple[type[RotatorError], str]] = []
        self.made_up: list[int] = []
        self.stopping = threading.Event()
        self._progress = threading.Semaphore(0)

    def run(self):
        version = self._version
        for sequence in itertools.count(1):
            if self.stopping.is_set():
                return
            before = version
            try:
                version = self._documents.write_token("acme", "u", token(sequence=sequence), before)
                self.written[version] = sequence
                self._progress.release()
            except Conflict:
                version = self._look()
                if version == before:
                    self.made_up.append(version)
            except RotatorError as error:
                self.errors.append((type(error), error.code))
                if not error.maybe_done:
                    self.undone.add(sequence)
                version = self._look()

    def _look(self):
        while True:
            try:
                return self._documents.read_token("acme", "u")[1]
            except RotatorError as error:
                self.errors.append((type(error), error.code))

    def await_writes(self, count):
        """Wait for so many more writes that Vault confirms."""
        for _ in range(count):
            assert self._progress.acquire(timeout=60), self.errors[-3:]


@pytest.fixture
def writer(nodes, connect_to, base):
    """A writer through a standby, at work; Vault keeps all that it writes."""
    documents = connect_to(nodes.standby())
    documents.write_token("acme", "u", token(sequence=0), 0)
    nodes.request("POST", f"secret/metadata/{base}/acme/tokens/u", {"max_versions": 100_000})
    writer = Writer(documents, version=1)
    writer.start()
    yield writer
    writer.stopping.set()
    writer.join()


def patiently(call, *arguments):
    """Call until it is no outage: a standby hears of a new leader a little later than we do."""
    give_up = time.monotonic() + LEADER_WITHIN_SECONDS
    while True:
        try:
            return call(*arguments)
        except Transient:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.05)


def stored(nodes, base):
    """Return version -> sequence of all that is in Vault, as the leader knows it."""
    path = f"{base}/acme/tokens/u"
    versions = nodes.request("GET", f"secret/metadata/{path}")["data"]["versions"]
    with requests.Session() as session:
        session.headers["X-Vault-Token"] = nodes.root_token
        url, ca_file = f"{nodes.leader().address}/v1/secret/data/{path}", str(nodes.authority.ca_file)
        read = (
            session.get(url, params={"version": number}, timeout=10, verify=ca_file) for number in versions
        )
        return {
            found["data"]["metadata"]["version"]: found["data"]["data"]["sequence"]
            for found in (answer.json() for answer in read)
        }


HARMS = {
    "killed": (lambda node: node.kill(), lambda node: node.start()),
    "frozen": (lambda node: node.freeze(), lambda node: node.wake()),
    "stepping down": (lambda node: node.request("POST", "sys/step-down"), lambda node: None),
}


@pytest.mark.parametrize("harm", HARMS)
def test_while_the_leader_is_replaced_writes_fail_as_transient_and_go_on_unaided_with_nothing_lost(
    nodes, writer, base, harm
):
    hurt, mend = HARMS[harm]
    leader = nodes.leader()
    writer.await_writes(WRITES_AFTER_A_HARM)
    hurt(leader)
    try:
        nodes.await_other_leader(leader)
        writer.await_writes(WRITES_AFTER_A_HARM)
    finally:
        mend(leader)
        nodes.settle()
    writer.await_writes(WRITES_AFTER_A_HARM)
    writer.stopping.set()
    writer.join()
    found = stored(nodes, base)
    assert writer.written.items() <= found.items()
    assert writer.undone.isdisjoint(found.values())
    assert len(set(found.values())) == len(found)
    assert writer.made_up == []
    assert {kind for kind, _code in writer.errors} <= {Transient}
    assert writer.errors or harm != "killed"  # a standby bridges what is short


def test_a_redirect_to_a_leader_that_is_dead_is_transient_and_has_surely_done_nothing(nodes, connect_to):
    leader, standby = nodes.leader(), nodes.standby()
    documents = connect_to(standby)
    documents.write_token("acme", "u", token(sequence=1), 0)
    leader.kill()
    try:
        sent = requests.put(
            f"{standby.address}/v1/secret/data/elsewhere",
            headers={"X-Vault-Token": nodes.root_token},
            json={"data": {}},
            verify=str(nodes.authority.ca_file),
            allow_redirects=False,
            timeout=10,
        )
        assert (sent.status_code, sent.headers["Location"].startswith(leader.address)) == (307, True)
        with pytest.raises(Transient) as caught:
            documents.write_token("acme", "u", token(sequence=2), 1)
        assert (caught.value.code, caught.value.maybe_done) == ("vault.leader_unreachable", False)
        nodes.await_other_leader(leader)
        assert patiently(documents.read_token, "acme", "u") == (token(sequence=1), 1)
        assert patiently(documents.write_token, "acme", "u", token(sequence=3), 1) == 2
    finally:
        leader.start()
        nodes.settle()


def test_without_a_majority_no_write_succeeds_and_with_one_again_they_do(nodes, connect_to):
    leader, standby = nodes.leader(), nodes.standby()
    third = next(node for node in nodes.all if node not in (leader, standby))
    documents = connect_to(standby)
    documents.write_token("acme", "u", token(sequence=1), 0)
    for node in (leader, third):
        node.kill()
    try:
        for _ in range(3):
            with pytest.raises(Transient):
                documents.write_token("acme", "u", token(sequence=2), 1)
    finally:
        for node in (third, leader):
            node.start()
        nodes.settle()
    _, version = patiently(documents.read_token, "acme", "u")
    assert documents.write_token("acme", "u", token(sequence=3), version) == version + 1
