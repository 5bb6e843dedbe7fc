"""The refusals that the real server can be brought to give: they must be understood as the fake's are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from rotator.errors import Misconfigured, Transient
from rotator.sandbox.vault import BaoServer
from rotator.secret import Secret
from rotator.vault.documents import Documents
from rotator.vault.settings import AppRole
from tests.vault.values import record


def code_of(documents: Documents) -> str:
    with pytest.raises(Misconfigured) as caught:
        documents.read_record("acme")
    assert caught.value.hint
    return caught.value.code


def test_an_unknown_namespace(connect: Any, real: Any):
    assert code_of(Documents(connect(real, namespace="nobody"))) == "vault.namespace_absent"


def test_an_unknown_mount(connect: Any, real: Any):
    assert code_of(Documents(connect(real, mount="nothing/here"))) == "vault.mount_absent"


def test_a_mount_that_is_no_key_value_engine(connect: Any, real: Any):
    assert code_of(Documents(connect(real, mount="cubbyhole"))) == "vault.kv_version"


def test_a_mount_of_version_1(connect: Any, real: Any, bao: BaoServer):
    with contextlib.ExitStack() as undo:
        bao.request("POST", "sys/mounts/old", {"type": "kv", "options": {"version": "1"}})
        undo.callback(bao.request, "DELETE", "sys/mounts/old")
        assert code_of(Documents(connect(real, mount="old"))) == "vault.kv_version"


def test_an_unknown_mount_of_the_login(connect: Any, real: Any):
    login = AppRole(Secret("role"), Secret("secret"), mount="nowhere")
    assert code_of(Documents(connect(real, login))) == "vault.login.refused"


@pytest.fixture
def narrow_quota(bao: BaoServer, base: str) -> Iterator[None]:
    bao.request("POST", "sys/quotas/config", {"enable_rate_limit_response_headers": True})
    bao.request("POST", "sys/quotas/rate-limit/narrow", {"path": "secret", "rate": 1, "interval": "60s"})
    yield
    bao.request("DELETE", "sys/quotas/rate-limit/narrow")


@pytest.mark.usefixtures("narrow_quota")
def test_a_quota_that_is_used_up_tells_how_long_to_wait(connect: Any, real: Any):
    documents = Documents(connect(real))
    with pytest.raises(Transient) as caught:
        [documents.read_record("acme") for _ in range(3)]
    assert caught.value.code == "vault.rate_limited"
    assert 0 < (caught.value.retry_after_seconds or 0) <= 60


def test_documents_live_in_a_namespace_and_in_a_mount_of_another_name(
    connect: Any, real: Any, bao: BaoServer
):
    with contextlib.ExitStack() as undo:
        bao.request("POST", "sys/namespaces/team-a")
        undo.callback(bao.request, "DELETE", "sys/namespaces/team-a")
        bao.request("POST", "team-a/sys/mounts/apps/kv", {"type": "kv", "options": {"version": "2"}})
        undo.callback(bao.request, "DELETE", "team-a/sys/mounts/apps/kv")
        documents = Documents(connect(real, namespace="team-a", mount="apps/kv"))
        assert documents.write_record("acme", record(), 0) == 1
        assert documents.read_record("acme") == (record(), 1)
