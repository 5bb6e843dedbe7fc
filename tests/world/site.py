"""A whole site on loopback: org, Vault, the daemon as a process, and a consumer for every published token."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jwt
import requests
import yaml

from rotator.app import application
from rotator.config import load
from rotator.core.model import Ask
from rotator.demo.policies import sandbox_policies
from rotator.errors import Conflict
from rotator.run.ask import ask
from rotator.sandbox.lifetimes import Lifetimes
from rotator.sandbox.stage import Stage, Tls
from rotator.sandbox.vault_api import BaoApi, BaoError
from rotator.vault.documents import Documents
from tests.world import rude
from tests.world.consumer import CALL_EVERY_SECONDS, READ_EVERY_SECONDS, Consumer, complaints, useful
from tests.world.daemon import Daemon, Journal
from tests.world.ledger import APPS, Ledger
from tests.world.searcher import Searcher

FAST = Lifetimes(
    first_due_seconds=1200,
    stagger_seconds=60,
    certificate_seconds=3600,
    deployer_certificate_seconds=7200,
    renew_before_seconds=600,
    urgent_before_seconds=60,
    backoff_seconds=3,
    quarantine_seconds=6,
    session_timeout_seconds=48,
    refresh_seconds=8,
    verify_seconds=4,
    consumer_lag_seconds=2,
    proofs=3,
    proof_span_seconds=0.9,
    proof_retry_seconds=0.3,
    proof_deadline_seconds=40,
    slow_servers_seconds=5,
    deploy_deadline_seconds=40,
    poll_seconds=0.3,
    lease_seconds=6.5,
    connect_timeout_seconds=1,
    read_timeout_seconds=2,
    retry_seconds=0.3,
    reconcile_seconds=0.5,
    propagation_seconds=1,
    deploy_seconds=0.5,
)
"""A rotation takes about four seconds; none comes due by itself. A daemon may take long to come back."""

HASTY = replace(FAST, proof_deadline_seconds=12, deploy_deadline_seconds=12)
"""Gives a change up soon."""

LASTING = replace(FAST, deploy_deadline_seconds=120, proof_deadline_seconds=120, session_timeout_seconds=240)
"""Changes and sessions outlive an outage of a minute."""

NOBODY: Mapping[str, float] = MappingProxyType({})

ASSERTION = re.compile(r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}")
VAULT_TOKEN = re.compile(r"\b(?:hv)?[sb]\.[A-Za-z0-9_-]{20,}")
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"

Edit = Callable[[dict[str, Any]], None]


def restored_seconds(lives: Lifetimes, *, reading_seconds: float = READ_EVERY_SECONDS) -> float:
    """Return within what time consumers are served again whose session was ended, or whose key was refused.

    The next verification finds it, then every key that the org may take is tried until the certificate has spread, and
    consumers read again; each call on that way may hang for as long as rotator lets it.
    """
    trying = lives.propagation_seconds + 10 * lives.retry_seconds
    return lives.verify_seconds + 4 * lives.read_timeout_seconds + trying + reading_seconds


class Site:
    """Built by :func:`site`.

    Attributes:
        asking: documents as an operator may see and write them.
        seen_tokens: every access token that the org ever gave, those for proofs and deploys included.
    """

    def __init__(self, stage: Stage, documents: Documents, names: Iterable[str], journal: Journal) -> None:
        self.stage, self.asking = stage, documents
        self.control = stage.control
        self.journal = journal
        self.ledger = Ledger(stage, names)
        self.daemon = Daemon(stage.config, self.journal)
        self.consumers: list[Consumer] = []
        self.seen_tokens: set[str] = set()
        self._listen_to_org()

    def _listen_to_org(self) -> None:
        sessions = self.stage.org.org.sessions
        add = sessions.add

        def spy(session: Any) -> None:
            self.seen_tokens.add(session.token)
            add(session)

        sessions.add = spy  # the org lives in this process

    def adopt(self) -> None:
        """Start the daemon, and wait until it has taken over everything."""
        self.daemon.start()
        self.await_adoption()

    def await_adoption(self) -> None:
        """Wait until the keys made by hand are taken over and all tokens published."""
        for name in self.ledger.names:
            self.journal.wait_for("key.promoted", credential=name, serial=1)
        for users in self.ledger.published.values():
            for user in users:
                self.journal.wait_for("token.published", user=user)
        self.ledger.keep_all_versions()

    @contextmanager
    def consuming(self, *users: str, every_seconds: float = CALL_EVERY_SECONDS) -> Iterator[None]:
        """Let consumers work meanwhile, by default as every user."""
        chosen = [
            (name, user)
            for name, known in self.ledger.published.items()
            for user in known
            if not users or user in users
        ]
        with ExitStack() as running:
            for name, user in chosen:
                token = self.stage.consumer_token_file(name).read_text()
                consumer = Consumer(
                    self.stage.vault.address, token, name, user, call_every_seconds=every_seconds
                )
                self.consumers.append(running.enter_context(consumer))
            yield

    # -- doing

    def edit(self, *edits: Edit) -> None:
        """Change the configuration. A daemon that runs does not notice."""
        change(self.stage.config, *edits)

    def ask(self, name: str, what: Ask = Ask.ROTATE) -> None:
        """Leave a request, as an operator does; one that still waits is waited for."""

        def left() -> bool:
            try:
                ask(self.asking, name, what)
            except Conflict:
                return False
            return True

        self.until(f"a request for {name} could be left", left)

    def until(self, what: str, holds: Callable[[], object], *, within_seconds: float = 60.0) -> float:
        """Wait until something holds; return how many seconds it took. Raises AssertionError when it does not."""
        began = time.monotonic()
        while not holds():
            if time.monotonic() > began + within_seconds:
                said = "".join(self.journal.text[-25:])
                raise AssertionError(f"not within {within_seconds:.0f} s: {what}; the last lines:\n{said}")
            time.sleep(0.1)
        return time.monotonic() - began

    def await_steady(self, *names: str, within_seconds: float = 90.0) -> float:
        """Wait until no change is under way and the org has the current certificates; return the seconds."""
        chosen = names or self.ledger.names
        found: list[str] = []

        def steady() -> bool:
            found[:] = [problem for name in chosen for problem in self.ledger.unsteady(name)]
            return not found

        try:
            return self.until("all is steady", steady, within_seconds=within_seconds)
        except AssertionError as error:
            raise AssertionError(f"{found}: {error}") from None

    def rotate_until(self, event: str, name: str = "acme") -> int:
        """Begin a rotation by request, and come back at an event of it, with the mark of the journal before it."""
        since = self.journal.mark()
        self.ask(name)
        self.journal.wait_for(event, since, credential=name)
        return since

    def rotate(self, name: str = "acme") -> int:
        """Rotate by request, and return the serial of the new current key."""
        since = self.journal.mark()
        self.ask(name)
        serial = self.journal.wait_for("key.promoted", since, credential=name, reason="rotation")["serial"]
        self.await_steady(name)
        return int(serial)

    # -- judging

    def audit(
        self, *, refused_seconds: Mapping[str, float] = NOBODY, unanswered_seconds: float = 0.0
    ) -> dict[str, Any]:
        """Assert that everything holds that must hold at the end; the daemon may run or not. Return the figures.

        What the scene itself takes from consumers is bounded as :func:`tests.world.consumer.complaints` has it.
        """
        lives = self.stage.lifetimes
        promotions, wrong = 0, []
        for name in self.ledger.names:
            count, found = self.ledger.unproved(name, max(lives.proofs, 2), lives.proof_span_seconds)
            promotions += count
            wrong += found
        wrong += self.ledger.violations()
        wrong += complaints(self.consumers, refused_seconds, unanswered_seconds)
        assert not wrong, wrong
        unforeseen = self.journal.find("step.failed") + self.journal.find("daemon.crashed")
        assert not unforeseen, unforeseen
        return {
            "consumer_calls": sum(one.calls for one in self.consumers),
            "failed_calls": sum(one.failed for one in self.consumers),
            "spoilt_calls": sum(one.spoilt for one in self.consumers),
            "changes_proved": promotions,
            "log_lines": len(self.journal.text),
        }

    def phase(self, name: str) -> str:
        """Return what the record says of a credential; "empty" before there is one."""
        try:
            return str(self.ledger.record(name)["phase"])
        except BaoError:
            return "empty"

    def secrets(self) -> dict[str, str]:
        """Return every secret that is known, and what it is."""
        approle = self.stage.approle.secret_id_file.read_text()
        return {
            **self.ledger.secrets,
            **dict.fromkeys(self.seen_tokens, "an access token"),
            approle: "the secret_id",
            self.stage.vault.root_token: "the root token",
        }

    def leaks(self, text: str | None = None) -> list[str]:
        """Return which secrets a text holds, by default the logs of all daemons, and what looks like one."""
        text = "".join(self.journal.text) if text is None else text
        found = Searcher(self.secrets()).find(text)
        shapes = [shape.pattern for shape in (ASSERTION, VAULT_TOKEN) if shape.search(text)]
        return found + shapes + (["PRIVATE KEY"] if "PRIVATE KEY" in text else [])

    def log_in(self, name: str, user: str, private_key: str) -> requests.Response:
        """Try a key at the org, over a new connection and without any code of rotator."""
        app = self.stage.org.org.app(APPS[name])
        claims = {
            "iss": app.consumer_key,
            "sub": user,
            "aud": self.stage.org.url,
            "exp": datetime.now(UTC) + timedelta(minutes=3),
        }
        form = {"grant_type": JWT_BEARER, "assertion": jwt.encode(claims, private_key, "RS256")}
        url = f"{self.stage.org.url}/services/oauth2/token"
        return useful(lambda: requests.post(url, data=form, timeout=10))


@contextmanager
def site(
    lifetimes: Lifetimes = FAST,
    *,
    edit: Edit | None = None,
    durable: bool = False,
    tls: Tls | None = None,
    vault: BaoApi | None = None,
    adopt: bool = True,
    weather: Mapping[str, object] | None = None,
    names: Iterable[str] = APPS,
    journal: Journal | None = None,
) -> Iterator[Site]:
    """Build a site whose org is rude, run the daemon, and leave nothing behind. No secret may have come into the log.

    Args:
        edit: changes the configuration before the daemon reads it.
        durable: Vault can be stopped and started again.
        tls: the org serves HTTPS.
        vault: a server that runs already.
        adopt: False: the daemon is not started yet.
        weather: knobs of the org; rude by default.
        names: the credentials that are served.
        journal: takes what the daemons say; one that keeps every line by default.
    """
    with ExitStack() as ending:
        org = rude.weather() if weather is None else weather
        stage = ending.enter_context(
            Stage(sandbox_policies(), lifetimes, org, durable=durable, tls=tls, vault=vault)
        )
        names = tuple(names)
        change(stage.config, _many_swaps, lambda settings: _only(settings, names), *([edit] if edit else []))
        app = ending.enter_context(application(load(stage.config), stage.operator_token_file))
        built = Site(stage, app.documents, names, Journal() if journal is None else journal)
        ending.enter_context(built.daemon)
        if adopt:
            built.adopt()
        yield built
        leaks = built.leaks()
        assert not leaks, leaks


def change(config: Path, *edits: Edit) -> None:
    """Edit a configuration file in place."""
    settings = yaml.safe_load(config.read_text())
    for edit in edits:
        edit(settings)
    config.write_text(yaml.safe_dump(settings, sort_keys=False))


def _many_swaps(settings: dict[str, Any]) -> None:
    settings["defaults"]["rotation"]["swaps_a_day"] = 200


def _only(settings: dict[str, Any], names: Iterable[str]) -> None:
    """Leave out what is not served. Who then has no deployer has its certificates brought in by hand."""
    settings["credentials"] = {name: settings["credentials"][name] for name in names}
    for credential in settings["credentials"].values():
        if credential["deploy"].get("with", "deployer") not in settings["credentials"]:
            credential["deploy"] = {"publisher": "manual"}
