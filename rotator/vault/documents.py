"""The documents that rotator keeps in Vault. Every write is check-and-set."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rotator.core.model import Record, Request, Serial
from rotator.errors import Conflict, Misconfigured, Transient
from rotator.keypairs import KeyPair
from rotator.secret import Secret
from rotator.vault.client import VaultClient
from rotator.vault.codec import KEY, RECORD, REQUEST, TOKEN, KeyDocument, RequestDocument, TokenDocument
from rotator.vault.kv import Document, Kv, State
from rotator.vault.paths import Paths, folder, name_of

_RECORDS_KEPT = 5
_TOKENS_KEPT = 2
_KEYS_KEPT = 1
_TOMBSTONE = {"destroyed": True}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that waits for the daemon. ``payload`` is what `adopt` brings."""

    request: Request
    payload: dict[str, Secret]
    version: int


class Documents:
    """Records, tokens, keys and requests of all credentials. All methods raise RotatorError."""

    def __init__(self, client: VaultClient, kv: Kv | None = None) -> None:
        """``kv``: the engine to use; by default the one at the mount of the client's settings."""
        self._mount = folder("mount", client.settings.mount)
        self._client = client
        self._kv = kv or Kv(client, self._mount)
        self._paths = Paths(client.settings.base_path)

    @property
    def place(self) -> tuple[str, ...]:
        """In which Vault, and where there, the documents are."""
        settings = self._client.settings
        return settings.address, settings.namespace or "", settings.mount, settings.base_path

    def watch_writes(self, heard: Callable[[Transient | None], None]) -> None:
        """Let ``heard`` be called after every write, by the thread that wrote.

        With the error when Vault failed, with None when it has written.
        """
        self._kv.on_write = heard

    def read_record(self, name: str) -> tuple[Record, int]:
        """Return the record and its version; an empty one and 0 when there is none.

        A deleted record raises Misconfigured: to begin anew would forget keys that the org still takes.
        """
        path = self._paths.record(name)
        found = self._kv.read(path)
        if found.state is State.ABSENT:
            return Record(), 0
        if found.state is not State.LIVE:
            raise self._deleted(path, found)
        return RECORD.decode(found.data, path), found.version

    def write_record(self, name: str, record: Record, version: int) -> int:
        """Write the record over ``version`` and return the new one. Raises Conflict when the version moved."""
        return self._write(self._paths.record(name), RECORD.encode(record), version, _RECORDS_KEPT).version

    def read_token(self, name: str, user: str) -> tuple[TokenDocument | None, int]:
        """Return what is published for a user, and its version; None when nothing is."""
        path = self._paths.token(name, user)
        found = self._kv.read(path)
        if found.state is not State.LIVE:
            return None, found.version
        return TOKEN.decode(found.data, path), found.version

    def write_token(self, name: str, user: str, document: TokenDocument, version: int) -> int:
        """Publish a token over ``version`` and return the new one. Raises Conflict when the version moved."""
        return self._write(
            self._paths.token(name, user), TOKEN.encode(document), version, _TOKENS_KEPT
        ).version

    def clock_skew(self) -> timedelta | None:
        """Return Vault's clock minus ours; None before the first answer."""
        return self._client.clock_skew()

    def write_key(self, name: str, serial: Serial, key_pair: KeyPair) -> KeyPair:
        """Store a key pair once, and return what is stored after reading it back.

        When the serial has a key pair already, that one is returned: the caller uses it instead of its own.
        """
        path = self._paths.key(name, serial)
        data = KEY.encode(KeyDocument(key_pair.private_key_pem, key_pair.certificate_pem))
        try:
            self._write(path, data, 0, _KEYS_KEPT)
        except Conflict:
            return self._stored_key(path)
        stored = self._stored_key(path)
        if stored != key_pair:
            raise Transient(
                f"{path}: Vault shows another key pair than was just written",
                code="vault.key.unequal",
                hint="It is looked at again before anything is deployed. If it lasts, see Vault's audit log for who "
                "else writes there.",
            )
        return stored

    def read_key(self, name: str, serial: Serial) -> KeyPair:
        """Return a key pair. Raises Misconfigured when it is not there, or destroyed."""
        return self._stored_key(self._paths.key(name, serial))

    def destroy_key(self, name: str, serial: Serial) -> None:
        """Destroy a key pair for good, so that its serial can never be written again.

        A serial that was never written gets a tombstone too: a writer that comes late must not bring it to life.
        """
        path = self._paths.key(name, serial)
        versions = self._kv.versions(path)
        if not versions:
            with suppress(Conflict):  # the late writer came just now; its key goes the same way
                self._write(path, _TOMBSTONE, 0, _KEYS_KEPT)
            versions = self._kv.versions(path) or {}
        if alive := [number for number, destroyed in versions.items() if not destroyed]:
            self._kv.destroy(path, alive)
        if self._kv.read(path).state is not State.DESTROYED:
            raise Transient(
                f"{path}: Vault does not show the key as destroyed",
                code="vault.key.not_destroyed",
                hint="It is destroyed again. If it lasts, see Vault's audit log for who else writes there.",
            )

    def list_requests(self) -> list[str]:
        """Return the credentials for which a request waits."""
        return [name_of(entry) for entry in self._kv.names(self._paths.requests()) if not entry.endswith("/")]

    def read_request(self, name: str) -> Waiting | None:
        """Return the request that waits for a credential, if any."""
        path = self._paths.request(name)
        found = self._kv.read(path)
        if found.state is not State.LIVE:
            return None
        document = REQUEST.decode(found.data, path)
        return Waiting(document.request, document.payload, found.version)

    def write_request(self, name: str, request: Request, payload: dict[str, Secret] | None = None) -> None:
        """Leave a request for the daemon. Raises Conflict when one waits already."""
        path = self._paths.request(name)
        try:
            self._kv.write(path, REQUEST.encode(RequestDocument(request, payload or {})), cas=0)
        except Conflict:
            raise Conflict(
                f"a request for {name} waits already",
                code="vault.request_waits",
                hint="The daemon takes it within seconds when it runs. One that nobody will answer is taken back by "
                f"`rotator withdraw {name}`.",
            ) from None

    def delete_request(self, name: str, request_id: str) -> None:
        """Delete a request with all that was ever in it, if it still is this one."""
        waiting = self.read_request(name)
        if waiting and waiting.request.id == request_id:
            self._kv.forget(self._paths.request(name))

    def withdraw_request(self, name: str) -> None:
        """Delete whatever request waits for a credential. For those who may not read what others ask."""
        self._kv.forget(self._paths.request(name))

    def _write(self, path: str, data: dict[str, Any], version: int, kept: int) -> Document:
        if version == 0:
            self._kv.keep_versions(path, kept)
        return self._kv.write(path, data, cas=version)

    def _stored_key(self, path: str) -> KeyPair:
        found = self._kv.read(path)
        if found.state is State.ABSENT:
            raise Misconfigured(
                f"{path}: there is no such key pair",
                code="vault.key.absent",
                hint="Was it removed by hand, or Vault restored from an older backup? Restore it, or rotate.",
            )
        if found.state is State.DELETED:
            raise self._deleted(path, found)
        if found.state is State.DESTROYED or found.data == _TOMBSTONE:
            raise Misconfigured(
                f"{path}: this key pair was destroyed",
                code="vault.key.destroyed",
                hint="It cannot come back. Rotate to a new one.",
            )
        if found.deletion_time:
            raise Misconfigured(
                f"{path}: Vault would delete this private key at {found.deletion_time} by itself (delete_version_after)",
                code="vault.key.deletion_time",
                hint=f"Keys live in a place without delete_version_after: `bao write {self._mount}/config "
                f"delete_version_after=0s`, then `bao kv undelete -versions={found.version} "
                f"-mount={self._mount} {path}`.",
            )
        document = KEY.decode(found.data, path)
        return KeyPair(document.private_key_pem, document.certificate_pem)

    def _deleted(self, path: str, found: Document) -> Misconfigured:
        mend = f"`bao kv undelete -versions={found.version} -mount={self._mount} {path}`"
        if found.state is State.DESTROYED:
            mend = f"`bao kv rollback -version=N -mount={self._mount} {path}` with the last good version, or `adopt`"
        return Misconfigured(
            f"{path}: version {found.version} is {found.state}",
            code="vault.document.deleted",
            hint=f"Somebody, or delete_version_after, took it away. Bring it back: {mend}.",
        )
