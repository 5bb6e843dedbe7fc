"""Vault in memory, at the port :class:`rotator.vault.kv.Kv`, and all that can be wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from rotator.errors import Conflict, Transient
from rotator.vault.kv import Document, State

GONE = object()
"""What remains of a version that was destroyed."""


class Entry(NamedTuple):
    """What is at a path: version -> data, the last few of them."""

    version: int = 0
    data: Mapping[int, Any] = MappingProxyType({})
    most: int = 10
    written_at: float = 0.0
    before: Entry | None = None  # for those who read old data; only as long as that may be


Heard = Callable[[str, Entry, Entry | None], None]
"""Called with path, what is there now, and what was there before."""


class Vault:
    """The store that all clients share.

    Attributes:
        away: the error code with which every call fails; empty: it serves.
        unwritable: writes fail with this code, reads do not.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.entries: dict[str, Entry] = {}
        self.heard: list[Heard] = []
        self.away = ""
        self.unwritable = ""
        self.stale_seconds = 0.0
        self.now = now
        self._undo: list[tuple[float, str, Entry | None]] = []

    def put(self, path: str, entry: Entry | None) -> None:
        """Replace what is at a path; None: nothing is."""
        self._tell(path, self._replace(path, entry))

    def _replace(self, path: str, entry: Entry | None) -> Entry | None:
        before = self.entries.get(path)
        self._undo.append((self.now(), path, before))
        if entry is None:
            self.entries.pop(path, None)
        else:
            earlier = before and before._replace(before=None)
            self.entries[path] = entry._replace(written_at=self.now(), before=earlier)
        return before

    def _tell(self, path: str, before: Entry | None) -> None:
        for heard in self.heard:
            heard(path, self.entries.get(path, Entry()), before)

    def restore(self, since: float) -> None:
        """Be as at an earlier time, as after a backup was played back: all at once, and then it is heard of.

        What happened stays known, so that a later restore may go back to before this one, or to between the two.
        """
        changed: dict[str, Entry | None] = {}
        for at, path, before in reversed(self._undo):
            if at <= since:
                break
            changed[path] = before
        replaced = [
            (path, self._replace(path, entry and entry._replace(before=None)))
            for path, entry in changed.items()
        ]
        for path, before in replaced:
            self._tell(path, before)

    def latest(self, path: str) -> Any:
        """Return the data at a path; None when there is none."""
        entry = self.entries.get(path)
        found = entry.data.get(entry.version) if entry else None
        return None if found is GONE else found

    def below(self, folder: str) -> Iterator[tuple[str, Any]]:
        """Yield name and data of all that lives in a folder."""
        for path in self.entries:
            if path.startswith(folder) and (data := self.latest(path)) is not None:
                yield path.removeprefix(folder), data


@dataclass
class Kv:
    """The engine as one daemon sees it. Stands in for :class:`rotator.vault.kv.Kv`, with its rules and its errors.

    ``before`` and ``after`` are called around every call, with what it is; they take time, kill, and raise what the
    network does.
    """

    vault: Vault
    before: Callable[[str, bool], None]
    after: Callable[[str, bool], None]
    on_write: Callable[[Transient | None], None] = lambda _error: None
    _seen: dict[str, int] = field(default_factory=dict)

    def read(self, path: str) -> Document:
        self._ask(f"reads {path}")
        entry = self._visible(path)
        self.after(f"reads {path}", False)
        if entry is None or not entry.version:
            return Document(State.ABSENT, 0, {})
        data = entry.data.get(entry.version, GONE)
        return (
            Document(State.DESTROYED, entry.version, {})
            if data is GONE
            else Document(State.LIVE, entry.version, data)
        )

    def _visible(self, path: str) -> Entry | None:
        """Return what a standby shows that is behind; never less than this client has seen before."""
        entry, vault = self.vault.entries.get(path), self.vault
        if entry is None:
            return None
        young = vault.now() < entry.written_at + vault.stale_seconds if vault.stale_seconds else False
        if young and entry.before is not None and entry.before.version >= self._seen.get(path, 0):
            return entry.before
        self._seen[path] = entry.version
        return entry

    def write(self, path: str, data: dict[str, Any], *, cas: int) -> Document:
        def change() -> Document:
            entry = self.vault.entries.get(path) or Entry()
            if entry.version != cas:
                raise Conflict(f"{path}: somebody else wrote first", code="vault.conflict", hint="Mend it.")
            version = cas + 1
            kept = {number: old for number, old in entry.data.items() if number > version - entry.most}
            self.vault.put(path, entry._replace(version=version, data={**kept, version: data}))
            self._seen[path] = version
            return Document(State.LIVE, version, data)

        return self._write(f"writes {path}", change)

    def names(self, path: str) -> list[str]:
        self._ask(f"lists {path}")
        return [name for name, _data in self.vault.below(f"{path}/")]

    def versions(self, path: str) -> dict[int, bool] | None:
        self._ask(f"reads {path}")
        entry = self.vault.entries.get(path)
        return None if entry is None else {number: data is GONE for number, data in entry.data.items()}

    def keep_versions(self, path: str, count: int) -> None:
        def change() -> None:
            entry = self.vault.entries.get(path) or Entry()
            if entry.most != count:
                self.vault.put(path, entry._replace(most=count))

        self._write(f"keeps {path}", change)

    def destroy(self, path: str, versions: list[int]) -> None:
        def change() -> None:
            entry = self.vault.entries[path]
            self.vault.put(path, entry._replace(data={**entry.data, **dict.fromkeys(versions, GONE)}))

        self._write(f"destroys {path}", change)

    def forget(self, path: str) -> None:
        self._write(f"deletes {path}", lambda: self.vault.put(path, None))

    def _ask(self, what: str, *, writing: bool = False) -> None:
        self.before(what, writing)
        code = self.vault.away or (self.vault.unwritable if writing else "")
        if code:
            raise Transient(f"Vault does not serve ({code})", code=code, hint="Mend it.")

    def _write(self, what: str, change: Callable[[], Any]) -> Any:
        try:
            self._ask(what, writing=True)
            done = change()
            self.after(what, True)
        except Transient as error:
            self.on_write(error)
            raise
        self.on_write(None)
        return done
