"""Logins and leases, on a fake and on a real server. The client's clock is moved; nothing waits."""

from __future__ import annotations

import dataclasses
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from rotator.core.model import Record
from rotator.errors import Compromised, Misconfigured, Rejected, RotatorError, Transient
from rotator.sandbox.vault import BaoServer
from rotator.secret import Secret
from rotator.show.logs import redactor
from rotator.vault.client import VaultClient
from rotator.vault.documents import Documents
from rotator.vault.login import _end
from rotator.vault.refusals import RENEWED
from rotator.vault.settings import AppRole, Jwt, Kubernetes, Token
from tests.vault.conftest import Clock
from tests.world.fake_vault import FakeVault


def role_name(base: str) -> str:
    return base.replace("/", "-")


@pytest.fixture
def approle(vault: Any, base: str) -> Any:
    """Install an AppRole and return the login for it."""

    def install(**role: Any) -> AppRole:
        role_id, secret_id = vault.install_approle(role_name(base), **role)
        return AppRole(Secret(role_id), Secret(secret_id))

    return install


def test_an_approle_logs_in_by_itself_at_the_first_request(
    connect: Any, vault: Any, approle: Any, clock: Clock
):
    client = connect(vault, approle(token_ttl=3600))
    client.call(lambda hvac: hvac.auth.token.lookup_self())
    lease = client.lease()
    assert (lease.duration, lease.renewable) == (timedelta(hours=1), True)
    assert lease.expires_at == clock() + timedelta(hours=1)


@pytest.mark.parametrize("role", [{"token_period": 3600}, {"token_ttl": 3600}], ids=str)
def test_a_lease_is_renewed_when_two_thirds_of_it_are_over_and_not_before(
    connect: Any, vault: Any, approle: Any, clock: Clock, role: dict[str, int]
):
    client = connect(vault, approle(**role))
    client.keep_alive(clock())
    first = client.lease()
    assert first.renew_at == clock() + timedelta(minutes=40)
    client.keep_alive(clock.advance(minutes=39))
    assert client.lease() is first
    client.keep_alive(clock.advance(minutes=1))
    assert (client.lease().token, client.lease().granted_at) == (first.token, clock())


def test_a_lease_that_cannot_grow_any_more_is_replaced_by_a_new_login(
    connect: Any, vault: Any, approle: Any, clock: Clock
):
    client = connect(vault, approle(token_ttl=3600, token_max_ttl=3600))
    client.keep_alive(clock())
    first = client.lease()
    shorten(vault, 30)
    clock.advance(minutes=41)
    client.keep_alive(clock())
    assert client.lease().token != first.token
    assert client.lease().duration == timedelta(hours=1)


def shorten(vault: Any, seconds: float) -> None:
    """Let a part of a token's life go by on the server."""
    if isinstance(vault, FakeVault):
        vault.advance(seconds)
    else:
        time.sleep(1.1)  # leases are granted in whole seconds: after one, less is left than was wanted


def test_a_token_that_was_revoked_is_replaced_in_the_middle_of_a_request(
    connect: Any, vault: Any, approle: Any
):
    client = connect(vault, approle(token_ttl=3600))
    client.keep_alive(datetime.now(UTC))
    first = client.lease()
    vault.revoke(first.token.reveal())
    response = client.call(lambda hvac: hvac.auth.token.lookup_self())
    assert response.status_code == 200
    assert client.lease().token != first.token


def test_a_token_that_was_revoked_is_replaced_when_its_renewal_is_due(
    connect: Any, vault: Any, approle: Any, clock: Clock
):
    client = connect(vault, approle(token_ttl=3600))
    client.keep_alive(clock())
    first = client.lease()
    vault.revoke(first.token.reveal())
    client.keep_alive(clock.advance(hours=2))
    assert client.lease().token != first.token


def test_a_token_that_dies_right_after_its_renewal_is_replaced_for_whoever_holds_the_old_lease(
    connect: Any, vault: Any, approle: Any, clock: Clock
):
    client = connect(vault, approle(token_ttl=3600))
    client.keep_alive(clock())
    first = client.lease()

    def meanwhile(hvac: Any) -> Any:
        if client.lease() is first:
            client.keep_alive(clock.advance(minutes=41))
            vault.revoke(first.token.reveal())
        return hvac.auth.token.lookup_self()

    assert client.call(meanwhile).status_code == 200
    assert client.lease().token != first.token


def test_a_wrong_secret_id_is_told_with_its_mend_and_not_shown(connect: Any, vault: Any, approle: Any):
    role_id = approle().role_id
    client = connect(vault, AppRole(role_id, Secret("wrong-secret-id")))
    with pytest.raises(Misconfigured, match="role_id or secret_id is wrong") as caught:
        client.keep_alive(datetime.now(UTC))
    assert caught.value.code == "vault.login.refused"
    assert "secret_id_num_uses=0" in caught.value.hint
    assert RENEWED in caught.value.hint
    assert "wrong-secret-id" not in f"{caught.value!r} {caught.value.hint} {client.settings!r}"


def test_a_failed_login_is_not_repeated_at_once(connect: Any, fake: FakeVault):
    client = connect(fake, AppRole(Secret("role-none"), Secret("wrong")))
    for _ in range(5):
        with pytest.raises(Misconfigured):
            client.keep_alive(datetime.now(UTC))
    assert [seen.path for seen in fake.seen] == ["auth/approle/login"]


def test_a_login_is_not_repeated_before_vault_wants_it(
    connect: Any, fake: FakeVault, monkeypatch: pytest.MonkeyPatch
):
    role_id, secret_id = fake.install_approle("r")
    client = connect(fake, AppRole(Secret(role_id), Secret(secret_id)))
    fake.inject(429, b"", path="approle/login", Retry_After="90")
    passed = [0.0]
    monkeypatch.setattr("rotator.vault.client.time", SimpleNamespace(monotonic=lambda: passed[0]))
    for seconds, left in ((0.0, 90), (60.0, 30)):
        passed[0] = seconds
        with pytest.raises(Transient) as caught:
            client.keep_alive(datetime.now(UTC))
        assert (caught.value.code, caught.value.retry_after_seconds) == ("vault.rate_limited", left)
    assert [seen.path for seen in fake.seen] == ["auth/approle/login"]
    passed[0] = 91.0
    client.keep_alive(datetime.now(UTC))
    assert client.lease() is not None


def test_a_wrapped_secret_id_is_unwrapped_once_and_serves_later_logins(connect: Any, vault: Any, base: str):
    role_id, _ = vault.install_approle(role_name(base), token_ttl=3600)
    wrapping = Secret(vault.wrapped_secret_id(role_name(base)))
    client = connect(vault, AppRole(Secret(role_id), wrapping, wrapped=True, role_name=role_name(base)))
    client.keep_alive(datetime.now(UTC))
    vault.revoke(client.lease().token.reveal())
    assert client.call(lambda hvac: hvac.auth.token.lookup_self()).status_code == 200


@pytest.mark.parametrize("seconds", [0, 7200])
def test_a_secret_id_that_came_wrapped_tells_when_it_ends(connect: Any, vault: Any, base: str, seconds: int):
    role_id, _ = vault.install_approle(role_name(base), token_ttl=3600, secret_id_ttl=seconds)
    made = datetime.now(UTC)
    client = connect(
        vault, AppRole(Secret(role_id), Secret(vault.wrapped_secret_id(role_name(base))), wrapped=True)
    )
    assert client.secret_id_ends() is None
    client.keep_alive(datetime.now(UTC))
    ends = client.secret_id_ends()
    if seconds:
        assert abs(ends - made - timedelta(seconds=seconds)) < timedelta(minutes=2)
    else:
        assert ends is None


@pytest.mark.parametrize(
    ("made", "seconds", "ends"),
    [
        ("2026-11-26T11:00:00.123456789Z", 3600, "12:00:00.123456"),
        ("nonsense", 3600, "13:00:00"),
        ("2026-11-26T11:00:00", 3600, "13:00:00"),
        (None, 3600, "13:00:00"),
        ("2026-11-26T11:00:00Z", 0, None),
        ("2026-11-26T11:00:00Z", True, None),
        ("2026-11-26T11:00:00Z", "3600", None),
        ("2026-11-26T11:00:00Z", 1 << 60, None),
    ],
)
def test_what_vault_says_of_the_end_of_a_secret_id_is_taken_with_care(
    made: object, seconds: object, ends: str | None
):
    now = datetime(2026, 11, 26, 12, tzinfo=UTC)
    expected = None if ends is None else datetime.fromisoformat(f"2026-11-26T{ends}+00:00")
    assert _end(made, seconds, now) == expected


def test_a_new_wrapping_token_in_the_file_is_unwrapped_and_a_missing_file_is_not_missed(
    connect: Any, vault: Any, base: str, tmp_path: Path
):
    role_id, _ = vault.install_approle(role_name(base), token_ttl=3600)
    file = tmp_path / "wrapping"
    client = connect(vault, AppRole(Secret(role_id), file, wrapped=True))
    file.write_text(vault.wrapped_secret_id(role_name(base)))
    client.keep_alive(datetime.now(UTC))
    first = file.read_text()
    for arrange in (lambda: file.write_text(vault.wrapped_secret_id(role_name(base))), file.unlink):
        arrange()
        vault.revoke(client.lease().token.reveal())
        assert client.call(lambda hvac: hvac.auth.token.lookup_self()).status_code == 200
        if file.exists():
            with pytest.raises(Compromised):  # the second one was unwrapped too
                connect(vault, AppRole(Secret(role_id), file, wrapped=True)).keep_alive(datetime.now(UTC))
            assert file.read_text() != first


@pytest.fixture
def replace(clock: Clock) -> Iterator[Any]:
    """Make clients that replace another, with some settings changed."""
    clients = []

    def make(old: VaultClient, **settings: Any) -> VaultClient:
        clients.append(VaultClient(dataclasses.replace(old.settings, **settings), before=old, clock=clock))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def test_a_client_that_replaces_another_goes_on_with_its_token_and_its_unwrapped_secret_id(
    connect: Any, replace: Any, vault: Any, base: str
):
    role_id, _ = vault.install_approle(role_name(base), token_ttl=3600)
    wrapping = Secret(vault.wrapped_secret_id(role_name(base)))
    old = connect(vault, AppRole(Secret(role_id), wrapping, wrapped=True))
    old.keep_alive(datetime.now(UTC))
    new = replace(old, timeout_seconds=11.0)
    assert new.lease() is old.lease()
    old.close()
    assert new.call(lambda hvac: hvac.auth.token.lookup_self()).status_code == 200
    vault.revoke(new.lease().token.reveal())
    assert new.call(lambda hvac: hvac.auth.token.lookup_self()).status_code == 200
    assert new.lease() is not old.lease()


def test_what_a_client_unwrapped_that_was_given_up_serves_the_next_one_and_the_former(
    connect: Any, replace: Any, vault: Any, base: str, tmp_path: Path
):
    role_id, _ = vault.install_approle(role_name(base), token_ttl=3600)
    file = tmp_path / "wrapping"
    file.write_text(vault.wrapped_secret_id(role_name(base)))
    former = connect(vault, AppRole(Secret(role_id), file, wrapped=True))
    former.keep_alive(datetime.now(UTC))
    file.write_text(vault.wrapped_secret_id(role_name(base)))
    login = dataclasses.replace(former.settings.login, role_name=role_name(base))
    given_up = replace(former, login=login)
    given_up.keep_alive(datetime.now(UTC))
    given_up.close()
    for client in (replace(former, login=login), former):
        if client.lease() is not None:
            vault.revoke(client.lease().token.reveal())
        assert client.call(lambda hvac: hvac.auth.token.lookup_self()).status_code == 200


@pytest.mark.parametrize("changed", ["address", "namespace", "login"])
def test_a_client_with_another_login_takes_over_no_token_and_unwraps_no_secret_id_again(
    connect: Any, replace: Any, fake: FakeVault, changed: str
):
    role_id, _ = fake.install_approle("r")
    login = AppRole(Secret(role_id), Secret(fake.wrapped_secret_id("r")), wrapped=True)
    old = connect(fake, login)
    old.keep_alive(datetime.now(UTC))
    new = replace(
        old,
        **{
            "address": {"address": f"http://localhost:{fake.port}"},
            "namespace": {"namespace": "team-a"},
            "login": {"login": dataclasses.replace(login, role_name="r")},
        }[changed],
    )
    assert new.lease() is None
    new.keep_alive(datetime.now(UTC))
    assert new.lease().token != old.lease().token
    assert [seen.path for seen in fake.seen].count("sys/wrapping/unwrap") == 1


def test_a_client_that_replaces_another_logs_in_anew_where_it_can(
    connect: Any, replace: Any, vault: Any, tmp_path: Path
):
    """So the policies of the token are those that its role has by now."""
    file = tmp_path / "token"
    file.write_text(vault.make_token(3600, period=3600))
    old = connect(vault, Token(file))
    old.keep_alive(datetime.now(UTC))
    file.write_text(vault.make_token(3600, period=3600))
    new = replace(old)
    new.keep_alive(datetime.now(UTC))
    assert new.lease().token == Secret(file.read_text())


def test_a_wrapping_token_that_was_used_before_raises_an_alarm(connect: Any, vault: Any, base: str):
    role_id, _ = vault.install_approle(role_name(base))
    login = AppRole(Secret(role_id), Secret(vault.wrapped_secret_id(role_name(base))), wrapped=True)
    connect(vault, login).keep_alive(datetime.now(UTC))
    with pytest.raises(Compromised) as caught:
        connect(vault, login).keep_alive(datetime.now(UTC))
    assert caught.value.code == "vault.wrapping.used"
    assert RENEWED in caught.value.hint
    assert login.secret_id.reveal() not in str(caught.value)


@pytest.mark.parametrize("foreign", ["wrapped by hand", "another role"])
def test_a_wrapping_token_from_elsewhere_is_not_unwrapped(connect: Any, vault: Any, base: str, foreign: str):
    role_id, _ = vault.install_approle(role_name(base))
    by_hand = foreign == "wrapped by hand"
    wrapping = vault.wrap({"secret_id": "evil"}) if by_hand else vault.wrapped_secret_id(role_name(base))
    login = AppRole(Secret(role_id), Secret(wrapping), wrapped=True, role_name=None if by_hand else "other")
    for _ in range(2):  # the second look finds it still wrapped
        with pytest.raises(Compromised, match="was made by") as caught:
            connect(vault, login).keep_alive(datetime.now(UTC))
    assert caught.value.code == "vault.wrapping.foreign"


def test_a_token_from_a_file_is_renewed_and_a_new_one_is_taken_from_the_file(
    connect: Any, vault: Any, clock: Clock, tmp_path: Path
):
    file = tmp_path / "token"
    file.write_text(vault.make_token(3600, period=3600) + "\n")
    client = connect(vault, Token(file))
    client.keep_alive(clock())
    first = client.lease()
    client.keep_alive(clock.advance(minutes=45))
    assert (client.lease().token, client.lease().granted_at) == (first.token, clock())
    vault.revoke(first.token.reveal())
    file.write_text(vault.make_token(600, period=600))
    client.keep_alive(clock.advance(minutes=45))
    assert client.lease().token.reveal() == file.read_text()


def test_a_dead_token_in_a_file_needs_a_person(connect: Any, vault: Any, tmp_path: Path):
    file = tmp_path / "token"
    file.write_text("s.longdead")
    with pytest.raises(Misconfigured) as caught:
        connect(vault, Token(file)).keep_alive(datetime.now(UTC))
    assert caught.value.code == "vault.login.token_dead"
    assert RENEWED in caught.value.hint
    assert "longdead" not in str(caught.value)


def test_a_root_token_has_no_end(connect: Any, vault: Any, clock: Clock):
    client = connect(vault)
    client.keep_alive(clock())
    assert (client.lease().expires_at, client.lease().renew_at) == (None, None)


@pytest.mark.parametrize(
    ("content", "what"), [(None, "cannot read"), ("", "is empty"), (b"\xff\xfe", "is not text")], ids=str
)
def test_a_secret_file_that_cannot_be_used_is_named(
    connect: Any, fake: FakeVault, tmp_path: Path, content: Any, what: str
):
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(Misconfigured, match=what) as caught:
        connect(fake, Token(file)).keep_alive(datetime.now(UTC))
    assert str(file) in caught.value.message


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_mark_before_the_text_of_a_file_does_not_count(
    connect: Any, fake: FakeVault, tmp_path: Path, encoding: str
):
    file = tmp_path / "token"
    file.write_text("root\r\n", encoding)
    client = connect(fake, Token(file))
    client.keep_alive(datetime.now(UTC))
    assert client.lease().token == Secret("root")


@pytest.mark.parametrize(
    "content", ["hvs.schlüssel", "hvs.密", "hvs.a b", "two\nlines", "hvs.\x07", "\ufeff\ufeffx"]
)
@pytest.mark.parametrize("wrapped", [False, True], ids=["token", "wrapping token"])
def test_a_token_that_no_header_carries_is_told_by_its_file_and_not_shown(
    connect: Any, fake: FakeVault, tmp_path: Path, content: str, wrapped: bool
):
    file = tmp_path / "token"
    file.write_text(content, "utf-8")
    login = AppRole(Secret("r"), file, wrapped=True) if wrapped else Token(file)
    with pytest.raises(Misconfigured) as caught:
        connect(fake, login).keep_alive(datetime.now(UTC))
    assert (caught.value.code, fake.seen) == ("vault.token_malformed", [])
    assert str(file) in caught.value.message
    assert content not in f"{caught.value!r} {caught.value.hint}"


def test_a_secret_id_is_hidden_from_the_log_also_when_its_file_was_renewed(
    connect: Any, fake: FakeVault, tmp_path: Path
):
    file = tmp_path / "secret_id"
    role_id, first = fake.install_approle("r")
    client = connect(fake, AppRole(Secret(role_id), file))
    second = str(uuid.uuid4())
    fake.secret_ids[second] = role_id
    for secret_id in (first, second):
        file.write_text(secret_id)
        if client.lease():
            fake.revoke(client.lease().token.reveal())
        assert client.call(lambda hvac: hvac.auth.token.lookup_self()).status_code == 200
        assert secret_id not in redactor.text(f"sent {secret_id} there")


def test_an_unwrapped_secret_id_is_hidden_from_the_log(connect: Any, fake: FakeVault):
    role_id, _ = fake.install_approle("r")
    wrapping = fake.wrapped_secret_id("r")
    secret_id = fake.wrapped[wrapping][1]["secret_id"] = str(uuid.uuid4())
    fake.secret_ids[secret_id] = role_id
    connect(fake, AppRole(Secret(role_id), Secret(wrapping), wrapped=True)).keep_alive(datetime.now(UTC))
    assert secret_id not in redactor.text(f"sent {secret_id} there")


@pytest.mark.parametrize("kind", [Kubernetes, Jwt])
def test_a_json_web_token_is_read_from_its_file_at_each_login(
    connect: Any, fake: FakeVault, tmp_path: Path, kind: Any
):
    file = tmp_path / "jwt"
    fake.jwts = {"jwt-1": "rotator", "jwt-2": "rotator"}
    file.write_text("jwt-1")
    client = connect(fake, kind("rotator", file))
    client.keep_alive(datetime.now(UTC))
    file.write_text("jwt-2")
    fake.revoke(client.lease().token.reveal())
    client.call(lambda hvac: hvac.auth.token.lookup_self())
    logins = [seen.body for seen in fake.seen if seen.path.endswith("/login")]
    assert logins == [{"role": "rotator", "jwt": "jwt-1"}, {"role": "rotator", "jwt": "jwt-2"}]


def test_a_json_web_token_of_the_wrong_role_is_refused_as_misconfigured(
    connect: Any, fake: FakeVault, tmp_path: Path
):
    file = tmp_path / "jwt"
    file.write_text("jwt-1")
    with pytest.raises(Misconfigured, match="refuses the login") as caught:
        connect(fake, Jwt("rotator", file)).keep_alive(datetime.now(UTC))
    assert caught.value.code == "vault.login.refused"


def test_the_real_server_takes_a_json_web_token(connect: Any, real: Any, bao: BaoServer, tmp_path: Path):
    key = ec.generate_private_key(ec.SECP256R1())
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    public = key.public_key().public_bytes(serialization.Encoding.PEM, spki).decode()
    mount = f"jwt-{tmp_path.name[-12:]}".replace("_", "-").lower().strip("-")
    bao.request("POST", f"sys/auth/{mount}", {"type": "jwt"})
    bao.request("POST", f"auth/{mount}/config", {"jwt_validation_pubkeys": [public]})
    role = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_ttl": "1h"}
    bao.request("POST", f"auth/{mount}/role/rotator", role)
    file = tmp_path / "jwt"
    claims = {"sub": "rotator", "aud": "vault", "exp": time.time() + 300, "iat": time.time()}
    file.write_text(jwt.encode(claims, key, "ES256"))
    client = connect(real, Jwt("rotator", file, mount=mount))
    client.keep_alive(datetime.now(UTC))
    assert client.lease().duration == timedelta(hours=1)
    file.write_text(jwt.encode(claims | {"aud": "elsewhere"}, key, "ES256"))
    with pytest.raises(Misconfigured) as caught:
        connect(real, Jwt("rotator", file, mount=mount)).keep_alive(datetime.now(UTC))
    assert caught.value.code == "vault.login.refused"
    assert file.read_text() not in caught.value.message


def test_the_old_lease_serves_on_while_a_new_login_fails(connect: Any, fake: FakeVault, clock: Clock):
    role_id, secret_id = fake.install_approle("r", token_ttl=3600, token_max_ttl=3600)
    client = connect(fake, AppRole(Secret(role_id), Secret(secret_id)))
    client.keep_alive(clock())
    first = client.lease()
    fake.advance(2500)
    fake.inject(503, {"errors": ["Vault is sealed"]}, path="approle/login")
    with pytest.raises(Transient):
        client.keep_alive(clock.advance(seconds=2500))
    assert client.lease().token == first.token
    assert Documents(client).read_record("acme") == (Record(), 0)


def test_a_token_that_turns_out_not_to_be_renewable_is_replaced(connect: Any, fake: FakeVault, clock: Clock):
    role_id, secret_id = fake.install_approle("r", token_ttl=3600)
    client = connect(fake, AppRole(Secret(role_id), Secret(secret_id)))
    client.keep_alive(clock())
    first = client.lease()
    fake.inject(400, {"errors": ["batch tokens cannot be renewed"]}, path="renew-self")
    client.keep_alive(clock.advance(minutes=50))
    assert client.lease().token != first.token


def test_a_login_without_a_grant_is_refused(connect: Any, fake: FakeVault):
    fake.inject(200, {"auth": {"mfa_requirement": {}}}, path="approle/login")
    with pytest.raises(Rejected, match="without granting a token"):
        connect(fake, AppRole(Secret("r"), Secret("s"))).keep_alive(datetime.now(UTC))


def test_threads_that_find_the_token_dead_together_log_in_once(connect: Any, fake: FakeVault):
    role_id, secret_id = fake.install_approle("r", token_ttl=3600)
    client = connect(fake, AppRole(Secret(role_id), Secret(secret_id)))
    client.keep_alive(datetime.now(UTC))
    fake.revoke(client.lease().token.reveal())
    failures: list[RotatorError] = []
    barrier = threading.Barrier(6)

    def read() -> None:
        barrier.wait()
        try:
            Documents(client).read_record("acme")
        except RotatorError as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sum(seen.path == "auth/approle/login" for seen in fake.seen) == 2


def test_neither_environment_nor_home_lends_a_token_or_an_address(
    connect: Any, fake: FakeVault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    (tmp_path / ".vault-token").write_text("token-of-home")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("VAULT_TOKEN", "token-of-environment")
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:1")
    monkeypatch.setenv("VAULT_NAMESPACE", "elsewhere")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    role_id, secret_id = fake.install_approle("r")
    connect(fake, AppRole(Secret(role_id), Secret(secret_id)), namespace="team-a").keep_alive(
        datetime.now(UTC)
    )
    login = fake.seen[0]
    assert "x-vault-token" not in login.headers
    assert login.headers["x-vault-namespace"] == "team-a"
