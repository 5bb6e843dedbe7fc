"""What a single healthy server never does: standbys, redirects, limits, proxies, cut answers."""

from __future__ import annotations

import gzip
import secrets
import ssl
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme

from rotator.core.model import Record
from rotator.errors import Compromised, Conflict, Misconfigured, Rejected, RotatorError, Transient
from rotator.secret import Secret
from rotator.vault.documents import Documents
from rotator.vault.guard import MOST_BYTES, GuardedSession, Shared
from rotator.vault.settings import AppRole, Certificate, Token, VaultSettings
from tests.vault.values import ask, key_pair, record, token
from tests.world.fake_vault import CAS_MISMATCH, FakeVault
from tests.world.http_fake import Answer, HttpFake

HTML = b"<html><body>Please log in</body></html>"
QUOTA = {"errors": ['request path "secret/data/x": rate limit quota exceeded']}
SEALED = {"errors": ["Vault is sealed"]}
UPGRADING = {
    "errors": ["Upgrading from non-versioned to versioned data. This backend will be unavailable..."]
}

# status, body, headers -> error, code
FAULTS = [
    (429, b"", {"Retry_After": "7"}, Transient, "vault.rate_limited"),
    (429, QUOTA, {}, Transient, "vault.rate_limited"),
    (429, b"", {}, Transient, "vault.standby"),
    (472, b"", {}, Transient, "vault.standby"),
    (473, b"", {}, Transient, "vault.standby"),
    (503, SEALED, {}, Transient, "vault.sealed"),
    (503, HTML, {"Retry_After": "3"}, Transient, "vault.unavailable"),
    (502, HTML, {}, Transient, "vault.unavailable"),
    (500, {"errors": ["internal error"]}, {}, Transient, "vault.unavailable"),
    (501, {"errors": []}, {}, Misconfigured, "vault.uninitialized"),
    (400, UPGRADING, {}, Transient, "vault.upgrading"),
    (400, {"errors": ["something else"]}, {}, Rejected, "vault.refused"),
    (404, {"errors": ["namespace not found"]}, {}, Misconfigured, "vault.namespace_absent"),
    (404, {"errors": ['no handler for route "secret/data/x"']}, {}, Misconfigured, "vault.mount_absent"),
    (405, {"errors": ["unsupported operation"]}, {}, Misconfigured, "vault.unsupported"),
    (404, HTML, {}, Transient, "vault.not_json"),
    (403, HTML, {}, Transient, "vault.not_json"),
    (200, HTML, {}, Transient, "vault.not_json"),
    (200, b'{"data": {"data": {"schema"', {}, Transient, "vault.not_json"),
    (200, {"data": {"data": {}}}, {}, Transient, "vault.no_version"),
    (204, b"", {}, Transient, "vault.no_version"),
    (301, b"", {"Location": "/v1/elsewhere"}, Misconfigured, "vault.redirected"),
    (302, b"", {"Location": "https://login.example/"}, Misconfigured, "vault.redirected"),
    (307, b"", {"Location": "https://other.example:8200/v1/x"}, Misconfigured, "vault.redirected"),
    (307, b"", {}, Transient, "vault.redirect_loop"),
]


@pytest.fixture
def documents(connect: Any, fake: FakeVault) -> Documents:
    """Documents whose client is logged in and has seen the mount."""
    made = Documents(connect(fake))
    made.read_record("warm")
    return made


@pytest.mark.parametrize("verb", ["GET", "POST"], ids=["read", "write"])
@pytest.mark.parametrize("fault", FAULTS)
def test_each_answer_of_vault_has_its_own_error_with_a_hint(
    documents: Documents, fake: FakeVault, verb: str, fault: tuple[int, Any, dict[str, str], Any, str]
):
    status, body, headers, error, code = fault
    fake.inject(status, body, method=verb, path="/record", times=9, **headers)
    with pytest.raises(error) as caught:
        documents.read_record("acme") if verb == "GET" else documents.write_record("acme", record(), 1)
    assert caught.value.code == code
    assert caught.value.hint or code == "vault.upgrading"
    assert caught.value.retry_after_seconds == (
        float(headers["Retry_After"]) if "Retry_After" in headers else None
    )


@pytest.mark.parametrize(
    ("said", "seconds"), [("0", 0), ("7.5", 7.5), ("86400", 300), ("inf", 300), ("-1", None), ("nan", None)]
)
def test_vault_is_not_let_to_send_us_away_for_long(
    documents: Documents, fake: FakeVault, said: str, seconds: float | None
):
    fake.inject(503, HTML, path="/record", Retry_After=said)
    with pytest.raises(Transient) as caught:
        documents.read_record("acme")
    assert caught.value.retry_after_seconds == seconds


@pytest.mark.parametrize("status", [500, 502, 200, 204])
def test_a_write_without_a_clear_answer_is_perhaps_done(documents: Documents, fake: FakeVault, status: int):
    fake.inject(status, b"" if status == 204 else HTML, method="POST", path="secret/data/", after=True)
    with pytest.raises(Transient) as caught:
        documents.write_token("acme", "u", token(), 0)
    assert caught.value.maybe_done
    assert documents.read_token("acme", "u") == (token(), 1)


def test_an_answer_that_is_cut_short_leaves_a_write_perhaps_done(documents: Documents, fake: FakeVault):
    fake.inject(200, b'{"data": {"version": 1', method="POST", path="secret/data/", cut=True)
    with pytest.raises(Transient) as caught:
        documents.write_record("acme", record(), 1)
    assert (caught.value.code, caught.value.maybe_done) == ("vault.unreachable", True)
    fake.inject(200, b'{"data": {"version": 1', method="GET", cut=True)
    with pytest.raises(Transient) as caught:
        documents.read_record("acme")
    assert caught.value.maybe_done is False


def test_a_server_that_is_not_there_has_surely_done_nothing(connect: Any):
    server = FakeVault()
    documents = Documents(connect(server))
    server.inject(404, {"errors": []}, path="/record", Connection="close")
    documents.read_record("acme")
    server.stop()
    with pytest.raises(Transient) as caught:
        documents.write_record("acme", record(), 1)
    assert (caught.value.code, caught.value.maybe_done) == ("vault.unreachable", False)


@pytest.mark.parametrize("status", [400, 404, 500])
def test_what_vault_or_a_proxy_repeats_of_our_request_is_not_quoted(
    connect: Any, fake: FakeVault, status: int
):
    vault_token = f"s.{secrets.token_hex(12)}"
    client = connect(fake)
    fake.inject(status, {"errors": [f"bad request: X-Vault-Token: {vault_token}"]}, path="/record")
    with pytest.raises(RotatorError, match="bad request") as caught:
        Documents(client).read_record("acme")
    assert vault_token not in f"{caught.value.message} {caught.value.hint}"


def test_a_server_that_was_stopped_and_started_is_used_again(connect: Any, fake: FakeVault):
    documents = Documents(connect(fake))
    documents.read_record("acme")
    fake.inject(200, b"", path="secret/data/", cut=True)
    with pytest.raises(Transient):
        documents.read_record("acme")
    assert documents.read_record("acme") == (Record(), 0)


# Answers without end


@pytest.fixture
def rude() -> Iterator[HttpFake]:
    with HttpFake() as server:
        server.address = f"http://127.0.0.1:{server.port}"
        server.root_token = "root"
        yield server


DRIPPING = {
    "body": Answer(body=b"{" + b" " * 5000 + b"}", drip_seconds=0.02),
    "headers": Answer(headers={f"X-{number}": "x" * 50 for number in range(90)}, drip_seconds=0.02),
    "chunks": Answer(body=b"1\r\n \r\n" * 900, headers={"Transfer-Encoding": "chunked"}, drip_seconds=0.02),
}


@pytest.mark.parametrize("answer", DRIPPING.values(), ids=DRIPPING)
def test_an_answer_that_drips_is_left_at_its_deadline(connect: Any, rude: HttpFake, answer: Answer):
    """Each lasts for a minute or more, and no pause in it is longer than the timeout."""
    rude.answer = answer
    client = connect(rude, AppRole(Secret("r"), Secret("s")), timeout_seconds=0.2)
    with pytest.raises(Transient, match="did not answer in time") as caught:
        client.health()
    assert (caught.value.code, caught.value.maybe_done) == ("vault.unreachable", False)
    with pytest.raises(Transient, match="did not answer in time") as caught:
        client.keep_alive(datetime.now(UTC))  # so that nobody waits for the login lock either
    assert caught.value.maybe_done


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b" " * (MOST_BYTES + 1)),
        Answer(body=b" " * (MOST_BYTES + (1 << 17)), headers={"Content-Length": str(1 << 40)}),
        Answer(body=gzip.compress(b" " * (1 << 26)), headers={"Content-Encoding": "gzip"}),
    ],
    ids=["long", "endless", "packed"],
)
def test_an_answer_that_is_too_long_is_not_read_to_its_end(connect: Any, rude: HttpFake, answer: Answer):
    rude.answer = answer
    client = connect(rude, AppRole(Secret("r"), Secret("s")))
    with pytest.raises(Transient) as caught:
        client.health()
    assert (caught.value.code, caught.value.maybe_done) == ("vault.too_long", False)
    with pytest.raises(Transient) as caught:
        client.keep_alive(datetime.now(UTC))
    assert (caught.value.code, caught.value.maybe_done) == ("vault.too_long", True)


def test_the_longest_answer_of_vault_is_read(connect: Any, rude: HttpFake):
    rude.answer = Answer(body=b" " * (MOST_BYTES - 2) + b"{}", headers={"Content-Type": "application/json"})
    assert connect(rude).health().json() == {}


# Consistency


@pytest.mark.parametrize("lies", [1, 2, 3])
def test_a_conflict_is_not_believed_while_the_version_stands(
    documents: Documents, fake: FakeVault, lies: int
):
    fake.inject(400, {"errors": [CAS_MISMATCH]}, method="POST", path="secret/data/", times=lies)
    assert documents.write_record("acme", record(), 0) == 1


def test_a_standby_that_never_sees_the_truth_is_told_from_a_conflict(documents: Documents, fake: FakeVault):
    fake.inject(400, {"errors": [CAS_MISMATCH]}, method="POST", path="secret/data/", times=9)
    with pytest.raises(Transient) as caught:
        documents.write_record("acme", record(), 0)
    assert caught.value.code == "vault.behind"


def test_a_conflict_is_believed_where_reading_is_not_allowed(
    documents: Documents, fake: FakeVault, base: str
):
    fake.edit(f"{base}/acme/record", {})
    fake.inject(403, {"errors": ["permission denied"]}, method="GET", path="secret/data/")
    with pytest.raises(Conflict):
        documents.write_record("acme", record(), 0)


def test_each_request_echoes_the_newest_index_and_asks_to_be_forwarded(documents: Documents, fake: FakeVault):
    documents.write_record("acme", record(), 0)
    documents.read_record("acme")
    assert fake.seen[-1].headers["x-vault-index"] == "index-2"  # the settings of the path, then the record
    assert {seen.headers["x-vault-inconsistent"] for seen in fake.seen} == {"forward-active-node"}


def test_a_server_that_has_not_seen_our_write_is_asked_again(documents: Documents, fake: FakeVault):
    fake.inject(412, {"errors": ["required index state not present"]}, times=2)
    assert documents.read_record("acme") == (Record(), 0)
    fake.inject(412, {"errors": ["required index state not present"]}, times=9)
    with pytest.raises(Transient) as caught:
        documents.read_record("acme")
    assert caught.value.code == "vault.behind"


def test_a_vault_that_never_reaches_our_index_is_used_without_it(documents: Documents, fake: FakeVault):
    """It was restored from a backup: what we have seen of it is gone."""
    documents.write_record("acme", record(), 0)
    fake.inject(412, {"errors": ["required index state not present"]}, times=5)
    with pytest.raises(Transient):
        documents.read_record("acme")
    assert documents.read_record("acme") == (record(), 1)
    assert "x-vault-index" not in fake.seen[-1].headers


# Redirects


@pytest.fixture
def active() -> Iterator[FakeVault]:
    server = FakeVault()
    yield server
    server.stop()


@pytest.mark.parametrize("status", [307, 308])
def test_a_standby_on_the_same_host_is_followed_with_method_and_body_kept(
    documents: Documents, fake: FakeVault, active: FakeVault, base: str, status: int
):
    where = f"secret/data/{base}/acme/record"
    fake.inject(status, method="POST", path=where, Location=f"{active.address}/v1/{where}")
    assert documents.write_record("acme", record(), 0) == 1
    assert active.seen[-1].body["options"] == {"cas": 0}
    assert active.seen[-1].headers["x-vault-token"] == "root"


def test_another_host_gets_no_token_unless_it_is_listed(connect: Any, fake: FakeVault, active: FakeVault):
    other = f"localhost:{active.port}"
    fake.inject(307, path="lookup-self", times=2, Location=f"http://{other}/v1/auth/token/lookup-self")
    with pytest.raises(Misconfigured, match="the token would go with it"):
        Documents(connect(fake)).read_record("acme")
    assert active.seen == []
    listed = connect(fake, redirect_hosts=(other,))
    assert listed.call(lambda hvac: hvac.auth.token.lookup_self()).status_code == 200
    assert [seen.path for seen in active.seen] == ["auth/token/lookup-self"]


def test_a_leader_that_cannot_be_reached_is_told_from_the_standby_that_leads_there(
    connect: Any, fake: FakeVault, active: FakeVault
):
    active.stop()
    where = f"{active.address}/v1/auth/token/lookup-self"
    fake.inject(307, path="lookup-self", Location=where)
    with pytest.raises(Transient) as caught:
        Documents(connect(fake)).read_record("acme")
    told = f"Vault at {active.address}, to which {fake.address} redirects, cannot be reached"
    assert caught.value.message.startswith(told)
    fake.stop()
    with pytest.raises(Transient, match=f"Vault at {fake.address} cannot be reached"):
        Documents(connect(fake)).read_record("acme")


def redirected(connect: Any, fake: FakeVault, location: str, **settings: Any) -> RotatorError:
    fake.inject(307, path="lookup-self", Location=location)
    with pytest.raises(RotatorError) as caught:
        Documents(connect(fake, **settings)).read_record("acme")
    return caught.value


@pytest.mark.parametrize("listed", ["127.1.2.3.example.com", "vault-1.localhost", "192.0.2.1"])
def test_plain_http_is_not_followed_to_another_machine_although_it_is_listed(
    connect: Any, fake: FakeVault, listed: str
):
    where = f"http://{listed}:8200/v1/auth/token/lookup-self"
    error = redirected(connect, fake, where, redirect_hosts=(listed, f"{listed}:8200"))
    assert (error.code, "https" in error.hint) == ("vault.redirected", True)
    assert f"http://{listed}:8200" in error.message


@pytest.mark.parametrize(
    "location", ["http://[::1", "http://a:99999/", "ftp://127.0.0.1/", "//[", "file:///x"]
)
def test_a_redirect_to_no_address_is_not_followed(connect: Any, fake: FakeVault, location: str):
    assert redirected(connect, fake, location).code == "vault.redirected"


@pytest.mark.parametrize(
    ("listed", "location"),
    [
        ("vault-1.example.com", "https://Vault-1.example.com:8200/"),
        ("vault-1.example.com:8200", "https://VAULT-1.example.com:8200/"),
        ("vault-1.example.com:443", "https://vault-1.example.com/"),
        ("[2001:db8::1]:8200", "https://[2001:db8::1]:8200/"),
        ("[2001:db8::1]", "https://[2001:db8::1]/"),
    ],
)
def test_a_listed_host_is_known_however_it_is_written(listed: str, location: str):
    """Asked of the session alone: no test reaches these hosts."""
    settings = VaultSettings("https://vault.example.com:8200", Token(Secret("t")), redirect_hosts=(listed,))
    session = GuardedSession(settings, Shared())
    response = requests.Response()
    response.status_code, response.headers["Location"] = 307, location
    assert session._next("https://vault.example.com:8200/v1/x", response) == location.lower()
    for other in ("https://x-", "https://evil.example\\@", "http://"):
        response.headers["Location"] = location.replace("https://", other)
        with pytest.raises(Misconfigured):
            session._next("https://vault.example.com:8200/v1/x", response)


# The mount, the policy, the token


def test_a_mount_of_version_1_is_refused_before_anything_is_written(connect: Any, fake: FakeVault):
    fake.kv_version = "1"
    documents = Documents(connect(fake))
    for write in (
        lambda: documents.write_key("acme", 1, key_pair()),
        lambda: documents.write_record("acme", record(), 1),
        lambda: documents.write_request("acme", ask(), {}),
    ):
        with pytest.raises(Misconfigured) as caught:
            write()
        assert caught.value.code == "vault.kv_version"
    assert {seen.method for seen in fake.seen} == {"GET"}


def test_a_refusal_by_policy_names_path_and_line(documents: Documents, fake: FakeVault, base: str):
    fake.denied = {f"secret/data/{base}/acme/record"}
    with pytest.raises(Misconfigured) as caught:
        documents.read_record("acme")
    assert caught.value.code == "vault.permission_denied"
    assert f'path "secret/data/{base}/acme/record" {{ capabilities = ["read"] }}' in caught.value.hint
    with pytest.raises(Misconfigured) as caught:
        documents.write_record("acme", record(), 1)
    assert '["create", "update"]' in caught.value.hint


def test_a_key_that_reads_back_otherwise_is_not_used(documents: Documents, fake: FakeVault):
    other = {"private_key_pem": "x", "certificate_pem": "y", "schema": 1}
    fake.inject(200, {"data": {"data": other, "metadata": {"version": 1}}}, method="GET", path="keys/1")
    with pytest.raises(Transient) as caught:
        documents.write_key("acme", 1, key_pair())
    assert caught.value.code == "vault.key.unequal"


def test_a_late_writer_of_a_key_that_is_being_destroyed_loses_it(
    documents: Documents, fake: FakeVault, base: str
):
    fake.inject(404, {"errors": []}, method="GET", path="metadata/")  # looked at just before the late write
    documents.write_key("acme", 1, key_pair())
    documents.destroy_key("acme", 1)
    assert [version.destroyed for version in fake.entries[f"{base}/acme/keys/1"].versions.values()] == [True]


def test_a_key_that_cannot_be_seen_destroyed_is_not_reported_destroyed(documents: Documents, fake: FakeVault):
    documents.write_key("acme", 1, key_pair())
    fake.inject(204, method="POST", path="secret/destroy/")
    with pytest.raises(Transient) as caught:
        documents.destroy_key("acme", 1)
    assert caught.value.code == "vault.key.not_destroyed"


def test_no_error_shows_what_was_sent(documents: Documents, fake: FakeVault):
    secret = secrets.token_hex()
    for status, body in [(400, {"errors": ["no"]}), (500, {"errors": ["no"]}), (200, HTML), (302, b"")]:
        fake.inject(status, body, method="POST", path="secret/data/")
        with pytest.raises((Rejected, Transient, Misconfigured, Compromised)) as caught:
            documents.write_token("acme", "u", token(secret), 1)
        shown = traceback.format_exception(caught.value)
        assert secret not in "".join(shown) + caught.value.hint
        assert caught.value.__cause__ is None


def test_the_clock_of_vault_is_read_from_its_answers(connect: Any, fake: FakeVault):
    client = connect(fake)
    assert client.clock_skew() is None
    fake.skew_seconds = 300
    client.health()
    assert abs(client.clock_skew() - timedelta(seconds=300)) < timedelta(seconds=5)


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_vault(authority: trustme.CA) -> Iterator[FakeVault]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    server = FakeVault(tls=context)
    yield server
    server.stop()


def test_a_redirect_out_of_tls_is_not_followed(
    connect: Any, tls_vault: FakeVault, fake: FakeVault, authority: trustme.CA, tmp_path: Path
):
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    tls_vault.inject(307, path="lookup-self", Location=f"{fake.address}/v1/auth/token/lookup-self")
    with pytest.raises(Misconfigured) as caught:
        Documents(connect(tls_vault, ca_file=tmp_path / "ca.pem")).read_record("acme")
    assert (caught.value.code, fake.seen) == ("vault.redirected", [])


def test_an_untrusted_certificate_is_a_setting_to_mend(connect: Any, tls_vault: FakeVault):
    with pytest.raises(Misconfigured) as caught:
        Documents(connect(tls_vault)).read_record("acme")
    assert (caught.value.code, "vault.ca_file" in caught.value.hint) == ("vault.tls", True)


def test_a_client_certificate_logs_in_over_a_connection_that_the_ca_file_trusts(
    connect: Any, tls_vault: FakeVault, authority: trustme.CA, tmp_path: Path
):
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    mine = authority.issue_cert("rotator.example")
    mine.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    mine.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    login = Certificate(tmp_path / "cert.pem", tmp_path / "key.pem", role="rotator")
    client = connect(tls_vault, login, ca_file=tmp_path / "ca.pem")
    assert Documents(client).read_record("acme") == (Record(), 0)
    assert tls_vault.seen[0].body == {"name": "rotator"}


def test_a_ca_file_that_is_not_there_is_a_setting_to_mend(connect: Any, tls_vault: FakeVault, tmp_path: Path):
    with pytest.raises(Misconfigured) as caught:
        Documents(connect(tls_vault, ca_file=tmp_path / "none.pem")).read_record("acme")
    assert caught.value.code == "vault.tls_file"


@pytest.mark.parametrize("address", ["vault.example.com", "htp://vault", "http://:x"])
def test_an_address_that_is_none_is_a_setting_to_mend(fake: FakeVault, connect: Any, address: str):
    fake.address = address
    with pytest.raises(Misconfigured) as caught:
        Documents(connect(fake)).read_record("acme")
    assert caught.value.code == "vault.address"


def test_a_token_that_cannot_be_a_header_is_a_setting_to_mend(fake: FakeVault, connect: Any):
    with pytest.raises(Misconfigured) as caught:
        Documents(connect(fake, Token(Secret("two\nlines")))).read_record("acme")
    assert caught.value.code == "vault.token_malformed"
    assert "lines" not in f"{caught.value!r}"


def test_a_namespace_that_cannot_be_a_header_is_a_setting_to_mend(fake: FakeVault, connect: Any):
    with pytest.raises(Misconfigured, match="namespace") as caught:
        connect(fake, namespace="日本").health()
    assert caught.value.code == "vault.token_malformed"
