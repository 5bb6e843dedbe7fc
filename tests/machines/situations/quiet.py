"""Situations that heal by themselves."""

from __future__ import annotations

from collections.abc import Iterator

from rotator import events
from rotator.core.model import Trouble
from rotator.show.logs import emit
from tests.machines import exporter
from tests.machines.exporter import Scene
from tests.machines.situations.telling import (
    DAY,
    MINUTE,
    age_token,
    gone,
    heals,
    lasts,
    sound,
    vault_token,
)
from tests.world.states import STATES


@heals
def all_is_well(scene: Scene) -> Iterator[exporter.Phase]:
    yield lasts(scene, 180)


@heals
def vault_is_away_for_five_minutes(scene: Scene) -> Iterator[exporter.Phase]:
    scene.fleet.let_vault_fail("unreachable")
    emit(events.VAULT_UNAVAILABLE, code="vault.unreachable", message="?", hint="?")
    yield lasts(scene, 5)
    scene.fleet.vault_trouble = None
    emit(events.VAULT_RECOVERED, seconds=300)
    yield lasts(scene, 60)


@heals
def the_daemon_is_restarted(scene: Scene) -> Iterator[exporter.Phase]:
    yield gone(2)
    scene.begin()
    lease, scene.fleet.lease = scene.fleet.lease, None
    yield lasts(scene, 1, restarted=True)
    scene.fleet.lease = lease
    yield lasts(scene, 60)


@heals
def a_certificate_is_replaced_while_the_token_is_kept_alive(scene: Scene) -> Iterator[exporter.Phase]:
    scene.let_end(20 * DAY)
    STATES["proving"](scene.station(), scene.now)
    age_token(scene, 50 * MINUTE)
    emit(events.SESSIONS_DIED, credential="acme", target=4)
    yield lasts(scene, 45)
    STATES["proving"](scene.station("globex"), scene.now)
    yield lasts(scene, 45)


@heals
def one_change_failed(scene: Scene) -> Iterator[exporter.Phase]:
    STATES["due"](scene.station(), scene.now)
    scene.let_end(20 * DAY)
    scene.edit(failures=1)
    emit(events.CHANGE_FAILED, credential="acme")
    yield lasts(scene, 60)


def a_trouble_passes(
    scene: Scene, subject: str, code: str, event: events.Event, *, minutes: float
) -> Iterator[exporter.Phase]:
    """A user of acme has a trouble for a while."""
    user = scene.station().terms.users[0]
    scene.edit(trouble=(Trouble(f"{subject}:{user}", scene.now, code, "?"),))
    emit(event, credential="acme")
    yield lasts(scene, minutes)
    scene.edit(trouble=())
    yield lasts(scene, 30)


@heals
def a_server_of_the_org_is_slow_to_take_a_new_key(scene: Scene) -> Iterator[exporter.Phase]:
    yield from a_trouble_passes(scene, "mint", "salesforce.invalid_grant", events.KEY_DOUBTED, minutes=10)


@heals
def a_dead_token_is_replaced(scene: Scene) -> Iterator[exporter.Phase]:
    yield from a_trouble_passes(scene, "token", "dead", events.TOKEN_DEAD, minutes=3)


@heals
def the_clock_is_set_once(scene: Scene) -> Iterator[exporter.Phase]:
    emit(events.CLOCK_JUMPED, seconds=70)
    yield lasts(scene, 60)


@heals
def many_steps_are_late_for_a_minute(scene: Scene) -> Iterator[exporter.Phase]:
    for _ in range(500):
        emit(events.STEP_TAKEN, credential="acme", seconds=0.2, late_seconds=40.0)
    yield lasts(scene, 60)


@heals
def a_rotation_waits_for_its_window(scene: Scene) -> Iterator[exporter.Phase]:
    scene.let_end(20 * DAY)
    sound(scene)
    yield lasts(scene, 180)


@heals
def a_vault_token_of_ten_minutes_is_renewed(scene: Scene) -> Iterator[exporter.Phase]:
    for _ in range(6):
        yield vault_token(scene, 10 * MINUTE, minutes=7)


@heals
def a_credential_is_paused_for_a_night(scene: Scene) -> Iterator[exporter.Phase]:
    STATES["paused"](scene.station(), scene.now)
    yield lasts(scene, 12 * 60)
