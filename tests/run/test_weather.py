"""How Vault is, and what becomes of our token in it: seen from the rounds of the daemon."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.core.effects import Wait
from rotator.core.model import Ask, Request, Retired
from rotator.errors import Transient
from rotator.run.daemon import Daemon
from rotator.run.notify import Notifier
from rotator.run.once import run_to_rest
from rotator.run.weather import LeaseKeeper
from rotator.secret import Secret
from rotator.show import logs
from rotator.vault.client import VaultClient
from rotator.vault.codec import RECORD, REQUEST, RequestDocument
from rotator.vault.settings import AppRole, Login, Token, VaultSettings
from tests.world.fake_vault import FakeVault
from tests.world.lab import FAST, GLOBEX, NAMES, Clock, Lab
from tests.world.serving import take_step

USER = GLOBEX[0]
MINT = f"mint:{USER}"


@pytest.fixture
def fake() -> Iterator[FakeVault]:
    server = FakeVault()
    yield server
    server.stop()


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    with logs.capture() as lines:
        yield lines


class Keeping:
    """A client and whoever keeps its token, in a time that tests move."""

    def __init__(self, fake: FakeVault, login: Login) -> None:
        self.fake, self.clock = fake, Clock()
        self.client = VaultClient(VaultSettings(fake.address, login), clock=self.clock)
        self.keeper = LeaseKeeper(self.client)

    def round(self, **units: float) -> None:
        """Let time pass, also for the server, and do what each round does."""
        self.clock.advance(**units)
        self.fake.advance(self.clock.ahead.total_seconds() - self.fake._offset)
        self.keeper.keep(self.clock())

    def call(self) -> int:
        return self.client.call(lambda hvac: hvac.auth.token.lookup_self()).status_code


@pytest.fixture
def keeping(fake: FakeVault) -> Iterator[Any]:
    made: list[Keeping] = []

    def make(login: Login) -> Keeping:
        made.append(Keeping(fake, login))
        return made[-1]

    yield make
    for one in made:
        one.client.close()


def approle(fake: FakeVault, **role: int) -> AppRole:
    role_id, secret_id = fake.install_approle("r", **role)
    return AppRole(Secret(role_id), Secret(secret_id))


def test_a_token_that_a_worker_took_from_the_file_is_renewed_by_its_own_time(
    keeping: Any, fake: FakeVault, lines: list[dict[str, Any]], tmp_path: Path
):
    file = tmp_path / "token"
    file.write_text(fake.make_token(32 * 86400, period=32 * 86400))
    held = keeping(Token(file))
    held.round()
    fake.revoke(file.read_text())
    file.write_text(fake.make_token(3600, period=3600))
    assert held.call() == 200
    for _ in range(12):
        held.round(minutes=15)
        assert held.call() == 200
    assert [line["event"] for line in lines][:3] == ["vault.login", "vault.login", "vault.renewed"]


def test_a_round_costs_no_request_while_no_renewal_is_due(keeping: Any, fake: FakeVault):
    held = keeping(approle(fake, token_ttl=3600))
    held.round()
    asked = len(fake.seen)
    for _ in range(3):
        held.round(minutes=10)
    assert len(fake.seen) == asked


def test_an_outage_at_a_renewal_is_no_alert_and_the_token_is_renewed_when_it_is_over(
    keeping: Any, fake: FakeVault, lines: list[dict[str, Any]]
):
    held = keeping(approle(fake, token_ttl=3600))
    held.round()
    fake.inject(503, {"errors": ["Vault is sealed"]}, path="renew-self")
    with pytest.raises(Transient):
        held.round(minutes=41)
    assert held.call() == 200
    held.round(minutes=1)
    assert [line["event"] for line in lines] == ["vault.login", "vault.renewed"]


def test_a_login_that_is_refused_while_the_old_token_serves_is_an_alert_once(
    keeping: Any, fake: FakeVault, lines: list[dict[str, Any]]
):
    held = keeping(approle(fake, token_ttl=3600, token_max_ttl=3600))
    held.round()
    fake.secret_ids.clear()
    for _ in range(4):
        held.round(minutes=14)
        held.round(seconds=1)
    assert held.call() == 200
    assert [line["alert"] for line in lines if line["event"] == "vault.login_failed"] == [True]


@pytest.fixture
def daemon(lab: Lab, fake: FakeVault) -> Iterator[Daemon]:
    """A daemon that is driven by hand, on a Vault that can be brought to anything."""
    lab.steady()
    for name in NAMES:
        for document in ("record", "keys/1"):
            fake.edit(f"{lab.base}/{name}/{document}", lab.data(f"{name}/{document}"))
    with lab.application(lambda said: said["vault"].update(address=fake.address)) as app:
        app.tools.clock = Clock()
        yield Daemon(app, Notifier())


def test_while_vault_is_read_and_not_written_pauses_stand_and_it_is_not_told_to_be_back(
    daemon: Daemon, lab: Lab, fake: FakeVault
):
    station = daemon.stations["globex"]
    fake.inject(500, {"errors": ["no quorum"]}, method="POST", path="secret/", times=1000)
    take_step(daemon, "globex")
    held = station.held[MINT].until
    assert held > daemon.app.tools.clock()
    for _ in range(3):
        daemon.rounds.look_at_vault()
    assert (station.held[MINT].until, daemon.ready.sizes()) == (held, (0, 0))
    assert isinstance(daemon.driver.step("globex"), Wait)
    assert (len(lab.told("vault.unavailable")), lab.told("vault.recovered")) == (1, [])

    fake.heal()
    daemon.rounds.look_at_vault()
    assert lab.told("vault.recovered") == []
    daemon.app.tools.clock.advance(minutes=5)
    take_step(daemon, "globex")
    assert lab.told("token.published", user=USER)
    daemon.rounds.look_at_vault()
    assert len(lab.told("vault.recovered")) == 1
    assert daemon.ready.sizes() == (3, 0)


def test_while_a_standby_answers_and_its_leader_does_not_vault_is_not_told_to_be_back(
    daemon: Daemon, lab: Lab, fake: FakeVault
):
    fake.inject(307, b"", method="POST", path="secret/", times=1000, Location="http://127.0.0.1:1/")
    take_step(daemon, "globex")
    for _ in range(3):
        daemon.rounds.look_at_vault()
    (line,) = lab.told("vault.unavailable")
    assert (line["code"], lab.told("vault.recovered")) == ("vault.leader_unreachable", [])
    fake.heal()
    daemon.app.tools.clock.advance(minutes=5)
    take_step(daemon, "globex")
    daemon.rounds.look_at_vault()
    assert len(lab.told("vault.recovered")) == 1


def test_after_an_outage_of_all_a_look_shows_that_vault_is_back(daemon: Daemon, lab: Lab, fake: FakeVault):
    """Although writes failed in it: nobody waits for the next one."""
    fake.inject(500, {"errors": ["shutting down"]}, method="POST", path="secret/", times=2)
    take_step(daemon, "globex")
    fake.inject(503, {"errors": ["Vault is sealed"]}, times=1000)
    daemon.rounds.look_at_vault()
    fake.heal()
    daemon.rounds.look_at_vault()
    assert len(lab.told("vault.recovered")) == 1
    assert MINT not in daemon.stations["globex"].held_back()


def test_a_right_that_one_credential_lacks_is_told_once_however_often_it_is_missed(
    daemon: Daemon, lab: Lab, fake: FakeVault
):
    fake.inject(403, {"errors": ["permission denied"]}, method="POST", path="globex/", times=1000)
    for _ in range(6):
        take_step(daemon, "globex")
        daemon.app.tools.clock.advance(minutes=5)
    assert len(lab.told("vault.permission_denied", credential="globex")) == 1
    assert lab.told("vault.document_usable") == []
    fake.heal()
    for _ in range(3):
        daemon.app.tools.clock.advance(minutes=5)
        take_step(daemon, "globex")
    assert len(lab.told("vault.document_usable", credential="globex")) == 1


def test_that_it_is_over_is_told_also_where_nothing_of_the_record_is_to_be_written(
    daemon: Daemon, lab: Lab, fake: FakeVault
):
    clock = daemon.app.tools.clock
    take_step(daemon, "globex")
    clock.advance(seconds=FAST.refresh_seconds)
    fake.inject(403, {"errors": ["permission denied"]}, method="POST", path="globex/", times=1000)
    take_step(daemon, "globex")
    assert len(lab.told("vault.permission_denied", credential="globex")) == 1
    fake.heal()
    clock.advance(seconds=FAST.verify_seconds)
    take_step(daemon, "globex")
    assert len(lab.told("vault.document_usable", credential="globex")) == 1


def test_it_is_not_told_to_be_over_by_tokens_that_are_written_while_the_record_is_not(
    daemon: Daemon, lab: Lab, fake: FakeVault
):
    clock = daemon.app.tools.clock
    waiting = replace(lab.record("globex"), newest=2, retired=(Retired(2, clock(), handed_out=False),))
    fake.edit(f"{lab.base}/globex/record", RECORD.encode(waiting))
    fake.inject(403, {"errors": ["permission denied"]}, method="POST", path="globex/record", times=1000)
    for _ in range(9):
        take_step(daemon, "globex")
        clock.advance(seconds=FAST.refresh_seconds / 2)
    assert len(lab.told("token.published", user=USER)) > 2
    assert len(lab.told("vault.permission_denied", credential="globex")) == 1
    assert lab.told("vault.document_usable") == []
    fake.heal()
    take_step(daemon, "globex")
    assert len(lab.told("vault.document_usable", credential="globex")) == 1


def test_a_request_whose_answer_cannot_be_recorded_keeps_no_token_from_its_refresh(
    daemon: Daemon, lab: Lab, fake: FakeVault
):
    """Each round finds the request again: it is tried, and then tokens have their turn at once."""
    clock, station = daemon.app.tools.clock, daemon.stations["globex"]
    take_step(daemon, "globex")
    published = len(lab.told("token.published", user=USER))
    request = RequestDocument(Request("r1", Ask.PAUSE, 1, clock(), "tester"), {})
    fake.edit(f"{lab.base}/-/requests/globex", REQUEST.encode(request))
    fake.inject(403, {"errors": ["permission denied"]}, method="POST", path="globex/record", times=1000)
    for _ in range(6):
        clock.advance(seconds=FAST.refresh_seconds / 2)
        daemon.rounds.look_at_vault()
        assert take_step(daemon, "globex") <= clock()
        take_step(daemon, "globex")
    assert len(lab.told("token.published", user=USER)) >= published + 2
    assert station.record.paused is None
    fake.heal()
    daemon.rounds.look_at_vault()
    take_step(daemon, "globex")
    assert station.record.paused is not None


@pytest.mark.parametrize("method", ["GET", "POST"], ids=["load", "save"])
def test_a_step_is_not_repeated_before_vault_wants_it(daemon: Daemon, lab: Lab, fake: FakeVault, method: str):
    fake.inject(429, b"", method=method, path="globex/record", times=2, Retry_After="120")
    again = take_step(daemon, "globex")
    assert again >= datetime.now(UTC) + timedelta(seconds=110)
    daemon.rounds.look_at_vault()
    assert (len(lab.told("vault.unavailable")), lab.told("vault.recovered")) == (1, [])
    assert daemon.ready.sizes() == (0, 0)


def test_once_waits_as_long_as_vault_wants(daemon: Daemon, fake: FakeVault):
    waited: list[float] = []

    class Patience(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waited.append(timeout or 0.0)
            return False

    fake.inject(429, b"", path="globex/record", times=2, Retry_After="120")
    assert run_to_rest(daemon.app, ["globex"], stop=Patience()) == []
    assert [seconds for seconds in waited if seconds >= 120] == [120, 120]
