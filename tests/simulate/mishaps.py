"""What goes wrong, what people do, and what each is called in a story."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from rotator.core.model import Ask
from rotator.sandbox.org import refusals
from tests.simulate.drama import Mishap
from tests.simulate.fleet import DEPLOYER
from tests.simulate.loop import HOUR
from tests.simulate.machine import Machine
from tests.simulate.world import PERSON_TAKES, World

OLDEST_SNAPSHOT = 600.0

End = Callable[[], None]


@dataclass(frozen=True)
class Kind:
    """A kind of mishap.

    Attributes:
        begin: begins it, and returns what ends it; None: it is over at once.
        sentence: what it is called in a story.
        lasts: shortest and longest time, in seconds, or how far it goes.
        on: what it hits: ``org``, ``vault``, ``machine`` or ``credential``.
        at_border: it happens at the border of a call, later than it begins.
    """

    begin: Callable[[World, Mishap], End | None]
    sentence: str
    lasts: tuple[float, float]
    on: str
    at_border: bool = False


def machine_of(world: World, mishap: Mishap) -> Machine:
    """Return the machine that a mishap hits; empty: the one that is at work just now."""
    if mishap.whom:
        return world.machines[int(mishap.whom) % len(world.machines)]
    return next((machine for machine in world.machines if machine.works()), world.machines[0])


# -- Salesforce -----------------------------------------------------------------------------------------------------


def _weather(**changes: object) -> Callable[[World, Mishap], End]:
    """Let an org have other weather for a while."""

    def begin(world: World, _mishap: Mishap) -> End:
        org, before = world.org, world.org.weather
        for name, value in changes.items():
            setattr(before, name, value)

        def end() -> None:
            fresh = type(before)()
            for name in changes:
                setattr(org.weather, name, getattr(fresh, name))

        return end

    return begin


def _deploys(**changes: object) -> Callable[[World, Mishap], End]:
    """Let deploys end in another way for a while."""

    def begin(world: World, _mishap: Mishap) -> End:
        deploys = world.org.deploys
        for name, value in changes.items():
            setattr(deploys, name, value)

        def end() -> None:
            for name, value in changes.items():
                setattr(deploys, name, type(value)())

        return end

    return begin


def _slow_spread(world: World, mishap: Mishap) -> End:
    org, before = world.org, world.org.spread_seconds
    org.spread_seconds = 45 * 60.0 if mishap.border % 2 else 25 * 60.0

    def end() -> None:
        org.spread_seconds = before

    return end


def _swap_kills(world: World, _mishap: Mishap) -> End:
    org = world.org
    org.swap_kills_sessions = True

    def end() -> None:
        org.swap_kills_sessions = False

    return end


def _sessions_killed(world: World, _mishap: Mishap) -> None:
    killed = world.org.sessions.kill(world.loop.now)
    world.tell(f"{killed} sessions end")


def _reverted(world: World, mishap: Mishap) -> None:
    app = world.app(mishap.whom)
    old = app.held[-2] if len(app.held) > 1 else app.held[-1]
    world.org.install(app, old[1], old[0], outsider=True)


def _frozen(world: World, mishap: Mishap) -> End:
    user = world.app(mishap.whom).users[-1]
    world.org.weather.frozen.add(user)

    def end() -> None:
        world.org.weather.frozen.discard(user)

    return end


def _org_clock(world: World, mishap: Mishap) -> End:
    org = world.org
    org.clock_offset = 300.0 if mishap.border % 2 else -300.0

    def end() -> None:
        org.clock_offset = 0.0

    return end


# -- Vault ----------------------------------------------------------------------------------------------------------


def _vault(**changes: object) -> Callable[[World, Mishap], End]:
    def begin(world: World, _mishap: Mishap) -> End:
        for name, value in changes.items():
            setattr(world.vault, name, value)

        def end() -> None:
            for name, value in changes.items():
                setattr(world.vault, name, type(value)())

        return end

    return begin


def _lost_replies(world: World, _mishap: Mishap) -> End:
    world.lost_replies = 0.5

    def end() -> None:
        world.lost_replies = 0.0

    return end


def _restored(world: World, mishap: Mishap) -> None:
    world.restorations.add(world.loop.now)
    world.vault.restore(max(world.loop.now - mishap.seconds, OLDEST_SNAPSHOT))
    world.loop.at(world.loop.now + PERSON_TAKES, world.set_right)


def _cut_off(world: World, mishap: Mishap) -> End:
    name = machine_of(world, mishap).name
    world.cut_off.add(name)

    def end() -> None:
        world.cut_off.discard(name)

    return end


# -- machines -------------------------------------------------------------------------------------------------------


def _at_border(world: World, mishap: Mishap, happening: Callable[[Machine], None]) -> None:
    """Let something happen to a machine at a border of one of its next calls."""
    machine = machine_of(world, mishap)

    def happen() -> None:
        world.meets(mishap)
        happening(machine)

    if machine.process is not None:
        machine.process.fuse = (mishap.border, happen)


def _killed(world: World, mishap: Mishap) -> None:
    def kill(machine: Machine) -> None:
        world.tell(f"the daemon on {machine.name} is killed")
        world.loop.at(world.loop.now + mishap.seconds, machine.boot)
        machine.kill()

    _at_border(world, mishap, kill)


def _suspended(world: World, mishap: Mishap) -> None:
    def suspend(machine: Machine) -> None:
        world.tell(f"{machine.name} is suspended")
        machine.suspend(mishap.seconds)

    _at_border(world, mishap, suspend)


def _clock_set(sign: int) -> Callable[[World, Mishap], End]:
    def begin(world: World, mishap: Mishap) -> End:
        machine = machine_of(world, mishap)
        machine.set_clock(machine.ahead_seconds + sign * mishap.seconds)
        return lambda: machine.set_clock(0.0)

    return begin


# -- operators ------------------------------------------------------------------------------------------------------


def _reloaded(world: World, mishap: Mishap) -> End:
    """Take a credential out of the configuration, and soon put it back, for a while with other settings."""
    name, usual = mishap.whom, world.configuration.credentials[mishap.whom]
    sooner = usual.session.model_copy(update={"refresh_every": usual.session.refresh_every * 0.9})

    def put_back() -> None:
        world.configure(name, usual.model_copy(update={"session": sooner}))

    if name != DEPLOYER:  # others name it, and would be refused without it
        world.configure(name, None)
    world.loop.at(world.loop.now + mishap.border % 3 * 10.0, put_back)
    return lambda: world.configure(name, usual)


def _asked(what: Ask) -> Callable[[World, Mishap], None]:
    def begin(world: World, mishap: Mishap) -> None:
        world.ask(mishap.whom, what)

    return begin


def _paused(world: World, mishap: Mishap) -> End:
    world.ask(mishap.whom, Ask.PAUSE)

    def resume() -> None:
        if not world.ask(mishap.whom, Ask.RESUME):  # perhaps the request to pause still waits
            world.loop.at(world.loop.now + 600, resume)

    return resume


MINUTES = 60.0
FLOOD = replace(refusals.LOGIN_RATE_EXCEEDED)

FIRST_KEY = "init"
"""How a story with an empty credential goes on; no mishap."""

KINDS: dict[str, Kind] = {
    "maintenance": Kind(_weather(maintenance=True), "the org is in maintenance", (5 * MINUTES, 100 * MINUTES), "org"),
    "flood": Kind(_weather(refuses=FLOOD), "logins are over their limit", (5 * MINUTES, 60 * MINUTES), "org"),
    "throttled": Kind(_weather(throttles=0.7), "the org throttles", (5 * MINUTES, 60 * MINUTES), "org"),
    "unknown errors": Kind(_weather(refuses=refusals.UNKNOWN_ERROR), "the token endpoint says unknown_error",
                           (5 * MINUTES, 40 * MINUTES), "org"),
    "cut answers": Kind(_weather(cuts=0.4), "connections to the org are cut", (5 * MINUTES, 60 * MINUTES), "org"),
    "flapping": Kind(_weather(flaps=True), "some servers of the org show the certificate before",
                     (5 * MINUTES, 40 * MINUTES), "org"),
    "deploys refused": Kind(_deploys(refused=True), "deploys fail", (10 * MINUTES, 3 * HOUR), "org"),
    "deploys stuck": Kind(_deploys(stuck=True), "deploys do not end", (10 * MINUTES, 50 * MINUTES), "org"),
    "late commits": Kind(_deploys(stuck=True, commits_late=700.0), "cancelled deploys take effect later",
                         (10 * MINUTES, 40 * MINUTES), "org"),
    "slow spread": Kind(_slow_spread, "certificates spread for up to half an hour, or longer",
                        (HOUR, 3 * HOUR), "org"),
    "swap kills": Kind(_swap_kills, "a swap ends the sessions of the app", (HOUR, 6 * HOUR), "org"),
    "sessions killed": Kind(_sessions_killed, "an admin ends all sessions", (0, 0), "org"),
    "reverted": Kind(_reverted, "a pipeline deploys the app with the certificate before", (0, 0), "credential"),
    "user frozen": Kind(_frozen, "an admin freezes the last user", (20 * MINUTES, 5 * HOUR), "credential"),
    "org clock": Kind(_org_clock, "the clock of the org is five minutes off", (10 * MINUTES, 2 * HOUR), "org"),
    "sealed": Kind(_vault(away="vault.sealed"), "Vault is sealed", (1 * MINUTES, 100 * MINUTES), "vault"),
    "standby": Kind(_vault(away="vault.standby"), "Vault has no leader", (1 * MINUTES, 30 * MINUTES), "vault"),
    "unwritable": Kind(_vault(unwritable="vault.unavailable"), "Vault takes no writes", (1 * MINUTES, 60 * MINUTES), "vault"),
    "stale reads": Kind(_vault(stale_seconds=30.0), "Vault shows old data", (10 * MINUTES, 2 * HOUR), "vault"),
    "lost replies": Kind(_lost_replies, "answers of Vault to writes are lost", (5 * MINUTES, 30 * MINUTES), "vault"),
    "restored": Kind(_restored, "Vault is restored to an older snapshot", (60.0, 20 * HOUR), "vault"),
    "cut off": Kind(_cut_off, "a machine does not reach Vault", (5 * MINUTES, 2 * HOUR), "machine"),
    "killed": Kind(_killed, "the daemon is killed", (1.0, 30 * MINUTES), "machine", at_border=True),
    "suspended": Kind(_suspended, "a machine is suspended", (1 * MINUTES, 2 * HOUR), "machine", at_border=True),
    "clock ahead": Kind(_clock_set(1), "a clock is set ahead", (2 * MINUTES, 5 * HOUR), "machine"),
    "clock back": Kind(_clock_set(-1), "a clock is set back", (2 * MINUTES, 5 * HOUR), "machine"),
    "rotate": Kind(_asked(Ask.ROTATE), "an operator wants a rotation", (0, 0), "credential"),
    "compromised": Kind(_asked(Ask.COMPROMISED), "an operator declares the key leaked", (0, 0), "credential"),
    "rehearse": Kind(_asked(Ask.REHEARSE), "an operator wants a rehearsal", (0, 0), "credential"),
    "rollback": Kind(_asked(Ask.ROLLBACK), "an operator wants the previous key back", (0, 0), "credential"),
    "abort": Kind(_asked(Ask.ABORT), "an operator aborts", (0, 0), "credential"),
    "deployed": Kind(_asked(Ask.DEPLOYED), "an operator says that it is deployed", (0, 0), "credential"),
    "paused": Kind(_paused, "an operator pauses", (10 * MINUTES, 6 * HOUR), "credential"),
    "reloaded": Kind(_reloaded, "the configuration is changed, and reloaded", (1 * MINUTES, 3 * HOUR), "credential"),
    FIRST_KEY: Kind(_asked(Ask.INIT), "an operator wants a first key", (0, 0), "credential"),
}  # fmt: skip

MISHAPS = tuple(kind for kind in KINDS if kind != FIRST_KEY)
