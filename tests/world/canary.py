"""A site of which every secret is known, and everything that it shows is kept to be searched."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from secrets import token_urlsafe
from typing import Any, Self

from tests.world.commands import Ran, Rotator
from tests.world.daemon import Daemon, Journal
from tests.world.ledger import APPS, PUBLISHED
from tests.world.rude import CALM
from tests.world.searcher import Searcher
from tests.world.site import HASTY, Site, site
from tests.world.taps import OrgTap, Tap
from tests.world.watch import Files, Processes

BUGS = Path(__file__).parent / "bug"
FORESEEN_BY_NOBODY = "this error of a test quotes what it was given"
DECOYS = ("VAULT_TOKEN", "BAO_TOKEN", "HTTPS_PROXY")
"""What the environment of the daemon holds, as an operator's shell may. It is not rotator's to use or to pass on."""


def invented() -> str:
    """Return a new secret, with characters that every notation has to escape."""
    return f"{token_urlsafe(24)} /+&%="


class Canary:
    """Built by :func:`canary`.

    A surface is where something is shown. To have another one searched, say ``canary.show(name, what)``.

    Attributes:
        shown: by surface.
        named: secrets that never pass a tap, and what they are.
        private: files that are there to hold a secret.
        work: the only folder in which processes of ours may leave files; they take it for their home, too.
    """

    def __init__(self, here: Site, work: Path, vault: Tap, org: OrgTap) -> None:
        self.here, self.work, self.vault, self.org = here, work, vault, org
        self.shown: dict[str, list[bytes]] = defaultdict(list)
        self.decoys = {name: invented() for name in DECOYS}
        self.named = {
            org.password: "the proxy's password",
            here.stage.approle.secret_id_file.read_text(): "the secret_id",
            here.stage.operator_token_file.read_text(): "the operator's token",
            here.stage.vault.root_token: "the root token",
            **{value: name for name, value in self.decoys.items()},
        }
        self.private = {
            here.stage.approle.secret_id_file,
            here.stage.operator_token_file,
            *(here.stage.consumer_token_file(name) for name in PUBLISHED),
        }
        self.environment = {
            "TMPDIR": str(work / "tmp"),
            "HOME": str(work),
            "RUNTIME_DIRECTORY": str(work / "run"),
            "NOTIFY_SOCKET": str(work / "run" / "notify"),
            "COLUMNS": "200",
        }
        self.daemon = Daemon(here.stage.config, here.journal, {**self.environment, **self.decoys})
        self.rotator = Rotator(here.stage)
        self.journals = [here.journal]
        self.files, self.processes = Files(work, here.stage.folder), Processes()
        self._manager = Manager(work / "run" / "notify")
        self._watching = ExitStack()

    def __enter__(self) -> Self:
        for watcher in (self._manager, self.files, self.processes, self.daemon):
            self._watching.enter_context(watcher)
        return self

    def __exit__(self, *_error: object) -> None:
        self._watching.close()

    def gather(self) -> None:
        """End all that runs, and keep what it has shown."""
        self._watching.close()
        for journal in self.journals:
            self.show("log", "".join(journal.text))
        self.show("what systemd is told", b"\n".join(self._manager.heard))
        for process in self.processes.seen.values():
            self.show("command lines", process.command)
            environment = process.environment.decode(errors="surrogateescape")
            for name, decoy in self.decoys.items() if process.is_daemon else ():
                environment = environment.replace(f"{name}={decoy}", "")  # given to it, and to it alone
            self.show("environments", environment)
        for file in self.files.seen.values():
            if file.path not in self.private:
                self.show("files", bytes(file.path) + b"\n" + file.content)
        for request in [*self.vault.requests, *self.org.requests]:
            self.show("request lines, which every server logs", request.path)
        for name in APPS:
            self.show("records in Vault", json.dumps(self.here.ledger.versions(name)))

    def show(self, surface: str, what: bytes | str) -> None:
        """Keep what is shown somewhere."""
        self.shown[surface].append(what.encode("utf-8", "surrogateescape") if isinstance(what, str) else what)

    def run(self, *arguments: object, code: int | None = None, config: Path | None = None) -> Ran:
        """Run a command in this process, and keep what it prints. Raises AssertionError unless it ends with ``code``."""
        return self._printed(self.rotator(*arguments, config=config), arguments, code)

    def run_apart(self, *arguments: object, code: int, **environment: str) -> Ran:
        """Run a command in a process of its own, and keep what it prints. Raises AssertionError as :meth:`run`."""
        ran = self.rotator.process(*arguments, env={**self.environment, **environment}, cwd=self.work)
        return self._printed(ran, arguments, code)

    def _printed(self, ran: Ran, arguments: tuple[object, ...], code: int | None) -> Ran:
        self.show("standard output of commands", ran.out)
        self.show("standard error of commands", ran.err)
        assert code in {None, ran.code}, (arguments, ran)
        return ran

    @contextmanager
    def another_daemon(self, config: Path, **environment: str) -> Iterator[Journal]:
        """Run a daemon beside ours, which may end as it likes, and keep what it logs."""
        journal = Journal()
        self.journals.append(journal)
        with Daemon(config, journal, {**self.environment, **environment}) as daemon:
            daemon.start()
            yield journal

    def write(self, name: str, content: str, what: str = "") -> Path:
        """Write a file of the operator's, which nobody else can read; ``what`` is in it, if it is a secret."""
        path = self.work / name
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(content)
        if what:
            self.named[content] = what
            self.private.add(path)
        return path

    def variant(self, name: str, **sections: Any) -> Path:
        """Write a configuration that differs in some sections, and return where it is."""
        folder = self.work / name
        folder.mkdir(exist_ok=True)
        return self.rotator.variant(folder, **sections)

    def secrets(self) -> dict[str, str]:
        """Return every secret that there was until now, and what it is."""
        return {**self.vault.secrets(), **self.org.secrets(), **self.here.secrets(), **self.named}

    def sightings(self) -> dict[str, list[str]]:
        """Return the secrets that were shown, by surface."""
        searcher = Searcher(self.secrets())
        found = {name: searcher.find(b"\n".join(pieces)) for name, pieces in self.shown.items()}
        return {name: secrets for name, secrets in found.items() if secrets}


class Manager(threading.Thread):
    """What systemd is: it hears what the daemon tells it (sd_notify(3))."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.heard: list[bytes] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self.join()
        self._socket.close()

    def run(self) -> None:
        while said := self._socket.recv(4096):
            self.heard.append(said)


def bug(place: str) -> dict[str, str]:
    """Return the environment in which a function of rotator (``module:name``) raises what nobody foresaw."""
    return {"BUG_AT": place, "PYTHONPATH": os.pathsep.join([str(BUGS), os.environ.get("PYTHONPATH", "")])}


@contextmanager
def canary(work: Path) -> Iterator[Canary]:
    """Build a site behind taps, whose daemon is not started yet."""
    for name in ("tmp", "run"):
        (work / name).mkdir(mode=0o700)
    with ExitStack() as ending:
        here = ending.enter_context(site(HASTY, adopt=False, weather=CALM))
        vault = ending.enter_context(Tap(here.stage.vault))
        org = ending.enter_context(OrgTap(here.stage.org, invented()))
        made = Canary(here, work, vault, org)
        ending.enter_context(made)
        yield made
