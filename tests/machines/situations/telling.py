"""How a situation is told: as phases of a story, and by the alerts that it ends in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from rotator.performer import alarms
from tests.machines import exporter
from tests.machines.exporter import Scene
from tests.world.states import token

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
CALM_MINUTES = 90

Story = Callable[[Scene], Iterator[exporter.Phase]]


@dataclass(frozen=True)
class Situation:
    """A story after an hour and a half of calm, and the alerts that fire at its end: name, and whom it names."""

    story: Story
    alerts: frozenset[tuple[str, str]]


SITUATIONS: dict[str, Situation] = {}
HEALING: dict[str, Story] = {}
"""Stories in which nobody is called at any time."""


def ends_in(*alerts: str | tuple[str, str]) -> Callable[[Story], Story]:
    """Note a story and the alerts that fire at its end: names, or names and whom they name."""

    def note(story: Story) -> Story:
        expected = frozenset((one, "") if isinstance(one, str) else one for one in alerts)
        SITUATIONS[story.__name__] = Situation(story, expected)
        return story

    return note


def heals(story: Story) -> Story:
    """Note a story in which nobody is to be called."""
    HEALING[story.__name__] = story
    return story


def lasts(
    scene: Scene, minutes: int, *, still: Sequence[str] = (), restarted: bool = False
) -> exporter.Phase:
    """Scrape, and return some minutes in which that is seen."""
    return exporter.Phase(scene.scrape(), minutes, still, restarted)


def vault_token(scene: Scene, life: timedelta, *, minutes: int) -> exporter.Phase:
    """Grant the daemon a Vault token, and return some minutes in which it is not renewed."""
    assert scene.fleet.lease is not None
    scene.fleet.lease = replace(scene.fleet.lease, granted_at=scene.now, duration=life)
    return lasts(scene, minutes, still=["rotator_vault_lease_expires_timestamp_seconds"])


def gone(minutes: int) -> exporter.Phase:
    """Return some minutes in which nothing answers."""
    return exporter.Phase(None, minutes)


def age_token(scene: Scene, age: timedelta) -> None:
    """Let the tokens of the credential be so old."""
    for user in scene.station().terms.users:
        scene.station().tokens[user] = (token(scene.station(), user, scene.now - age), 5)


def sound(scene: Scene) -> None:
    """Let the daemon look for alarms, as it does after each step."""
    station = scene.station()
    alarms.sound(station, scene.fleet.app.driver.known(station), scene.now)
