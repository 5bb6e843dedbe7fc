"""Situations of one credential: its tokens, its certificate, its changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rotator.core.model import Change, Entry, Pause, PauseKind, Phase, Reason, Trouble
from rotator.core.outcome import Outcome
from rotator.core.slot import RIVAL_TAKEN
from tests.machines import exporter
from tests.machines.exporter import Scene
from tests.machines.situations.telling import (
    DAY,
    HOUR,
    MINUTE,
    age_token,
    ends_in,
    gone,
    lasts,
    sound,
)
from tests.world.states import STATES, token


@ends_in(("RotatorTokenExpired", "acme"))
def a_token_has_expired(scene: Scene) -> Iterator[exporter.Phase]:
    age_token(scene, 65 * MINUTE)
    yield lasts(scene, 5)


@ends_in(("RotatorTokenNearExpiry", "acme"))
def a_token_is_not_refreshed(scene: Scene) -> Iterator[exporter.Phase]:
    age_token(scene, 50 * MINUTE)
    yield lasts(scene, 5)


@ends_in(("RotatorTokenUnproven", "acme"))
def a_token_cannot_be_proved(scene: Scene) -> Iterator[exporter.Phase]:
    scene.edit(trouble=(Trouble(f"token:{scene.station().terms.users[0]}", scene.now, "unproven", "?"),))
    yield lasts(scene, 10)


@ends_in(("RotatorTokenRefused", "acme"), ("RotatorTokenNearExpiry", "acme"))
def the_org_gives_no_token(scene: Scene) -> Iterator[exporter.Phase]:
    STATES["refused"](scene.station(), scene.now)
    yield lasts(scene, 20)


@ends_in(("RotatorLockedOut", "acme"))
def no_key_is_taken(scene: Scene) -> Iterator[exporter.Phase]:
    STATES["locked_out"](scene.station(), scene.now)
    yield lasts(scene, 40)


@ends_in(("RotatorIdentityMismatch", "acme"))
def the_org_is_another_one(scene: Scene) -> Iterator[exporter.Phase]:
    scene.edit(paused=Pause(PauseKind.IDENTITY, scene.now, "another org"))
    yield lasts(scene, 5)


@ends_in(("RotatorRotationFailing", "acme"))
def a_rotation_failed_twice(scene: Scene) -> Iterator[exporter.Phase]:
    STATES["due"](scene.station(), scene.now)
    scene.let_end(20 * DAY)
    yield lasts(scene, 15)


@ends_in(("RotatorRotationFailing", "acme"))
def as_many_deploys_as_a_day_may_have_failed(scene: Scene) -> Iterator[exporter.Phase]:
    station = scene.station()
    scene.let_end(20 * DAY)
    swaps = tuple(
        Entry(9, Reason.ROTATION, Outcome.RESTORED, scene.now - HOUR, scene.now - HOUR / 2, deployed=True)
        for _ in range(station.terms.swaps_a_day)
    )
    scene.edit(history=swaps)
    sound(scene)
    yield lasts(scene, 15)


def _proving(scene: Scene, proofs: int, **more: object) -> None:
    STATES["proving"](scene.station(), scene.now)
    change = scene.station().record.change
    assert change is not None
    scene.edit(change=replace(change, proofs=proofs), **more)


@ends_in(("RotatorChangeStuck", "acme"))
def a_change_does_not_get_on(scene: Scene) -> Iterator[exporter.Phase]:
    _proving(scene, 3, trouble=(Trouble("change", scene.now, "deploy.refused", "?", "?", lasting=True),))
    yield lasts(scene, 40)


@ends_in(("RotatorChangeWaits", "acme"))
def a_person_has_to_bring_a_certificate_in(scene: Scene) -> Iterator[exporter.Phase]:
    _proving(scene, 0)
    yield lasts(scene, 10)


@ends_in(("RotatorBridgeLacking", "acme"))
def sessions_are_too_short_for_a_change(scene: Scene) -> Iterator[exporter.Phase]:
    station, record = scene.station(), scene.station().record
    change = Change(record.newest + 1, record.current, Reason.ROTATION, station.terms.users, scene.now - HOUR)
    scene.edit(phase=Phase.STAGED, newest=record.newest + 1, change=change)
    for user in station.terms.users:
        short = replace(token(station, user, scene.now), expires_at=scene.now + 10 * MINUTE)
        station.tokens[user] = (short, 5)
    sound(scene)
    yield lasts(scene, 15)


@ends_in(("RotatorRotationHeld", "acme"))
def a_rotation_is_due_and_paused(scene: Scene) -> Iterator[exporter.Phase]:
    STATES["paused"](scene.station(), scene.now)
    scene.let_end(20 * DAY)
    sound(scene)
    yield lasts(scene, 70)


@ends_in(("RotatorPausedForLong", "acme"))
def a_credential_is_paused_for_more_than_a_day(scene: Scene) -> Iterator[exporter.Phase]:
    STATES["paused"](scene.station(), scene.now)
    yield lasts(scene, 13 * 60)
    yield gone(1)
    yield lasts(scene, 13 * 60, restarted=True)


@ends_in(("RotatorCertificateUrgent", "acme"))
def a_rotation_has_been_urgent_for_hours(scene: Scene) -> Iterator[exporter.Phase]:
    scene.let_end(scene.station().terms.urgent_before * 0.9)
    yield lasts(scene, 130)


@ends_in(("RotatorCertificateEnding", "acme"))
def a_certificate_is_about_to_end(scene: Scene) -> Iterator[exporter.Phase]:
    scene.let_end(DAY)
    yield lasts(scene, 20)


@ends_in(("RotatorCertificateEnding", "acme"))
def a_certificate_has_ended(scene: Scene) -> Iterator[exporter.Phase]:
    scene.let_end(-HOUR)
    yield lasts(scene, 180)


@ends_in(("RotatorKeyRemains", "acme"))
def a_replaced_key_is_still_taken(scene: Scene) -> Iterator[exporter.Phase]:
    scene.edit(trouble=(Trouble("key:2", scene.now, RIVAL_TAKEN, "?"),))
    yield lasts(scene, 70)
