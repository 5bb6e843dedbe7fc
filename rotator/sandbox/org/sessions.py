"""Sessions: what an access token stands for, and how long."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


@dataclass(slots=True)
class Session:
    """One session. Times are elapsed seconds of the org's clock."""

    token: str = field(repr=False)
    username: str
    consumer_key: str
    scope: str
    address: str
    began: float
    active: float
    timeout_seconds: float
    is_jwt: bool = False

    @property
    def ends(self) -> float:
        return self.active + self.timeout_seconds

    def touch(self, elapsed: float) -> None:
        """Count a call as activity.

        Salesforce updates the last activity only past half of the timeout, so that a call proves
        half a timeout ahead at most (help 000383251). JWT-format tokens end when they said.
        """
        if not self.is_jwt and elapsed - self.active >= self.timeout_seconds / 2:
            self.active = elapsed


class Sessions:
    """The living sessions of an org."""

    def __init__(self) -> None:
        self._by_token: dict[str, Session] = {}
        self._shared: dict[tuple[str, str], list[Session]] = {}

    def add(self, session: Session) -> None:
        self._by_token[session.token] = session
        if not session.is_jwt:
            self._shared.setdefault((session.username, session.consumer_key), []).append(session)

    def find(self, token: str, elapsed: float) -> Session | None:
        """The session of `token`, while it lives."""
        session = self._by_token.get(token)
        if session is not None and elapsed >= session.ends:
            self._drop(session)
            return None
        return session

    def of(self, username: str, consumer_key: str, address: str | None, elapsed: float) -> Session | None:
        """The session that a repeated grant gives again. JWT-format tokens are new each time.

        `address` is given where sessions are locked to one.
        """
        for session in list(self._shared.get((username, consumer_key), [])):
            if address in {None, session.address} and self.find(session.token, elapsed):
                return session
        return None

    def living(self, elapsed: float) -> list[Session]:
        return [session for session in list(self._by_token.values()) if self.find(session.token, elapsed)]

    def set_timeout(self, seconds: float, *, besides: AbstractSet[str]) -> None:
        """Let living sessions end so long after their last activity, but for those of the apps `besides`."""
        for session in self._by_token.values():
            if not session.is_jwt and session.consumer_key not in besides:
                session.timeout_seconds = seconds

    def end(
        self, *, token: str | None = None, username: str | None = None, consumer_key: str | None = None
    ) -> int:
        """End the sessions that match everything given; tells how many."""
        known = self._by_token.values() if token is None else [self._by_token.get(token)]
        ended = [
            session
            for session in known
            if session is not None
            and username in {None, session.username}
            and consumer_key in {None, session.consumer_key}
        ]
        for session in ended:
            self._drop(session)
        return len(ended)

    def _drop(self, session: Session) -> None:
        del self._by_token[session.token]
        if not session.is_jwt:
            self._shared[session.username, session.consumer_key].remove(session)
