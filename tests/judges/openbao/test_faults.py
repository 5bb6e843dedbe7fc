"""A real OpenBao behind a proxy that spoils one request: what each writer is told, and what is in Vault then.

OpenBao alone cannot be brought to answer so. Everything goes over TLS.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from rotator.core.model import Record
from rotator.errors import Conflict, Misconfigured, Rejected, RotatorError, Transient
from rotator.secret import Secret
from rotator.vault.documents import Documents
from rotator.vault.guard import MOST_BYTES
from rotator.vault.settings import AppRole
from tests.vault.values import ask, key_pair, record, token
from tests.world.bao import Authority
from tests.world.fake_vault import CAS_MISMATCH
from tests.world.http_fake import Answer
from tests.world.vault_proxy import Spoil, VaultProxy, after, changed, instead, redirected, truncated

pytestmark = pytest.mark.judge("OpenBao, faults on the wire")

TIMEOUT_SECONDS = 0.5
HTML = "<html><body>Please log in</body></html>"
SEALED = {"errors": ["Vault is sealed"]}
QUOTA = {"errors": ['request path "secret/data/x": rate limit quota exceeded']}
BEHIND = {"errors": ["required index state not present"]}


@dataclass(frozen=True)
class Fault:
    """What happens to a request.

    Attributes:
        spoil: on the wire. A text is an address to which a 307 leads.
        error: what the writer is told; None: that all is well.
        perhaps: the error says that the write may have been done.
        happens: the write is done.
    """

    spoil: Spoil | str
    error: type[RotatorError] | None
    code: str = ""
    perhaps: bool = False
    happens: bool = False
    retry_after_seconds: float | None = None


LOST = {"perhaps": True, "happens": True}
UNSURE = {"perhaps": True}
FAULTS = {
    # standbys and redirects
    "307 to a host that is listed": Fault("https://127.0.0.1:{leader}", None, happens=True),
    "307 to another port of the same host": Fault("https://localhost:{leader}", None, happens=True),
    "307 to a host that is not listed": Fault(
        "https://other.example:{leader}", Misconfigured, "vault.redirected"
    ),
    "307 out of TLS": Fault("http://localhost:{leader}", Misconfigured, "vault.redirected"),
    "307 to a dead leader": Fault("https://localhost:{nobody}", Transient, "vault.leader_unreachable"),
    "307 to itself": Fault("https://localhost:{proxy}", Transient, "vault.redirect_loop"),
    "307 to nowhere": Fault(redirected(307, None), Transient, "vault.redirect_loop"),
    "301": Fault(redirected(301, ""), Misconfigured, "vault.redirected"),
    "302 to a login page": Fault(
        redirected(302, "https://login.example"), Misconfigured, "vault.redirected"
    ),
    "303": Fault(redirected(303, ""), Misconfigured, "vault.redirected"),
    "400 that makes up a conflict": Fault(
        instead(Answer(400, {"errors": [CAS_MISMATCH]})), Transient, "vault.behind"
    ),
    "412": Fault(instead(Answer(412, BEHIND)), Transient, "vault.behind"),
    "429 without Retry-After": Fault(instead(Answer(429)), Transient, "vault.standby"),
    "472": Fault(instead(Answer(472)), Transient, "vault.standby"),
    "473": Fault(instead(Answer(473)), Transient, "vault.standby"),
    # limits and outages
    "429 with Retry-After": Fault(
        instead(Answer(429, headers={"Retry-After": "7"})),
        Transient,
        "vault.rate_limited",
        retry_after_seconds=7,
    ),
    "429 of a quota": Fault(instead(Answer(429, QUOTA)), Transient, "vault.rate_limited"),
    "500": Fault(instead(Answer(500, {"errors": ["internal error"]})), Transient, "vault.unavailable", **UNSURE),
    "501": Fault(instead(Answer(501, {"errors": []})), Misconfigured, "vault.uninitialized"),
    "503 sealed": Fault(instead(Answer(503, SEALED)), Transient, "vault.sealed"),
    "503 as HTML with Retry-After": Fault(
        instead(Answer(503, HTML, {"Retry-After": "3"})),
        Transient,
        "vault.unavailable",
        retry_after_seconds=3,
        **UNSURE,
    ),
    "502 as HTML": Fault(instead(Answer(502, HTML)), Transient, "vault.unavailable", **UNSURE),
    "502 in place of Vault's answer": Fault(after(Answer(502, HTML)), Transient, "vault.unavailable", **LOST),
    "504 in place of Vault's answer": Fault(after(Answer(504, HTML)), Transient, "vault.unavailable", **LOST),
    # what is no answer of Vault
    "200 as HTML": Fault(instead(Answer(200, HTML)), Transient, "vault.not_json", **UNSURE),
    "200 as HTML in place of Vault's answer": Fault(after(Answer(200, HTML)), Transient, "vault.not_json", **LOST),
    "403 as HTML": Fault(instead(Answer(403, HTML)), Transient, "vault.not_json", **UNSURE),
    "404 as HTML": Fault(instead(Answer(404, HTML)), Transient, "vault.not_json", **UNSURE),
    "200 with half of Vault's answer": Fault(truncated, Transient, "vault.not_json", **LOST),
    "200 with an empty body": Fault(instead(Answer(200)), Transient, "vault.no_version", **UNSURE),
    "200 with an empty body in place of Vault's answer": Fault(
        changed(body=b""), Transient, "vault.no_version", **LOST
    ),
    "200 with 5 MB": Fault(after(Answer(200, b" " * (MOST_BYTES + 1))), Transient, "vault.too_long", **LOST),
    # connections
    "reset before Vault hears of it": Fault(instead(Answer(reset=True)), Transient, "vault.unreachable", **UNSURE),
    "reset in place of Vault's answer": Fault(after(Answer(reset=True)), Transient, "vault.unreachable", **LOST),
    "closed in place of Vault's answer": Fault(after(Answer(raw=b"")), Transient, "vault.unreachable", **LOST),
    "closed within Vault's answer": Fault(changed(cut=True), Transient, "vault.unreachable", **LOST),
    "silence": Fault(instead(Answer(silent=True)), Transient, "vault.unreachable", **UNSURE),
    "silence in place of Vault's answer": Fault(after(Answer(silent=True)), Transient, "vault.unreachable", **LOST),
    "an answer that drips for too long": Fault(changed(drip_seconds=0.05), Transient, "vault.unreachable", **LOST),
    "an answer that drips and is in time": Fault(changed(drip_seconds=0.0005), None, happens=True),
}  # fmt: skip


@dataclass(frozen=True)
class Write:
    """An essential write.

    Attributes:
        before: brings about what it is written over.
        do: writes. May be done again, as after any failure.
        is_there: tells whether Vault has it, once and whole.
    """

    path: str
    before: Callable[[Documents], object]
    do: Callable[[Documents], object]
    is_there: Callable[[Documents], bool]


def key_is_there(documents: Documents) -> bool:
    try:
        return documents.read_key("acme", 1) == key_pair()
    except Misconfigured:
        return False


def request_is_there(documents: Documents) -> bool:
    waiting = documents.read_request("acme")
    return waiting is not None and (waiting.request, waiting.version) == (ask(), 1)


WRITES = {
    "record": Write(
        "acme/record$",
        lambda documents: documents.write_record("acme", Record(), 0),
        lambda documents: documents.write_record("acme", record(), 1),
        lambda documents: documents.read_record("acme") == (record(), 2),
    ),
    "token": Write(
        "acme/tokens/u$",
        lambda documents: documents.write_token("acme", "u", token("old"), 0),
        lambda documents: documents.write_token("acme", "u", token("new"), 1),
        lambda documents: documents.read_token("acme", "u") == (token("new"), 2),
    ),
    "key": Write(
        "acme/keys/1$",
        lambda _documents: None,
        lambda documents: documents.write_key("acme", 1, key_pair()),
        key_is_there,
    ),
    "request": Write(
        "requests/acme$",
        lambda _documents: None,
        lambda documents: documents.write_request("acme", ask(), {"key": Secret("PEM")}),
        request_is_there,
    ),
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def tls(authority):
    return authority.serve("localhost", "127.0.0.1")


class Wire:
    """What is between the clients and Vault.

    Attributes:
        proxy: the address of the clients.
        leader: where redirects lead: the same Vault under another address.
    """

    def __init__(self, connect, proxy, leader, ca_file):
        self.proxy, self.leader = proxy, leader
        self._connect, self._ca_file = connect, ca_file

    def client(self, login=None):
        return self._connect(
            self.proxy,
            login,
            ca_file=self._ca_file,
            timeout_seconds=TIMEOUT_SECONDS,
            redirect_hosts=(f"127.0.0.1:{port_of(self.leader)}",),
        )

    def spoil(self, fault, path):
        """Let a fault strike all requests that match."""
        spoil = fault.spoil
        if isinstance(spoil, str):
            to = spoil.format(proxy=port_of(self.proxy), leader=port_of(self.leader), nobody=1)
            spoil = redirected(307, to)
        self.proxy.spoil(spoil, path, method="POST")

    def heal(self):
        self.proxy.heal()


def port_of(server):
    return int(server.address.rpartition(":")[2])


@pytest.fixture
def wire(connect, bao, authority, tls):
    with VaultProxy(bao, tls=tls) as proxy, VaultProxy(bao, tls=tls) as leader:
        yield Wire(connect, proxy, leader, authority.ca_file)


@pytest.fixture
def truth(connect, real):
    """The documents without a proxy."""
    return Documents(connect(real))


def told(act) -> RotatorError | None:
    try:
        act()
    except RotatorError as error:
        return error
    return None


def assert_told(error, fault):
    assert (type(error) if error else None, error.code if error else "") == (fault.error, fault.code)
    assert getattr(error, "retry_after_seconds", None) == fault.retry_after_seconds
    assert error is None or error.hint


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_write_is_never_lost_in_silence_and_can_be_done_again(wire, truth, fault, write):
    fault, write = FAULTS[fault], WRITES[write]
    write.before(truth)
    documents = Documents(wire.client())
    documents.read_record("warm")
    wire.spoil(fault, f"/v1/secret/data/.*{write.path}")
    error = told(lambda: write.do(documents))
    assert_told(error, fault)
    assert write.is_there(truth) == fault.happens
    assert (error is not None and error.maybe_done) == fault.perhaps
    wire.heal()
    assert write.is_there(documents) == fault.happens  # what an error leaves open, a look decides
    with suppress(Conflict):  # it was there already
        write.do(documents)
    assert write.is_there(truth)


def test_the_table_holds_each_way_in_which_a_write_can_end():
    ends = {(fault.error is None, fault.perhaps, fault.happens) for fault in FAULTS.values()}
    assert ends == {
        (True, False, True),  # done, and said so
        (False, False, False),  # surely not done
        (False, True, False),  # perhaps done, and was not
        (False, True, True),  # perhaps done, and was
    }


@pytest.fixture
def login(real, base):
    """The login of an AppRole, whose tokens live an hour."""
    role_id, secret_id = real.install_approle(base.replace("/", "-"), token_ttl=3600)
    return AppRole(Secret(role_id), Secret(secret_id))


@pytest.fixture
def passed(monkeypatch):
    """The seconds that have passed for whoever waits after a failed login."""
    passed = [0.0]
    monkeypatch.setattr("rotator.vault.client.time", SimpleNamespace(monotonic=lambda: passed[0]))
    return passed


# A login or a renewal writes no version, so nothing can be made up about it.
OF_LOGINS = [name for name in FAULTS if name != "400 that makes up a conflict"]


@pytest.mark.parametrize("fault", OF_LOGINS)
def test_a_login_that_fails_is_told_and_succeeds_later(wire, login, clock, passed, fault):
    fault = of_login(FAULTS[fault])
    client = wire.client(login)
    wire.spoil(fault, "auth/approle/login$")
    assert_told(told(lambda: client.keep_alive(clock())), fault)
    assert (client.lease() is None) == (fault.error is not None)
    wire.heal()
    passed[0] = 301.0
    client.keep_alive(clock())
    assert client.call(lambda hvac: hvac.auth.token.lookup_self()).status_code == 200


@pytest.mark.parametrize("fault", OF_LOGINS)
def test_a_renewal_that_fails_leaves_a_token_that_works(wire, login, clock, fault):
    """One that cannot get better by itself is made up for by a new login at once."""
    fault = of_login(FAULTS[fault])
    client = wire.client(login)
    client.keep_alive(clock())
    first = client.lease()
    wire.spoil(fault, "auth/token/renew-self$")
    error = told(lambda: client.keep_alive(clock.advance(minutes=41)))
    if fault.error is Transient:
        assert_told(error, fault)
        assert client.lease() is first
    else:
        assert error is None
        assert (client.lease().token == first.token) == (fault.error is None)
    assert client.call(lambda hvac: hvac.auth.token.lookup_self()).status_code == 200
    wire.heal()
    client.keep_alive(clock())
    assert client.lease().granted_at == clock()


def of_login(fault: Fault) -> Fault:
    """Return what a writer of no version is told."""
    error, code = fault.error, fault.code
    if code == "vault.no_version":
        error, code = Rejected, "vault.login.no_token"
    return Fault(fault.spoil, error, code, retry_after_seconds=fault.retry_after_seconds)


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize(
    ("fault", "times"), [("400 that makes up a conflict", 3), ("412", 4)], ids=["conflict", "behind"]
)
def test_a_standby_that_catches_up_within_a_moment_is_not_noticed(wire, truth, fault, times, write):
    write = WRITES[write]
    write.before(truth)
    wire.proxy.spoil(FAULTS[fault].spoil, f"/v1/secret/data/.*{write.path}", method="POST", times=times)
    write.do(Documents(wire.client()))
    assert write.is_there(truth)


def test_only_the_lost_one_of_three_writes_has_to_be_looked_for(wire, truth):
    documents = Documents(wire.client())
    wire.proxy.spoil(after(Answer(reset=True)), "/data/.*tokens/u$", method="POST", nth=2, times=1)
    assert documents.write_token("acme", "u", token("1"), 0) == 1
    error = told(lambda: documents.write_token("acme", "u", token("2"), 1))
    assert (error.code, error.maybe_done) == ("vault.unreachable", True)
    assert documents.read_token("acme", "u") == (token("2"), 2)
    assert documents.write_token("acme", "u", token("3"), 2) == 3
    assert truth.read_token("acme", "u") == (token("3"), 3)


def test_a_key_that_was_written_and_could_not_be_read_back_is_used_by_the_next_attempt(wire, truth):
    documents = Documents(wire.client())
    wire.proxy.spoil(after(Answer(reset=True)), "/data/.*keys/1$", method="GET", times=1)
    assert told(lambda: documents.write_key("acme", 1, key_pair("one"))).code == "vault.unreachable"
    assert documents.write_key("acme", 1, key_pair("two")) == key_pair("one") == truth.read_key("acme", 1)


def test_what_is_not_spoilt_goes_through_unchanged(wire, truth):
    documents = Documents(wire.client())
    for write in WRITES.values():
        write.before(documents)
        write.do(documents)
        assert write.is_there(documents)
        assert write.is_there(truth)
    assert documents.list_requests() == ["acme"]
    documents.delete_request("acme", "r-1")
    documents.destroy_key("acme", 1)
    assert truth.list_requests() == []
