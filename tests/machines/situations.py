"""What can happen to a fleet: each as a daemon would have it in memory and tell it, and the alerts that it ends in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from rotator import events
from rotator.core.model import Change, Entry, Pause, PauseKind, Phase, Reason, Trouble
from rotator.core.slot import RIVAL_TAKEN
from rotator.events import Event
from rotator.performer import alarms
from rotator.show.logs import emit
from tests.machines import exporter
from tests.machines.exporter import Scene
from tests.world.states import STATES, token

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
CALM_MINUTES = 90
LEASE = "rotator_vault_lease_expires_timestamp_seconds"

Story = Callable[[Scene], Iterator[exporter.Phase]]


@dataclass(frozen=True)
class Situation:
    """A story after an hour and a half of calm, and the alerts that fire at its end: name, and whom it names."""

    story: Story
    alerts: frozenset[tuple[str, str]]


SITUATIONS: dict[str, Situation] = {}
HEALING: dict[str, Story] = {}
"""Stories in which nobody is called at any time."""


def _ends_in(*alerts: str | tuple[str, str]) -> Callable[[Story], Story]:
    def note(story: Story) -> Story:
        expected = frozenset((one, "") if isinstance(one, str) else one for one in alerts)
        SITUATIONS[story.__name__] = Situation(story, expected)
        return story

    return note


def _heals(story: Story) -> Story:
    HEALING[story.__name__] = story
    return story


def _lasts(scene: Scene, minutes: int, **more: object) -> exporter.Phase:
    return exporter.Phase(scene.scrape(), minutes, **more)  # type: ignore[arg-type]


def _gone(minutes: int) -> exporter.Phase:
    return exporter.Phase(None, minutes)


def _told(event: Event, alert: str) -> None:
    """Add the situation that an event is told."""

    def story(scene: Scene) -> Iterator[exporter.Phase]:
        emit(event, **dict.fromkeys(event.fields, "?"))
        yield _lasts(scene, 10)

    SITUATIONS[event.name] = Situation(story, frozenset({(alert, "")}))


for _event, _alert in (
    (events.STEP_FAILED, "RotatorUnforeseenError"),
    (events.ROUND_FAILED, "RotatorUnforeseenError"),
    (events.CRASHED, "RotatorUnforeseenError"),
    (events.WEB_REQUEST_FAILED, "RotatorUnforeseenError"),
    (events.CONFIGURATION_REFUSED, "RotatorConfigurationRefused"),
    (events.CREDENTIAL_KEPT, "RotatorFormerSettings"),
    (events.VAULT_LOGIN_FAILED, "RotatorVaultLogin"),
    (events.VAULT_TOKEN_ENDING, "RotatorVaultLogin"),
    (events.VAULT_PERMISSION_DENIED, "RotatorVaultPermissionDenied"),
    (events.VAULT_MISCONFIGURED, "RotatorVaultMisconfigured"),
    (events.VAULT_WENT_BACK, "RotatorVaultWentBack"),
    (events.VAULT_SECRET_ID_UNWRAPPED_TWICE, "RotatorSecretIdLeaked"),
    (events.SESSION_SHORT, "RotatorSessionShort"),
    (events.CERTIFICATE_REVERTED, "RotatorCertificateReverted"),
):
    _told(_event, _alert)


# -- the daemon


@_ends_in("RotatorAbsent")
def the_daemon_does_not_answer(_scene: Scene) -> Iterator[exporter.Phase]:
    yield _gone(10)


@_ends_in("RotatorDoesNotMove")
def the_daemon_hangs(scene: Scene) -> Iterator[exporter.Phase]:
    scene.beaten_ago = 5 * MINUTE
    yield _lasts(scene, 5)


@_ends_in("RotatorStepsLate")
def steps_begin_late_for_half_an_hour(scene: Scene) -> Iterator[exporter.Phase]:
    for _ in range(40):
        for _ in range(5):
            emit(events.STEP_TAKEN, credential="acme", seconds=0.2, late_seconds=90.0)
        yield _lasts(scene, 1)


@_ends_in("RotatorUnforeseenError")
def an_error_before_the_first_scrape_of_a_new_process(scene: Scene) -> Iterator[exporter.Phase]:
    scene.begin()
    emit(events.STEP_FAILED, credential="acme", error="ZeroDivisionError", not_before="")
    yield _gone(1)
    yield _lasts(scene, 10, restarted=True)


@_ends_in("RotatorClockSkewed")
def the_clock_of_a_peer_differs(scene: Scene) -> Iterator[exporter.Phase]:
    scene.skews = {"acme.my.salesforce.com": -75.0}
    yield _lasts(scene, 15)


@_ends_in("RotatorClockJumps")
def our_clock_jumps_twice(scene: Scene) -> Iterator[exporter.Phase]:
    for _ in range(2):
        emit(events.CLOCK_JUMPED, seconds=70)
        yield _lasts(scene, 10)


@_ends_in(("RotatorCredentialSetAside", "broken"))
def the_settings_of_a_credential_are_wrong(scene: Scene) -> Iterator[exporter.Phase]:
    scene.fleet.aside["broken"] = Trouble("configuration", scene.now, "configuration", "wrong")
    yield _lasts(scene, 10)


@_ends_in("RotatorFleetBrake")
def the_rotations_of_three_credentials_failed(scene: Scene) -> Iterator[exporter.Phase]:
    for name in exporter.NAMES[:3]:
        failed = Entry(9, Reason.ROTATION, "refused", scene.now - HOUR, scene.now, deployed=False)
        record = scene.edit(name, history=(failed,))
        scene.fleet.app.driver._neighbours.note(scene.station(name), record)
    yield _lasts(scene, 10)


@_ends_in("RotatorTlsCertificateEnding")
def the_certificate_of_the_port_ends(scene: Scene) -> Iterator[exporter.Phase]:
    scene.let_tls_end(DAY)
    yield _lasts(scene, 70)


# -- Vault


@_ends_in("RotatorVaultDown")
def vault_is_away_for_a_quarter_of_an_hour(scene: Scene) -> Iterator[exporter.Phase]:
    scene.fleet.vault_trouble = "sealed"
    yield _lasts(scene, 15)


@_ends_in("RotatorVaultLeaseEnding")
def the_vault_token_is_not_renewed(scene: Scene) -> Iterator[exporter.Phase]:
    assert scene.fleet.lease is not None
    lease = replace(scene.fleet.lease, granted_at=scene.now, duration=HOUR / 2)
    scene.fleet.lease = lease
    yield _lasts(scene, 28, still=[LEASE])


@_ends_in("RotatorSecretIdEnding")
def a_wrapped_secret_id_is_about_to_end(scene: Scene) -> Iterator[exporter.Phase]:
    scene.fleet.secret_id_ends = scene.now + DAY / 2
    yield _lasts(scene, 70)


@_ends_in(("RotatorDocumentUnusable", "acme"))
def a_record_is_damaged(scene: Scene) -> Iterator[exporter.Phase]:
    scene.fleet.unusable["acme"] = Trouble("record", scene.now, "vault.document", "damaged")
    yield _lasts(scene, 10)


# -- tokens


def _age(scene: Scene, age: timedelta) -> None:
    for user in scene.station().terms.users:
        scene.station().tokens[user] = (token(scene.station(), user, scene.now - age), 5)


@_ends_in(("RotatorTokenExpired", "acme"))
def a_token_has_expired(scene: Scene) -> Iterator[exporter.Phase]:
    _age(scene, 65 * MINUTE)
    yield _lasts(scene, 5)


@_ends_in(("RotatorTokenNearExpiry", "acme"))
def a_token_is_not_refreshed(scene: Scene) -> Iterator[exporter.Phase]:
    _age(scene, 50 * MINUTE)
    yield _lasts(scene, 5)


@_ends_in(("RotatorTokenUnproven", "acme"))
def a_token_cannot_be_proved(scene: Scene) -> Iterator[exporter.Phase]:
    scene.edit(trouble=(Trouble(f"token:{scene.station().terms.users[0]}", scene.now, "unproven", "?"),))
    yield _lasts(scene, 10)


@_ends_in(("RotatorTokenRefused", "acme"), ("RotatorTokenNearExpiry", "acme"))
def the_org_gives_no_token(scene: Scene) -> Iterator[exporter.Phase]:
    STATES["refused"](scene.station(), scene.now)
    yield _lasts(scene, 20)


# -- changes


@_ends_in(("RotatorLockedOut", "acme"))
def no_key_is_taken(scene: Scene) -> Iterator[exporter.Phase]:
    STATES["locked_out"](scene.station(), scene.now)
    yield _lasts(scene, 40)


@_ends_in(("RotatorIdentityMismatch", "acme"))
def the_org_is_another_one(scene: Scene) -> Iterator[exporter.Phase]:
    scene.edit(paused=Pause(PauseKind.IDENTITY, scene.now, "another org"))
    yield _lasts(scene, 5)


@_ends_in(("RotatorRotationFailing", "acme"))
def a_rotation_failed_twice(scene: Scene) -> Iterator[exporter.Phase]:
    STATES["due"](scene.station(), scene.now)
    scene.let_end(20 * DAY)
    yield _lasts(scene, 15)


@_ends_in(("RotatorRotationFailing", "acme"))
def as_many_deploys_as_a_day_may_have_failed(scene: Scene) -> Iterator[exporter.Phase]:
    station = scene.station()
    scene.let_end(20 * DAY)
    swaps = tuple(
        Entry(9, Reason.ROTATION, "restored", scene.now - HOUR, scene.now - HOUR / 2, deployed=True)
        for _ in range(station.terms.swaps_a_day)
    )
    scene.edit(history=swaps)
    _sound(scene)
    yield _lasts(scene, 15)


def _proving(scene: Scene, proofs: int, **more: object) -> None:
    STATES["proving"](scene.station(), scene.now)
    change = scene.station().record.change
    assert change is not None
    scene.edit(change=replace(change, proofs=proofs), **more)


@_ends_in(("RotatorChangeStuck", "acme"))
def a_change_does_not_get_on(scene: Scene) -> Iterator[exporter.Phase]:
    _proving(scene, 3, trouble=(Trouble("change", scene.now, "deploy.refused", "?", "?", lasting=True),))
    yield _lasts(scene, 40)


@_ends_in(("RotatorChangeWaits", "acme"))
def a_person_has_to_bring_a_certificate_in(scene: Scene) -> Iterator[exporter.Phase]:
    _proving(scene, 0)
    yield _lasts(scene, 10)


def _sound(scene: Scene) -> None:
    station = scene.station()
    alarms.sound(station, scene.fleet.app.driver.known(station), scene.now)


@_ends_in(("RotatorBridgeLacking", "acme"))
def sessions_are_too_short_for_a_change(scene: Scene) -> Iterator[exporter.Phase]:
    station, record = scene.station(), scene.station().record
    change = Change(record.newest + 1, record.current, Reason.ROTATION, station.terms.users, scene.now - HOUR)
    scene.edit(phase=Phase.STAGED, newest=record.newest + 1, change=change)
    for user in station.terms.users:
        short = replace(token(station, user, scene.now), expires_at=scene.now + 10 * MINUTE)
        station.tokens[user] = (short, 5)
    _sound(scene)
    yield _lasts(scene, 15)


@_ends_in(("RotatorRotationHeld", "acme"))
def a_rotation_is_due_and_paused(scene: Scene) -> Iterator[exporter.Phase]:
    STATES["paused"](scene.station(), scene.now)
    scene.let_end(20 * DAY)
    _sound(scene)
    yield _lasts(scene, 70)


@_ends_in(("RotatorPausedForLong", "acme"))
def a_credential_is_paused_for_more_than_a_day(scene: Scene) -> Iterator[exporter.Phase]:
    STATES["paused"](scene.station(), scene.now)
    yield _lasts(scene, 13 * 60)
    yield _gone(1)
    yield _lasts(scene, 13 * 60, restarted=True)


@_ends_in(("RotatorCertificateUrgent", "acme"))
def a_rotation_has_been_urgent_for_hours(scene: Scene) -> Iterator[exporter.Phase]:
    scene.let_end(scene.station().terms.urgent_before * 0.9)
    yield _lasts(scene, 130)


@_ends_in(("RotatorCertificateEnding", "acme"))
def a_certificate_is_about_to_end(scene: Scene) -> Iterator[exporter.Phase]:
    scene.let_end(DAY)
    yield _lasts(scene, 20)


@_ends_in(("RotatorCertificateEnding", "acme"))
def a_certificate_has_ended(scene: Scene) -> Iterator[exporter.Phase]:
    scene.let_end(-HOUR)
    yield _lasts(scene, 180)


@_ends_in(("RotatorKeyRemains", "acme"))
def a_replaced_key_is_still_taken(scene: Scene) -> Iterator[exporter.Phase]:
    scene.edit(trouble=(Trouble("key:2", scene.now, RIVAL_TAKEN, "?"),))
    yield _lasts(scene, 70)


# -- what heals by itself


@_heals
def all_is_well(scene: Scene) -> Iterator[exporter.Phase]:
    yield _lasts(scene, 180)


@_heals
def vault_is_away_for_five_minutes(scene: Scene) -> Iterator[exporter.Phase]:
    scene.fleet.vault_trouble = "unreachable"
    emit(events.VAULT_UNAVAILABLE, code="vault.unreachable", message="?", hint="?")
    yield _lasts(scene, 5)
    scene.fleet.vault_trouble = None
    emit(events.VAULT_RECOVERED, seconds=300)
    yield _lasts(scene, 60)


@_heals
def the_daemon_is_restarted(scene: Scene) -> Iterator[exporter.Phase]:
    yield _gone(2)
    scene.begin()
    lease, scene.fleet.lease = scene.fleet.lease, None
    yield _lasts(scene, 1, restarted=True)
    scene.fleet.lease = lease
    yield _lasts(scene, 60)


@_heals
def a_certificate_is_replaced_while_the_token_is_kept_alive(scene: Scene) -> Iterator[exporter.Phase]:
    scene.let_end(20 * DAY)
    STATES["proving"](scene.station(), scene.now)
    _age(scene, 50 * MINUTE)
    emit(events.SESSIONS_DIED, credential="acme", target=4)
    yield _lasts(scene, 45)
    STATES["proving"](scene.station("globex"), scene.now)
    yield _lasts(scene, 45)


@_heals
def one_change_failed(scene: Scene) -> Iterator[exporter.Phase]:
    STATES["due"](scene.station(), scene.now)
    scene.let_end(20 * DAY)
    scene.edit(failures=1)
    emit(events.CHANGE_FAILED, credential="acme")
    yield _lasts(scene, 60)


@_heals
def a_server_of_the_org_is_slow_to_take_a_new_key(scene: Scene) -> Iterator[exporter.Phase]:
    user = scene.station().terms.users[0]
    scene.edit(trouble=(Trouble(f"mint:{user}", scene.now, "salesforce.invalid_grant", "?"),))
    emit(events.KEY_DOUBTED, credential="acme")
    yield _lasts(scene, 10)
    scene.edit(trouble=())
    yield _lasts(scene, 30)


@_heals
def a_dead_token_is_replaced(scene: Scene) -> Iterator[exporter.Phase]:
    user = scene.station().terms.users[0]
    scene.edit(trouble=(Trouble(f"token:{user}", scene.now, "dead", "?"),))
    emit(events.TOKEN_DEAD, credential="acme")
    yield _lasts(scene, 3)
    scene.edit(trouble=())
    yield _lasts(scene, 30)


@_heals
def the_clock_is_set_once(scene: Scene) -> Iterator[exporter.Phase]:
    emit(events.CLOCK_JUMPED, seconds=70)
    yield _lasts(scene, 60)


@_heals
def many_steps_are_late_for_a_minute(scene: Scene) -> Iterator[exporter.Phase]:
    for _ in range(500):
        emit(events.STEP_TAKEN, credential="acme", seconds=0.2, late_seconds=40.0)
    yield _lasts(scene, 60)


@_heals
def a_rotation_waits_for_its_window(scene: Scene) -> Iterator[exporter.Phase]:
    scene.let_end(20 * DAY)
    _sound(scene)
    yield _lasts(scene, 180)


@_heals
def a_vault_token_of_ten_minutes_is_renewed(scene: Scene) -> Iterator[exporter.Phase]:
    assert scene.fleet.lease is not None
    for _ in range(6):
        scene.fleet.lease = replace(scene.fleet.lease, granted_at=scene.now, duration=10 * MINUTE)
        yield _lasts(scene, 7, still=[LEASE])


@_heals
def a_credential_is_paused_for_a_night(scene: Scene) -> Iterator[exporter.Phase]:
    STATES["paused"](scene.station(), scene.now)
    yield _lasts(scene, 12 * 60)
