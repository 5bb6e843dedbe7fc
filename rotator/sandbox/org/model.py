"""The org: its users, apps, sessions, deploys, clock, knobs, and the order in which things come due."""

from __future__ import annotations

import heapq
import random
import threading
from collections import Counter, defaultdict, deque
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import rsa

from rotator.sandbox.org.apps import App, User
from rotator.sandbox.org.certificates import read_certificate
from rotator.sandbox.org.clock import Clock, utc_now
from rotator.sandbox.org.identifiers import Ids, random_text
from rotator.sandbox.org.knobs import Knobs
from rotator.sandbox.org.sessions import Sessions
from rotator.sandbox.org.slots import ALWAYS, spread

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from rotator.sandbox.org.deploys import Deploy
    from rotator.sandbox.org.retrieves import Retrieve
    from rotator.sandbox.org.soql import Result

NEVER = float("inf")
HOUR_SECONDS = 3600.0


class Org:
    """One Salesforce org, in memory. Whoever reads or changes it holds `lock`.

    `populate` fills a new org and is called again by `reset`. `clock_source` gives aware UTC
    datetimes. Nothing runs in the background: what is due happens in `settle`, at the moment for
    which it was due, before any request is answered.
    """

    def __init__(
        self,
        populate: Callable[[Org], None],
        *,
        name: str = "Acme",
        is_sandbox: bool = False,
        knobs: Knobs | None = None,
        clock_source: Callable[[], datetime] = utc_now,
    ) -> None:
        self.lock = threading.RLock()
        self.name = name
        self.is_sandbox = is_sandbox
        self.knobs = knobs or Knobs()
        self.clock = Clock(clock_source)
        self.instance_url = ""
        self.foreign_consumer_keys: set[str] = set()
        self._populate = populate
        self._first_knobs = self.knobs.values()
        self._signing_key: rsa.RSAPrivateKey | None = None
        self.reset()

    def reset(self) -> None:
        """Back to the beginning: knobs, users, apps and data; sessions and deploys are gone."""
        self.knobs.set(self._first_knobs)
        self.reseed()
        self.clock.offset_seconds = self.knobs.clock_offset_seconds
        rng = self.random("identity")
        self.ids = Ids(rng)
        self.org_id = self.ids.next("00D")
        self.users: dict[str, User] = {}
        self.apps: dict[tuple[str, str], App] = {}
        self._by_key: dict[str, App] = {}
        self.accounts: list[dict[str, object]] = []
        self.known_profiles: set[str] = set()
        self.known_permission_sets: set[str] = set()
        self.sessions = Sessions()
        self.deploys: dict[str, Deploy] = {}
        self.retrieves: dict[str, Retrieve] = {}
        self.query_locators: dict[str, Result] = {}
        self.logins: defaultdict[str, deque[float]] = defaultdict(deque)
        self.api_calls: deque[float] = deque()
        self.counts: Counter[str] = Counter()
        self._agenda: list[tuple[float, int, Callable[[float], None]]] = []
        self._noted = 0
        self._populate(self)

    # --- chance ---------------------------------------------------------------------------------

    def reseed(self) -> None:
        self._streams: dict[str, random.Random] = {}

    def random(self, purpose: str) -> random.Random:
        """The sequence of choices for one purpose. All derive from the seed and none disturbs another."""
        if purpose not in self._streams:
            self._streams[purpose] = random.Random(f"{self.knobs.seed}:{self.name}:{purpose}")  # noqa: S311 - repeatable
        return self._streams[purpose]

    def choose_server(self) -> int:
        return self.random("servers").randrange(self.knobs.servers)

    def set_knobs(self, **wanted: object) -> None:
        """Set all knobs given, or none, and what hangs on them. Raises ValueError."""
        self.knobs.set(wanted)
        if "seed" in wanted:
            self.reseed()
        if "session_timeout_seconds" in wanted and self.knobs.timeout_reaches_sessions:
            own = {app.consumer_key for app in self.apps.values() if app.session_minutes}
            self.sessions.set_timeout(self.knobs.session_timeout_seconds, besides=own)
        self.clock.offset_seconds = self.knobs.clock_offset_seconds

    # --- time -----------------------------------------------------------------------------------

    def elapsed(self) -> float:
        return self.clock.elapsed()

    def at(self, moment: float, happening: Callable[[float], None]) -> None:
        """Have `happening(moment)` called once `moment` (elapsed seconds) is reached."""
        self._noted += 1
        heapq.heappush(self._agenda, (moment, self._noted, happening))

    def settle(self) -> None:
        """Let happen whatever is due, in the order of time."""
        now = self.elapsed()
        while self._agenda and self._agenda[0][0] <= now:
            moment, _, happening = heapq.heappop(self._agenda)
            happening(moment)

    # --- users and apps -------------------------------------------------------------------------

    @property
    def login_host(self) -> str:
        return "https://test.salesforce.com" if self.is_sandbox else "https://login.salesforce.com"

    @property
    def signing_key(self) -> rsa.RSAPrivateKey:
        """With what JWT-format access tokens are signed; made when first needed."""
        if self._signing_key is None:
            self._signing_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return self._signing_key

    def add_user(self, username: str, *, name: str = "", **settings: object) -> User:
        """Add a user; `settings` are fields of User."""
        user = User(username, self.ids.next("005"), name or username.partition("@")[0])
        for field, value in settings.items():
            setattr(user, field, value)
        self.users[username] = user
        self.known_profiles.add(user.profile)
        self.known_permission_sets |= user.permission_sets
        return user

    def app(self, name: str) -> App:
        """The app of that name. Raises KeyError."""
        for app in self.apps.values():
            if app.name == name:
                return app
        raise KeyError(f"no app {name!r} in this org")

    def app_by_key(self, consumer_key: str) -> App | None:
        known = self._by_key.get(consumer_key)
        if known is None or known.consumer_key != consumer_key:
            # Keys change with deploys: look again before saying no.
            self._by_key = {app.consumer_key: app for app in self.apps.values()}
            known = self._by_key.get(consumer_key)
        return known

    def new_consumer_key(self, app_name: str) -> str:
        """The next key for an app of that name; the same in every run with the same seed."""
        while True:
            key = "3MVG9" + random_text(self.random(f"consumer key of {app_name}"), 80)
            if self.app_by_key(key) is None:
                return key

    def delete_app(self, app: App) -> int:
        """Forget an app, and end its sessions; tells how many."""
        del self.apps[app.kind, app.name]
        self._by_key.pop(app.consumer_key, None)
        return self.sessions.end(consumer_key=app.consumer_key)

    def new_app(self, kind: str, name: str, consumer_key: str = "") -> App:
        secret = random_text(self.random(f"consumer secret of {name}"), 64)
        return App(kind, name, consumer_key or self.new_consumer_key(name), secret)

    # --- the slot -------------------------------------------------------------------------------

    def install(self, app: App, moment: float, *, at_once: bool = False) -> None:
        """Bring the certificate of the app's metadata to the servers, each in its own time."""
        text, knobs = app.certificate_text, self.knobs
        certificate = read_certificate(text) if text else None
        latest = app.slot.latest
        if latest and latest.certificate == certificate and latest.works and NEVER not in latest.arrivals:
            return
        if at_once:
            app.slot.put(certificate, [ALWAYS if latest is None else moment])
        elif knobs.take("stall_certificate"):
            app.slot.put(certificate, [NEVER])
        else:
            arrivals = spread(
                self.random("propagation"),
                knobs.servers,
                moment,
                knobs.propagation_least_seconds,
                knobs.propagation_seconds,
            )
            app.slot.put(certificate, arrivals, works=not knobs.take("break_certificate"))
        app.slot.forget(moment)

    # --- limits ---------------------------------------------------------------------------------

    def count_login(self, username: str) -> bool:
        """Note a login attempt; False when the user has none left within the hour."""
        return self._count(self.logins[username], HOUR_SECONDS, self.knobs.login_limit_per_hour)

    def count_api_call(self) -> bool:
        """Note a REST call; False when the daily allocation is used up."""
        return self._count(self.api_calls, 24 * HOUR_SECONDS, self.knobs.daily_api_requests)

    def _count(self, times: deque[float], window_seconds: float, most: int) -> bool:
        now = self.elapsed()
        while times and times[0] <= now - window_seconds:
            times.popleft()
        if len(times) >= most:
            return False
        times.append(now)
        return True
