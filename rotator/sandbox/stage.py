"""Everything that rotator needs around it, on loopback: an org, a Vault server, and a configuration that works.

The apps of the org hold the certificates of key pairs made by hand; requests to adopt these pairs wait in Vault, so
that the first run of rotator takes them over.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import yaml

from rotator.sandbox.control import Control
from rotator.sandbox.lifetimes import SANDBOX, Lifetimes
from rotator.sandbox.org.knobs import Knobs
from rotator.sandbox.org.seed import USERS, seed_org
from rotator.sandbox.org.server import OrgServer
from rotator.sandbox.pairs import Pair, make_pair
from rotator.sandbox.settings import APPS, BASE_PATH, MOUNT, settings
from rotator.sandbox.vault import BaoServer
from rotator.sandbox.vault_api import AppRoleFiles, BaoApi, write_private

CONTROL_URL = "control-url"
"""File beside the configuration: where the org's control port is."""
_LONGEST = "768h"  # more than the server gives a token by default is cut to this


@dataclass(frozen=True, slots=True)
class Policies:
    """Who may do what in Vault, as HCL. The texts come from outside: they are part of what is tried out here.

    Attributes:
        consumers: credential -> policy of those who read its tokens.
    """

    daemon: str
    operator: str
    consumers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Tls:
    """What the org serves HTTPS with, and whom its clients have to trust; files in PEM."""

    chain: Path
    key: Path
    authority: Path


class Stage:
    """A sandbox. Ends as a context manager, or with ``stop``; then nothing of it is left.

    Args:
        knobs: of the org, beside those that follow from ``lifetimes``.
        durable: Vault keeps its data on disk, so that it can be stopped and started again.
        tls: the org serves HTTPS, as Salesforce does; None: HTTP, which needs no certificate.
        vault: a server that runs already, with nothing of a sandbox in it, and goes on running.
        empty: the org has no app yet, and nothing is to be adopted: the beginning of docs/tutorial.md.
        folder: an empty one for all files, or one that is made; at the end it is as it was. None: a temporary one.
    """

    vault: BaoApi
    org: OrgServer
    control: Control
    approle: AppRoleFiles
    folder: Path
    config: Path

    def __init__(
        self,
        policies: Policies,
        lifetimes: Lifetimes = SANDBOX,
        knobs: Mapping[str, object] | None = None,
        *,
        durable: bool = False,
        tls: Tls | None = None,
        vault: BaoApi | None = None,
        empty: bool = False,
        folder: Path | None = None,
    ) -> None:
        self.lifetimes = lifetimes
        self._policies = policies
        self._knobs = dict(knobs or {})
        self._durable = durable
        self._tls = tls
        self._given_vault = vault
        self._empty = empty
        self._given_folder = folder
        self._ending = ExitStack()

    def start(self) -> Self:
        """Raises BaoError or OSError when a server cannot be started, OSError also for a folder that is in use."""
        with ExitStack() as starting:
            self.folder = starting.enter_context(_folder(self._given_folder))
            if self._given_vault is None:
                storage = self.folder / "vault" if self._durable else None
                self.vault = starting.enter_context(BaoServer(secrets.token_urlsafe(24), storage=storage))
            else:
                self.vault = self._given_vault
            pairs = {} if self._empty else self._make_pairs()
            knobs = Knobs(
                session_timeout_seconds=self.lifetimes.session_timeout_seconds,
                propagation_seconds=self.lifetimes.propagation_seconds,
                deploy_seconds=self.lifetimes.deploy_seconds,
            )
            knobs.set(self._knobs)
            certificates = {APPS[name]: pair.certificate for name, pair in pairs.items()}
            tls = (self._tls.chain, self._tls.key) if self._tls else None
            org = seed_org(certificates, apps=not self._empty, knobs=knobs)
            self.org = starting.enter_context(OrgServer(org, tls=tls))
            self.control = Control(self.org.control_url)
            self._install()
            for name, pair in pairs.items():
                self._ask_to_adopt(name, pair)
            self._ending = starting.pop_all()
        return self

    def stop(self) -> None:
        """Stop both servers and remove every file. May be called twice."""
        self._ending.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def consumer_token_file(self, credential: str) -> Path:
        """Return where the token is with which consumers of a credential read from Vault."""
        return self.folder / f"consumer-token-{credential}"

    @property
    def operator_token_file(self) -> Path:
        return self.folder / "operator-token"

    def describe(self) -> dict[str, Any]:
        """Return all that somebody needs to use it, as JSON data."""
        app = APPS["acme"]
        return {
            "salesforce": {
                "login_url": self.org.url,
                "control_url": self.org.control_url,
                "consumer_key": None if self._empty else self.org.org.app(app).consumer_key,
                "username": USERS[app][0],
                "app": app,
            },
            "vault": {
                "address": self.vault.address,
                "root_token": self.vault.root_token,
                "role_id": self.approle.role_id,
                "secret_id_file": str(self.approle.secret_id_file),
                "consumer_token_file": str(self.consumer_token_file("acme")),
                "operator_token_file": str(self.operator_token_file),
            },
            "config": str(self.config),
            "lifetimes": asdict(self.lifetimes),
        }

    def _make_pairs(self) -> dict[str, Pair]:
        lives = self.lifetimes
        first = lives.renew_before_seconds + lives.first_due_seconds
        return {
            "acme": make_pair("acme", first),
            "globex": make_pair("globex", first + lives.stagger_seconds),
            "deployer": make_pair("deployer", lives.deployer_certificate_seconds),
        }

    def _install(self) -> None:
        """Give everybody their rights in Vault, and write what they log in with."""
        self.vault.install_policy("rotator", self._policies.daemon)
        self.vault.install_policy("rotator-operator", self._policies.operator)
        self.approle = self.vault.install_approle(
            "rotator",
            ["rotator"],
            self.folder,
            token_ttl="10m",  # noqa: S106 - a duration
        )
        operator = self.vault.make_token(["rotator-operator"], ttl=_LONGEST)
        write_private(self.operator_token_file, operator)
        for name, policy in self._policies.consumers.items():
            self.vault.install_policy(f"rotator-consumer-{name}", policy)
            token = self.vault.make_token([f"rotator-consumer-{name}"], ttl=_LONGEST)
            write_private(self.consumer_token_file(name), token)
        said = settings(
            self.org.org,
            self.vault.address,
            self.approle.role_id,
            self.approle.secret_id_file.name,
            self.lifetimes,
        )
        if self._tls:
            said["salesforce"]["ca_file"] = str(self._tls.authority)
        self.config = self.folder / "rotator.yaml"
        write_private(self.config, yaml.safe_dump(said, sort_keys=False))
        write_private(self.folder / CONTROL_URL, self.org.control_url)

    def _ask_to_adopt(self, name: str, pair: Pair) -> None:
        document = {
            "request": {
                "id": str(uuid.uuid4()),
                "ask": "adopt",
                "serial": 0,
                "made_at": datetime.now(UTC).isoformat(),
                "by": "sandbox",
            },
            "payload": {"key": pair.key, "certificate": pair.certificate},
            "schema": 1,
        }
        path = f"{MOUNT}/data/{BASE_PATH}/-/requests/{name}"
        self.vault.request("POST", path, {"data": document, "options": {"cas": 0}})


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    """Yield a folder, one of ours that only we may read, and leave nothing behind. Raises OSError."""
    if given is None:
        with tempfile.TemporaryDirectory(prefix="rotator-sandbox-") as made:  # with mode 0700
            yield Path(made)
        return
    ours = not given.exists()
    given.mkdir(mode=0o700, exist_ok=True)
    if any(given.iterdir()):
        raise FileExistsError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), str(given))
    try:
        yield given.absolute()
    finally:
        for path in given.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if ours:
            given.rmdir()
