"""How fast tokens are refreshed, beside a bare loop of requests and hvac that does no more than it must.

Both run in turns in one process, with as many threads, against the simulated org and a real OpenBao server: so
their ratio means something on any machine, and their rates do not. Run it with: python -m tests.bench.refresh
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import hvac
import jwt
import requests
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from rotator.app import Application, application
from rotator.config import load
from rotator.core.effects import Do, Mint
from rotator.keypairs import KeyPair
from rotator.sandbox.org.model import Org
from rotator.sandbox.org.seed import USERS, seed_org
from rotator.sandbox.org.server import OrgServer
from rotator.sandbox.settings import APPS, settings
from rotator.sandbox.vault import BaoServer
from rotator.show import logs
from tests.world.site import FAST
from tests.world.steady import key_pair, log_in_as_root, steady_record, write_configuration

USER = USERS[APPS["globex"]][0]
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ROUNDS = 5


class Bare:
    """What a script would do: sign, post, write by check-and-set. One session for each thread."""

    def __init__(
        self, org_url: str, consumer_key: str, vault: BaoServer, pair: KeyPair, names: list[str]
    ) -> None:
        self._url, self._consumer_key, self._vault = org_url, consumer_key, vault
        self._key = load_pem_private_key(pair.private_key_pem.reveal().encode(), None)
        self._local = threading.local()
        self._versions = dict.fromkeys(names, 0)

    def refresh(self, name: str) -> None:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.vault = hvac.Client(self._vault.address, token=self._vault.root_token)
        claims = {
            "iss": self._consumer_key,
            "sub": USER,
            "aud": self._url,
            "exp": int(time.time()) + 180,
        }
        assertion = jwt.encode(claims, self._key, "RS256")
        answer = self._local.session.post(
            f"{self._url}/services/oauth2/token", {"grant_type": GRANT, "assertion": assertion}, timeout=30
        )
        answer.raise_for_status()
        written = self._local.vault.secrets.kv.v2.create_or_update_secret(
            f"bare/{name}/tokens/{quote(USER)}", answer.json(), cas=self._versions[name]
        )
        self._versions[name] = written["data"]["version"]


class Ours:
    """The daemon's own steps: load, decide, mint, publish, pace, tell."""

    def __init__(self, app: Application) -> None:
        self._app = app

    def prepare(self, name: str) -> None:
        """Let a refresh be due, and nothing else."""
        station = self._app.driver.stations[name]
        document, version = station.tokens[USER]
        assert document is not None
        now = datetime.now(UTC)
        due = replace(document, refresh_after=now, verified_at=now)
        station.tokens[USER] = (due, version)
        station.held = {}

    def refresh(self, name: str) -> None:
        decision = self._app.driver.step(name)
        assert isinstance(decision, Do), decision
        assert isinstance(decision.action, Mint), decision

    def settle(self, name: str) -> None:
        while isinstance(self._app.driver.step(name), Do):
            pass


def rate(refresh: Callable[[str], None], names: list[str], pool: ThreadPoolExecutor) -> float:
    """Return refreshes a second. The threads of the pool have made their connections before."""
    began = time.perf_counter()
    list(pool.map(refresh, names))
    return len(names) / (time.perf_counter() - began)


def measure(credentials: int, threads: int) -> dict[str, float]:
    """Return both rates (the median of some rounds, taken in turns), and their ratio."""
    pair = key_pair("globex", 86400)
    org = seed_org({APPS["globex"]: pair.certificate_pem})
    org.set_knobs(session_timeout_seconds=7200, login_limit_per_hour=10**9)
    with (
        tempfile.TemporaryDirectory() as folder,
        BaoServer("root") as vault,
        OrgServer(org) as server,
    ):
        file, names = configured(Path(folder), org, vault, credentials)
        with application(load(file)) as app:
            app.tools.budget.spend = lambda _user: None  # type: ignore[method-assign] # one user mints for all
            consumer_key = org.app(APPS["globex"]).consumer_key
            for name in names:
                station = app.driver.stations[name]
                station.config = station.config.model_copy(update={"consumer_key": consumer_key})
                app.documents.write_key(name, 1, pair)
                app.documents.write_record(name, steady_record(pair), 0)
            ours = Ours(app)
            bare = Bare(server.url, consumer_key, vault, pair, names)
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(ours.settle, names))
                list(pool.map(bare.refresh, names))
                rates: dict[str, list[float]] = {"ours": [], "bare": []}
                for _ in range(ROUNDS):
                    for name in names:
                        ours.prepare(name)
                    rates["ours"].append(rate(ours.refresh, names, pool))
                    rates["bare"].append(rate(bare.refresh, names, pool))
    ours_a_second, bare_a_second = (statistics.median(rates[which]) for which in ("ours", "bare"))
    return {
        "threads": threads,
        "refreshes_a_second": round(ours_a_second, 1),
        "bare_a_second": round(bare_a_second, 1),
        "ratio": round(ours_a_second / bare_a_second, 3),
    }


def configured(folder: Path, org: Org, vault: BaoServer, credentials: int) -> tuple[Path, list[str]]:
    """Write a configuration with so many credentials, and return the file and their names."""
    lives = replace(FAST, session_timeout_seconds=7200, refresh_seconds=600, verify_seconds=300)
    said = settings(org, vault.address, "role", "secret", lives)
    log_in_as_root(said, vault, folder)
    one = said["credentials"]["globex"] | {"deploy": {"publisher": "manual"}}
    names = [f"c{number}" for number in range(credentials)]
    # A consumer key that is named twice is refused; the one app that stands for all comes in afterwards.
    said["credentials"] = {name: one | {"consumer_key": f"key-{name}"} for name in names}
    return write_configuration(said, folder), names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--credentials", type=int, default=200)
    parser.add_argument("--threads", type=int, default=8)
    asked = parser.parse_args()
    logs.configure(format="json", level="warning")
    print(json.dumps(measure(asked.credentials, asked.threads)))  # noqa: T201 - what this program is for


if __name__ == "__main__":
    main()
