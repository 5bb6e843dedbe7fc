"""How many logins a user may still make: Salesforce takes 3,600 an hour from one user (help 000381578)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rotator.errors import Transient


class LoginBudget:
    """A bucket of logins for each user, filled at a steady rate. All threads share one.

    A login counts whether it succeeds or not, so refused proofs are paid from it as well. At most
    ``per_hour + burst`` logins fall into any one hour: by default 1,500. That leaves room for a second daemon and
    for whatever else logs in as the same user.
    """

    def __init__(
        self, *, per_hour: int = 1200, burst: int = 300, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_hour / 3600
        self._burst = float(burst)
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}  # user -> logins left, at that time

    def spend(self, username: str) -> None:
        """Take one login. Raises Transient with ``retry_after_seconds`` when there is none left."""
        user = username.casefold()  # Salesforce usernames have no case
        with self._lock:
            now = self._clock()
            left, at = self._buckets.get(user, (self._burst, now))
            left = min(self._burst, left + (now - at) * self._per_second)
            enough = left >= 1
            self._buckets[user] = (left - 1 if enough else left, now)
        if not enough:
            raise Transient(
                f"{username} has used up its logins for now",
                code="salesforce.login_budget",
                hint="Salesforce locks a user out after 3,600 logins an hour, so rotator stops well before. Look at "
                "why it logs in so often: `history` and the log tell.",
                retry_after_seconds=(1 - left) / self._per_second,
            )
