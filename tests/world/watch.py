"""Watches what comes into folders, and which processes there are, however short they live."""

from __future__ import annotations

import ctypes
import os
import select
import stat
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.world.background import Background

LOOK_EVERY_SECONDS = 0.01

# linux/inotify.h
_MODIFY, _CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _CREATE, _IS_DIR = 0x2, 0x8, 0x40, 0x80, 0x100, 0x40000000
_EVENT = struct.Struct("iIII")
_BUFFER_BYTES = 1 << 16


class _Watcher(Background):
    """Looks again and again, and once more at the end."""

    def run(self) -> None:
        while not self.stopping.is_set():
            self._look()
        self._look()

    def _look(self) -> None:
        raise NotImplementedError


@dataclass(frozen=True)
class Seen:
    """What was in a file at some time."""

    path: Path
    mode: int
    content: bytes


class Files(_Watcher):
    """Keeps everything that is written anywhere below some folders.

    The kernel tells of each file as it is made (inotify(7)), so one that is soon gone is seen, too.

    Attributes:
        seen: by path and content.
        missed: the files that were gone before they could be opened, but for those that were found under another name.
    """

    def __init__(self, *folders: Path) -> None:
        super().__init__("files")
        self.seen: dict[tuple[Path, bytes], Seen] = {}
        self.missed: list[Path] = []
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._inotify = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._folders: dict[int, Path] = {}
        self._open: dict[Path, int] = {}
        for folder in folders:
            self._enter(folder)

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        for path, descriptor in self._open.items():
            self._keep(path, descriptor)
            os.close(descriptor)
        os.close(self._inotify)

    def _enter(self, folder: Path) -> None:
        what = _MODIFY | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE
        number = self._libc.inotify_add_watch(self._inotify, os.fsencode(folder), what)
        if number < 0:
            return  # it is gone
        self._folders[number] = folder
        with suppress(OSError):
            for entry in list(os.scandir(folder)):  # what came before we watched
                self._meet(Path(entry.path), is_folder=entry.is_dir(follow_symlinks=False))

    def _meet(self, path: Path, *, is_folder: bool) -> None:
        if is_folder:
            self._enter(path)
            return
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            self.missed.append(path)
        except OSError:
            pass  # a socket
        else:
            if (old := self._open.pop(path, None)) is not None:
                self._keep(path, old)
                os.close(old)
            self._open[path] = descriptor
            self._keep(path, descriptor)

    def _keep(self, path: Path, descriptor: int) -> None:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            content = os.pread(descriptor, status.st_size, 0)
            self.seen[path, content] = Seen(path, stat.S_IMODE(status.st_mode), content)

    def _look(self) -> None:
        if not select.select([self._inotify], [], [], LOOK_EVERY_SECONDS)[0]:
            return
        events = os.read(self._inotify, _BUFFER_BYTES)
        while events:
            number, mask, _cookie, length = _EVENT.unpack_from(events)
            name = events[_EVENT.size : _EVENT.size + length].rstrip(b"\0")
            events = events[_EVENT.size + length :]
            path = self._folders[number] / os.fsdecode(name)
            if mask & _MOVED_FROM:
                if path in self.missed:  # it is met where it goes to, which is watched as well
                    self.missed.remove(path)
            elif mask & (_CREATE | _MOVED_TO):
                self._meet(path, is_folder=bool(mask & _IS_DIR))
            elif path in self._open:
                self._keep(path, self._open[path])


@dataclass(frozen=True)
class Process:
    """What everybody, or its user, can see of a process in /proc."""

    pid: int
    command: bytes
    environment: bytes
    core_limit: str

    @property
    def is_daemon(self) -> bool:
        return b"\0rotator\0run\0" in self.command


class Processes(_Watcher):
    """Keeps what /proc shows of all descendants of this process, but for those that were there before.

    Attributes:
        seen: one for each program that a process was.
    """

    def __init__(self) -> None:
        super().__init__("processes")
        self.seen: dict[tuple[int, bytes], Process] = {}
        self._before = set(_children(os.getpid()))
        self._own = Path("/proc/self/cmdline").read_bytes()

    def _look(self) -> None:
        new = set(_children(os.getpid())) - self._before
        while new:
            for pid in new:
                with suppress(OSError):  # it ended meanwhile
                    self._keep(pid)
            new = {child for pid in new for child in _children(pid)}
        self.stopping.wait(LOOK_EVERY_SECONDS)

    def _keep(self, pid: int) -> None:
        folder = Path(f"/proc/{pid}")
        command = (folder / "cmdline").read_bytes()
        environment = (folder / "environ").read_bytes()
        # Its limits are set a moment after its start: the last look counts.
        limits = (folder / "limits").read_text().splitlines()
        core_limit = next(line.split()[-3:-1] for line in limits if line.startswith("Max core file size"))
        # One that was forked just now is still what we are.
        if command not in {b"", self._own} and (folder / "cmdline").read_bytes() == command:
            self.seen[pid, command] = Process(pid, command, environment, "/".join(core_limit))


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, file.read_text().split())
    return found
