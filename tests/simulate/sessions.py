"""What an org holds: apps with their slots, sessions, and what is wrong with it at the moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rotator.sandbox.org.refusals import Refusal
from rotator.sandbox.org.sessions import Session
from rotator.sandbox.org.slots import Slot

NEVER = float("inf")


@dataclass
class App:
    """An app with its one certificate slot; certificates are known by their fingerprints.

    ``held``: fingerprint and PEM of all that were in the slot, the latest last.
    """

    name: str
    consumer_key: str
    users: tuple[str, ...]
    jwt: bool = False
    slot: Slot = field(default_factory=Slot)
    held: list[tuple[str, str]] = field(default_factory=list)

    @property
    def pem(self) -> str:
        """What its metadata show."""
        return self.held[-1][1] if self.held else ""


@dataclass
class Weather:
    """What is wrong with an org at the moment.

    Attributes:
        refuses: what the token endpoint says to everybody.
        throttles: share of the requests that are answered by 429.
        cuts: share of the requests whose answer is lost, half of them before they took effect.
        flaps: some logins are judged by the certificate before the latest.
    """

    maintenance: bool = False
    refuses: Refusal | None = None
    throttles: float = 0.0
    cuts: float = 0.0
    flaps: bool = False
    frozen: set[str] = field(default_factory=set)


class Sessions:
    """What lives behind the tokens. ``ended`` is called when sessions are over that did not just run out."""

    def __init__(self) -> None:
        self.by_token: dict[str, Session] = {}
        self._latest: dict[tuple[str, str], Session] = {}
        self.killed: dict[str, float] = {}
        self.ended: list[Callable[[], None]] = []

    def find(self, token: str, now: float) -> Session | None:
        session = self.by_token.get(token)
        return None if session is None or token in self.killed or now >= session.ends else session

    def of(self, username: str, consumer_key: str, now: float) -> Session | None:
        session = self._latest.get((username, consumer_key))
        return None if session is None or session.is_jwt else self.find(session.token, now)

    def open(self, session: Session) -> None:
        self.by_token[session.token] = self._latest[session.username, session.consumer_key] = session

    def kill(self, now: float, consumer_key: str | None = None) -> int:
        """End the living sessions of an app, or all; tell how many."""
        living = [
            session.token
            for session in self.by_token.values()
            if consumer_key in (None, session.consumer_key) and self.find(session.token, now)
        ]
        self.end(living, now)
        return len(living)

    def end(self, tokens: list[str], now: float) -> None:
        self.killed.update(dict.fromkeys(tokens, now))
        for heard in self.ended:
            heard()

    def dead_at(self, token: str) -> float:
        """Return when a session ended, or will if nobody calls."""
        return min(self.killed.get(token, NEVER), self.by_token[token].ends)
