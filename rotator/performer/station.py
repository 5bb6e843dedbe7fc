"""What this process knows of one credential: its settings, its adapters, and what it read last."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from rotator import events
from rotator.config import CredentialConfig
from rotator.core.effects import Action, Kind, Nothing
from rotator.core.model import Record, Serial, Terms, TokenFacts
from rotator.core.slot import in_lasting_trouble
from rotator.core.timing import pacing_key, retry_pause
from rotator.errors import Misconfigured, RotatorError
from rotator.publishers import Publisher
from rotator.salesforce.appfiles import App
from rotator.salesforce.oauth import Login
from rotator.show.logs import emit
from rotator.vault.codec import TokenDocument
from rotator.vault.documents import Waiting


@dataclass(slots=True)
class Held:
    """How often an action failed in a row, with what answer at last, and before when it is not repeated.

    Attributes:
        asked: the other side asked us not to come back before ``until``.
    """

    failures: int = 0
    until: datetime | None = None
    code: str = ""
    message: str = ""
    hint: str = ""
    asked: bool = False


Tokens = dict[str, tuple[TokenDocument | None, int]]


@dataclass(slots=True)
class Station:
    """One credential, as this process sees it. Used by one thread at a time, except for ``record``.

    What was read from Vault is kept: a write over a version that moved is a conflict, and then it is read anew.

    Attributes:
        place: in which Vault, and where there, its documents are.
        leaving: the configuration has it no more, or with another app. It begins nothing by itself, and is let go or gets
            those settings once no change is under way.
        read_at: when the record was last read or written; None: never.
        doubted: it may be another by now, and is read again before it is decided upon.
        tokens: user -> what is published and its version; a deployer's are kept here and nowhere else.
        stale: users whose published token may be another by now.
        sequences: user -> the highest number of a publication that was seen.
        unreconciled: see :class:`rotator.core.model.Snapshot`.
        gone_back: document -> version that was known of it: by what it was noticed that Vault was restored from a
            backup; empty once org and Vault agree again.
        unrecorded: pacing key -> what an action brought that could not be recorded: it is done again, and not told again.
        waiting: the request of an operator that was seen waiting.
        skew_seconds: Salesforce's clock minus ours, at the last answer to a login; 0 before the first one, and again
            once our clock was set.
        signs_ahead: by how much the clock that assertions are signed by is ahead of ours, as the org took the last one.
        told: alarms that are on, and what was said: they are told once.
        warned: (event, user) -> code: what the last call of this kind was told of.
    """

    name: str
    config: CredentialConfig
    terms: Terms
    app: App
    publisher: Publisher
    place: tuple[str, ...] = ()
    leaving: bool = False
    record: Record = field(default_factory=Record)
    version: int = 0
    read_at: datetime | None = None
    doubted: bool = False
    tokens: Tokens = field(default_factory=dict)
    stale: set[str] = field(default_factory=set)
    sequences: dict[str, int] = field(default_factory=dict)
    unreconciled: set[str] = field(default_factory=set)
    gone_back: dict[str, int | None] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)
    unrecorded: dict[str, tuple[Action, Kind, str]] = field(default_factory=dict)
    waiting: Waiting | None = None
    api_version: str | None = None
    skew_seconds: float = 0.0
    signs_ahead: timedelta = timedelta(0)
    told: dict[str, str] = field(default_factory=dict)
    warned: dict[tuple[str, str], str] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    sentence: str = ""

    def renewed(self, new: Station) -> Station:
        """Return the station with the settings of ``new``, and with what this one knows that still holds by them.

        Between two steps. What failed before is tried again at once, unless the other side asked us to wait.
        """
        if self.place != new.place:
            return new  # what was read elsewhere says nothing of the documents there
        # A session that nobody publishes is nowhere else, and no other app's: a deployer deploys with it.
        same = self.config.publish or self.config.consumer_key == new.config.consumer_key
        users = set(new.terms.users) if same and self.config.publish == new.config.publish else set()
        return replace(
            self,
            config=new.config,
            terms=new.terms,
            app=new.app,
            publisher=new.publisher,
            tokens={user: known for user, known in self.tokens.items() if user in users},
            sequences={user: number for user, number in self.sequences.items() if user in users},
            stale=self.stale & users,
            unreconciled=self.unreconciled & set(new.terms.users),
            held={key: held for key, held in self.held.items() if held.asked},
            api_version=None,
        )

    def doubt(self) -> None:
        """Read everything again at the next step: somebody else wrote, or an answer was lost.

        What is known is kept: while Vault does not answer, sessions are kept alive by it. A write over what moved
        meanwhile is a conflict.
        """
        self.doubted = True
        if self.config.publish:
            self.stale.update(self.tokens)

    def went_back(self, document: str, version: int | None = None, known_version: int | None = None) -> None:
        """Vault was restored from a backup: tell it once, and have it shown for every user that a key is taken.

        All documents go back at once, so another one tells of the same backup; the same one, of which more was known
        meanwhile, tells of another.
        """
        if self.gone_back.get(document, known_version) != known_version:
            self.gone_back.clear()
        if not self.gone_back:
            emit(
                events.VAULT_WENT_BACK,
                credential=self.name,
                document=document,
                version=version,
                known_version=known_version,
            )
        self.gone_back[document] = known_version
        self.unreconciled.update(self.terms.users)

    def reconciles(self, serial: Serial | None) -> bool:
        """Tell whether a token minted with this key ends what began when Vault went back: no user is still to be seen.

        Users who need a person before they get any token are not waited for.
        """
        troubles = (self.record.trouble_of(f"mint:{user}") for user in self.unreconciled)
        return (
            bool(self.gone_back)
            and serial == self.record.current
            and all(in_lasting_trouble(trouble) for trouble in troubles)
        )

    def login(self, user: str) -> Login:
        """Return what an assertion for this user says. Raises Misconfigured as :func:`login_of` does."""
        return login_of(self.config, user)

    def facts(self) -> tuple[TokenFacts, ...]:
        """Return what decisions need to know of the published tokens."""
        return tuple(
            facts_of(user, document)
            for user, (document, _version) in tuple(self.tokens.items())
            if document is not None
        )

    def failing(self, *actions: Action) -> Held:
        """Return the first of these actions that fails, as far as known; a blank where none does."""
        tried = (self.held.get(pacing_key(action), Held()) for action in actions)
        return next((held for held in tried if held.failures), Held())

    def hold_telling(self, error: RotatorError, now: datetime) -> None:
        """While the record cannot be written, hold back what only tells on it, and comes first: tokens have their turn.

        For twice the pause that whoever drives makes after a failure, so that the step after it finds it held.
        """
        held = self.held.setdefault(pacing_key(Nothing()), Held())
        asked = timedelta(seconds=error.retry_after_seconds or 0.0)
        held.until = now + 2 * max(retry_pause(held.failures, self.terms), asked)
        held.failures += 1
        held.code, held.message, held.hint = error.code, error.message, error.hint

    def held_back(self) -> dict[str, datetime]:
        """Return before when actions are not to be repeated."""
        return {key: held.until for key, held in tuple(self.held.items()) if held.until is not None}


def login_of(config: CredentialConfig, user: str) -> Login:
    """Return what an assertion for a user of a credential says.

    Raises Misconfigured when the user is not configured (any more), and before the app has a consumer key.
    """
    if config.consumer_key is None:
        raise Misconfigured(
            f"{config.name} has no consumer key yet",
            code="config.consumer_key",
            hint=f"Copy it from the app in Setup into credentials.{config.name}.consumer_key.",
        )
    for target in config.logins:
        if target.username == user:
            return Login(target.login_url, target.audience, config.consumer_key, user)
    raise Misconfigured(
        f"{user} is no user of {config.name}",
        code="config.user",
        hint=f"Put it among credentials.{config.name}.users, or let the change under way end without it.",
    )


def facts_of(user: str, document: TokenDocument) -> TokenFacts:
    """Return a token document without the token."""
    return TokenFacts(
        user=user,
        key_serial=document.key_serial,
        issued_at=document.issued_at,
        verified_at=document.verified_at,
        expires_at=document.expires_at,
        refresh_after=document.refresh_after,
        prolongable=document.prolongable,
        sequence=document.sequence,
    )
