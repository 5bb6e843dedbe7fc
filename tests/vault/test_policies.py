"""The printed policies, proved on the real server: what is needed works, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rotator.core.model import Record
from rotator.errors import Misconfigured
from rotator.sandbox.vault import BaoServer
from rotator.sandbox.vault_api import BaoError
from rotator.secret import Secret
from rotator.vault.documents import Documents
from rotator.vault.policies import Holder, policy
from rotator.vault.settings import Token
from rotator.vault.verify import verify
from tests.vault.values import ask, key_pair, record, token
from tests.world.fake_vault import FakeVault

USER = "o'brien+1@acme.example"


@pytest.fixture
def holder_of(bao: BaoServer, base: str, connect: Any, real: Any) -> Callable[..., Any]:
    """Return a client that holds a printed policy."""

    def make(holder: Holder, **narrowed: str) -> Any:
        name = f"{holder}-{base.replace('/', '-')}"
        bao.install_policy(name, policy(holder, "secret", base, **narrowed))
        return connect(real, Token(Secret(bao.make_token([name]))))

    return make


def refused(action: Callable[[], object]) -> None:
    with pytest.raises(Misconfigured) as caught:
        action()
    assert caught.value.code == "vault.permission_denied"


def test_the_daemon_can_do_all_that_it_does(holder_of: Any, documents_of_root: Documents):
    daemon = Documents(holder_of("daemon"))
    assert daemon.write_record("acme", record(), 0) == 1
    assert daemon.write_record("acme", record(), 1) == 2
    assert daemon.read_record("acme") == (record(), 2)
    assert daemon.write_token("acme", USER, token(), daemon.read_token("acme", USER)[1]) == 1
    assert daemon.write_key("acme", 1, key_pair()) == daemon.write_key("acme", 1, key_pair("two"))
    daemon.destroy_key("acme", 1)
    daemon.destroy_key("acme", 2)
    documents_of_root.write_request("acme", ask())
    assert daemon.list_requests() == ["acme"]
    daemon.delete_request("acme", ask().id)
    assert daemon.list_requests() == []


def test_the_daemon_can_do_nothing_else(
    holder_of: Any, bao: BaoServer, base: str, documents_of_root: Documents
):
    documents_of_root.write_record("acme", record(), 0)
    documents_of_root.write_key("acme", 1, key_pair())
    vault_token = holder_of("daemon").settings.login.token.reveal()
    for method, path in [
        ("DELETE", f"secret/metadata/{base}/acme/record"),
        ("DELETE", f"secret/data/{base}/acme/record"),
        ("DELETE", f"secret/metadata/{base}/acme/keys/1"),
        ("DELETE", f"secret/data/{base}/acme/keys/1"),
        ("POST", f"secret/destroy/{base}/acme/record"),
        ("POST", f"secret/data/{base}/acme/other"),
        ("GET", "secret/data/elsewhere"),
        ("LIST", "secret/metadata"),
        ("POST", "secret/config"),
        ("GET", "sys/policies/acl"),
        ("POST", "auth/token/create"),
    ]:
        with pytest.raises(BaoError, match="permission denied"):
            bao.request(method, path, {"data": {}} if method == "POST" else None, token=vault_token)


def test_an_operator_reads_records_and_asks_and_sees_no_secret(holder_of: Any, documents_of_root: Documents):
    documents_of_root.write_record("acme", record(), 0)
    documents_of_root.write_key("acme", 1, key_pair())
    documents_of_root.write_token("acme", USER, token(), 0)
    operator = Documents(holder_of("operator"))
    assert operator.read_record("acme") == (record(), 1)
    operator.write_request("acme", ask(), {"private_key": Secret("PEM")})
    refused(lambda: operator.read_request("acme"))
    refused(lambda: operator.read_key("acme", 1))
    refused(lambda: operator.read_token("acme", USER))
    refused(lambda: operator.write_record("acme", Record(), 1))
    refused(lambda: operator.destroy_key("acme", 1))
    refused(operator.list_requests)


def test_an_operator_whose_request_meets_another_is_told_so(holder_of: Any):
    operator = Documents(holder_of("operator"))
    operator.write_request("acme", ask())
    with pytest.raises(Exception, match="waits already"):
        operator.write_request("acme", ask("r-2"))


def test_an_operator_of_one_credential_reaches_no_other(holder_of: Any, documents_of_root: Documents):
    for name in ("acme", "globex"):
        documents_of_root.write_record(name, record(), 0)
    operator = Documents(holder_of("operator", credential="acme"))
    assert operator.read_record("acme") == (record(), 1)
    refused(lambda: operator.read_record("globex"))
    refused(lambda: operator.write_request("globex", ask()))


@pytest.mark.parametrize("narrowed", [{}, {"user": USER}], ids=["credential", "one user"])
def test_a_consumer_reads_its_tokens_and_nothing_else(
    holder_of: Any, documents_of_root: Documents, bao: BaoServer, base: str, narrowed: dict[str, str]
):
    for name, user in [("acme", USER), ("acme", "other@acme.example"), ("globex", USER)]:
        documents_of_root.write_token(name, user, token(username=user), 0)
    documents_of_root.write_record("acme", record(), 0)
    documents_of_root.write_key("acme", 1, key_pair())
    client = holder_of("consumer", credential="acme", **narrowed)
    consumer = Documents(client)
    assert consumer.read_token("acme", USER) == (token(username=USER), 1)
    if narrowed:
        refused(lambda: consumer.read_token("acme", "other@acme.example"))
    refused(lambda: consumer.read_token("globex", USER))
    refused(lambda: consumer.read_record("acme"))
    refused(lambda: consumer.read_key("acme", 1))
    refused(lambda: consumer.write_token("acme", USER, token(), 1))
    refused(consumer.list_requests)


@pytest.mark.parametrize(
    ("mount", "base"), [('s"', "b"), ("secret", "a/*"), ("secret", "a//b"), ("", "b"), ("+", "b")]
)
def test_a_mount_or_base_path_that_a_policy_would_misread_is_refused(mount: str, base: str):
    with pytest.raises(Misconfigured, match="cannot be used as"):
        policy("daemon", mount, base)


def test_a_consumer_policy_for_everybody_is_refused():
    with pytest.raises(Misconfigured, match="for one credential"):
        policy("consumer", "secret", "salesforce")


def test_the_consumer_policy_reads_as_documented():
    assert policy("consumer", "secret", "salesforce", credential="acme", user=USER) == (
        "# access tokens of acme\n"
        'path "secret/data/salesforce/acme/tokens/o%27brien+1@acme.example" {\n'
        '  capabilities = ["read"]\n'
        "}\n"
    )


# doctor


def test_doctor_finds_nothing_wrong_with_the_printed_policy(holder_of: Any):
    findings = list(verify(holder_of("daemon"), {"acme": [USER], "globex": ["a@x", "b@x"]}))
    assert [finding for finding in findings if not finding.ok] == []
    assert {
        "vault.server",
        "vault.login",
        "vault.clock",
        "vault.mount",
        "vault.deletion",
        "vault.policy",
    } == {finding.subject for finding in findings}


def test_doctor_names_each_line_that_a_policy_lacks(connect: Any, real: Any, bao: BaoServer, base: str):
    name = f"short-{base.replace('/', '-')}"
    text = policy("daemon", "secret", base).replace('"create", "read", "update"', '"read"')
    bao.install_policy(name, text)
    client = connect(real, Token(Secret(bao.make_token([name]))))
    hints = [finding.hint for finding in verify(client, {"acme": [USER]}) if not finding.ok]
    assert (
        f'Add: path "secret/data/{base}/acme/record" {{ capabilities = ["create", "read", "update"] }}'
        in hints
    )
    assert len(hints) == 5


def test_doctor_warns_of_root_and_of_a_mount_that_deletes_by_itself(connect: Any, real: Any):
    real.set_delete_version_after("1h")
    try:
        bad = {
            finding.subject: finding for finding in verify(connect(real), {"acme": [USER]}) if not finding.ok
        }
    finally:
        real.set_delete_version_after("0s")
    assert set(bad) == {"vault.login", "vault.deletion"}
    assert "private keys too" in bad["vault.deletion"].message


def test_doctor_warns_of_a_clock_that_is_off(connect: Any, fake: FakeVault):
    fake.skew_seconds = -180
    bad = [finding for finding in verify(connect(fake), {"acme": [USER]}) if not finding.ok]
    assert [(finding.subject, "differ by 1" in finding.message) for finding in bad] == [("vault.clock", True)]


def test_doctor_warns_of_a_token_that_ends(connect: Any, fake: FakeVault):
    client = connect(fake, Token(Secret(fake.make_token(60, renewable=False))))
    assert "vault.login" in [finding.subject for finding in verify(client, {}) if not finding.ok]


def test_doctor_says_what_an_error_says_and_stops_there(connect: Any, fake: FakeVault):
    fake.inject(503, {"errors": ["Vault is sealed"]})
    assert [(finding.subject, finding.ok) for finding in verify(connect(fake), {"acme": [USER]})] == [
        ("vault.sealed", False)
    ]


@pytest.fixture
def documents_of_root(connect: Any, real: Any) -> Documents:
    return Documents(connect(real))
