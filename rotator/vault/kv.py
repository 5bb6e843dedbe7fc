"""The KV version 2 engine: reads, check-and-set writes, and what remains of deleted documents."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from http import HTTPStatus
from typing import Any

import hvac
import requests

from rotator.errors import Misconfigured, Transient
from rotator.vault.client import VaultClient
from rotator.vault.refusals import accept, body_of, conflict, is_cas_mismatch, part, refusal
from rotator.wording import one_line

_MOST_VERSIONS = 10**9
_NUMBER = re.compile("[0-9]{1,9}")
_SHOWN = 40  # characters of what an answer holds in place of something known
_WAITS_FOR_TRUTH_SECONDS = (0.05, 0.1, 0.2)


class State(StrEnum):
    """What a read finds."""

    LIVE = "live"
    ABSENT = "absent"  # never written, or its metadata deleted: the next write is version 1
    DELETED = "deleted"  # the latest version is deleted; it can be undeleted
    DESTROYED = "destroyed"  # the latest version is gone for good, and its number stays taken


@dataclass(frozen=True, slots=True)
class Document:
    """What is at a path.

    Attributes:
        version: what a check-and-set write must name; 0 when absent.
        deletion_time: when Vault will delete this version by itself; empty: never.
    """

    state: State
    version: int
    data: dict[str, Any]
    deletion_time: str = ""

    def __repr__(self) -> str:
        """Show everything but the data: it can hold keys and tokens."""
        return f"Document({self.state}, version={self.version})"


_ABSENT = Document(State.ABSENT, 0, {})


class Kv:
    """The engine at one mount.

    Attributes:
        on_write: called after every write: with what failed if Vault did not do its part, with None once it did.
    """

    def __init__(self, client: VaultClient, mount: str) -> None:
        self.on_write: Callable[[Transient | None], None] = lambda _error: None
        self._client = client
        self._mount = mount
        self._seen = False

    def read(self, path: str) -> Document:
        """Return the latest version at a path. Raises RotatorError."""
        self.require_version_2()
        response = self._call(
            lambda kv: kv.read_secret_version(path, raise_on_deleted_version=True, mount_point=self._mount)
        )
        if response.status_code != HTTPStatus.NOT_FOUND:
            data = part(accept(response), "data")
            return _live(data.get("metadata"), path, part(data, "data"), "Vault's answer")
        if told := part(body_of(response), "data"):
            gone = _live(told.get("metadata"), path, {}, "Vault's answer")
            destroyed = part(told, "metadata").get("destroyed")
            return replace(gone, state=State.DESTROYED if destroyed else State.DELETED)
        if _is_absent(response):
            return _ABSENT
        raise refusal(response)

    def write(self, path: str, data: dict[str, Any], *, cas: int) -> Document:
        """Write the version after ``cas`` and return it.

        A standby can report a version that moved although it did not (reading old data), so such an answer is
        believed only when a second look confirms it. Raises Conflict, or another RotatorError.
        """
        with self._writing():
            return self._write(path, data, cas)

    def _write(self, path: str, data: dict[str, Any], cas: int) -> Document:
        self.require_version_2()
        for wait_seconds in (*_WAITS_FOR_TRUTH_SECONDS, None):
            response = self._call(
                lambda kv: kv.create_or_update_secret(path, data, cas=cas, mount_point=self._mount)
            )
            if not is_cas_mismatch(response):
                answer = accept(response).get("data")
                return _live(answer, path, data, "Vault's answer to the write", maybe_done=True)
            if self._moved(path, cas):
                raise conflict(path)
            if wait_seconds is not None:
                time.sleep(wait_seconds)
        raise Transient(
            f"{path}: Vault says that the version moved, and shows that it did not",
            code="vault.behind",
            hint="A standby answers from old data. Let `vault.address` name the active node.",
        )

    def names(self, path: str) -> list[str]:
        """Return the names in a folder; folders in it end with a slash. Raises RotatorError."""
        self.require_version_2()
        response = self._call(lambda kv: kv.list_secrets(path, mount_point=self._mount))
        if _is_absent(response):
            return []
        keys = part(accept(response), "data").get("keys")
        return [key for key in keys if isinstance(key, str)] if isinstance(keys, list) else []

    def versions(self, path: str) -> dict[int, bool] | None:
        """Return for each version whether it is destroyed; None when nothing was ever written. Raises RotatorError."""
        self.require_version_2()
        response = self._call(lambda kv: kv.read_secret_metadata(path, mount_point=self._mount))
        if _is_absent(response):
            return None
        found = part(part(accept(response), "data"), "versions")
        return {
            int(each): bool(part(found, each).get("destroyed")) for each in found if _NUMBER.fullmatch(each)
        }

    def keep_versions(self, path: str, count: int) -> None:
        """Say how many versions are kept at a path. Leaves every other setting as it is. Raises RotatorError."""
        self.require_version_2()
        # Not hvac's update_metadata: it always sends delete_version_after, and so would reset it.
        url = f"/v1/{self._mount}/metadata/{_quoted(path)}"
        with self._writing():
            accept(self._client.call(lambda client: client.adapter.post(url, json={"max_versions": count})))

    def destroy(self, path: str, versions: list[int]) -> None:
        """Destroy the data of versions for good; their numbers stay taken. Raises RotatorError."""
        with self._writing():
            accept(self._call(lambda kv: kv.destroy_secret_versions(path, versions, mount_point=self._mount)))

    def forget(self, path: str) -> None:
        """Delete a path with all its versions; the next write is version 1 again. Raises RotatorError."""
        with self._writing():
            accept(self._call(lambda kv: kv.delete_metadata_and_all_versions(path, mount_point=self._mount)))

    def require_version_2(self) -> None:
        """Raise Misconfigured unless the mount is a KV version 2 engine. Looks once.

        A version 1 engine takes our writes too, without check-and-set and under another path.
        """
        if self._seen:
            return
        url = f"/v1/sys/internal/ui/mounts/{self._mount}"
        data = part(accept(self._client.call(lambda client: client.adapter.get(url))), "data")
        kind, version = str(data.get("type")), str(part(data, "options").get("version", "1"))
        if (kind, version) != ("kv", "2"):
            found = f"type {one_line(kind, _SHOWN)}, version {one_line(version, _SHOWN)}"
            raise Misconfigured(
                f"the mount {self._mount} is no KV engine of version 2 ({found})",
                code="vault.kv_version",
                hint=f"Upgrade it (`bao kv enable-versioning {self._mount}`), or name another in `vault.mount`.",
            )
        self._seen = True

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except Transient as error:
            self.on_write(error)
            raise
        self.on_write(None)

    def _call(self, send: Callable[[Any], requests.Response]) -> requests.Response:
        def with_engine(client: hvac.Client) -> requests.Response:
            return send(client.secrets.kv.v2)

        return self._client.call(with_engine)

    def _moved(self, path: str, cas: int) -> bool:
        try:
            return self.read(path).version != cas
        except Misconfigured:  # who may not read (an operator's requests) cannot look twice
            return True


def _is_absent(response: requests.Response) -> bool:
    """Tell whether nothing is there. Anything else with status 404 is a proxy, a wrong mount or a wrong namespace."""
    return response.status_code == HTTPStatus.NOT_FOUND and body_of(response) == {"errors": []}


def _live(meta: Any, path: str, data: Mapping[str, Any], what: str, *, maybe_done: bool = False) -> Document:
    """Return the version that an answer's metadata names. One that names none proves neither a read nor a write."""
    version = meta.get("version") if isinstance(meta, dict) else None
    if type(version) is not int or not 1 <= version <= _MOST_VERSIONS:
        raise Transient(
            f"{path}: {what} names no version",
            code="vault.no_version",
            hint="Is `vault.mount` a KV engine of version 2, and does nothing between here and Vault change answers?",
            maybe_done=maybe_done,
        )
    return Document(State.LIVE, version, dict(data), one_line(str(meta.get("deletion_time") or ""), _SHOWN))


def _quoted(path: str) -> str:
    return str(hvac.utils.format_url("{path}", path=path))
