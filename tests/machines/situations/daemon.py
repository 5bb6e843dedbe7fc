"""Situations of the daemon, of Vault, and those that an event alone tells."""

from __future__ import annotations

from collections.abc import Iterator

from rotator import events
from rotator.core.model import Entry, Reason, Trouble
from rotator.core.outcome import Outcome
from rotator.events import Event
from rotator.show.logs import emit
from tests.machines import exporter
from tests.machines.exporter import Scene
from tests.machines.situations.telling import (
    DAY,
    HOUR,
    MINUTE,
    SITUATIONS,
    Situation,
    ends_in,
    gone,
    lasts,
    vault_token,
)


def _told(event: Event, alert: str) -> None:
    """Add the situation that an event is told."""

    def story(scene: Scene) -> Iterator[exporter.Phase]:
        emit(event, **dict.fromkeys(event.fields, "?"))
        yield lasts(scene, 10)

    SITUATIONS[event.name] = Situation(story, frozenset({(alert, "")}))


for _event, _alert in (
    (events.STEP_FAILED, "RotatorUnforeseenError"),
    (events.ROUND_FAILED, "RotatorUnforeseenError"),
    (events.CRASHED, "RotatorUnforeseenError"),
    (events.WEB_REQUEST_FAILED, "RotatorUnforeseenError"),
    (events.CONFIGURATION_REFUSED, "RotatorConfigurationRefused"),
    (events.CREDENTIAL_KEPT, "RotatorFormerSettings"),
    (events.CONFIGURATION_FILE_REFUSED, "RotatorFormerSettings"),
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


@ends_in("RotatorAbsent")
def the_daemon_does_not_answer(_scene: Scene) -> Iterator[exporter.Phase]:
    yield gone(10)


@ends_in("RotatorDoesNotMove")
def the_daemon_hangs(scene: Scene) -> Iterator[exporter.Phase]:
    scene.beaten_ago = 5 * MINUTE
    yield lasts(scene, 5)


@ends_in("RotatorStepsLate")
def steps_begin_late_for_half_an_hour(scene: Scene) -> Iterator[exporter.Phase]:
    for _ in range(40):
        for _ in range(5):
            emit(events.STEP_TAKEN, credential="acme", seconds=0.2, late_seconds=90.0)
        yield lasts(scene, 1)


@ends_in("RotatorUnforeseenError")
def an_error_before_the_first_scrape_of_a_new_process(scene: Scene) -> Iterator[exporter.Phase]:
    scene.begin()
    emit(events.STEP_FAILED, credential="acme", error="ZeroDivisionError", not_before="")
    yield gone(1)
    yield lasts(scene, 10, restarted=True)


@ends_in("RotatorClockSkewed")
def the_clock_of_a_peer_differs(scene: Scene) -> Iterator[exporter.Phase]:
    scene.skews = {"acme.my.salesforce.com": -75.0}
    yield lasts(scene, 15)


@ends_in("RotatorClockJumps")
def our_clock_jumps_twice(scene: Scene) -> Iterator[exporter.Phase]:
    for _ in range(2):
        emit(events.CLOCK_JUMPED, seconds=70)
        yield lasts(scene, 10)


@ends_in(("RotatorCredentialSetAside", "broken"))
def the_settings_of_a_credential_are_wrong(scene: Scene) -> Iterator[exporter.Phase]:
    scene.fleet.aside["broken"] = Trouble("configuration", scene.now, "configuration", "wrong")
    yield lasts(scene, 10)


@ends_in("RotatorConfigurationFileRefused")
def an_included_file_does_not_hold(scene: Scene) -> Iterator[exporter.Phase]:
    wrong = Trouble("configuration", scene.now, "configuration", "is not YAML")
    scene.fleet.refused["/etc/rotator/team-a.yaml"] = wrong
    yield lasts(scene, 10)


@ends_in("RotatorFleetBrake")
def the_rotations_of_three_credentials_failed(scene: Scene) -> Iterator[exporter.Phase]:
    for name in exporter.NAMES[:3]:
        failed = Entry(9, Reason.ROTATION, Outcome.REFUSED, scene.now - HOUR, scene.now, deployed=False)
        record = scene.edit(name, history=(failed,))
        scene.fleet.app.driver.neighbours.note(scene.station(name), record)
    yield lasts(scene, 10)


@ends_in("RotatorTlsCertificateEnding")
def the_certificate_of_the_port_ends(scene: Scene) -> Iterator[exporter.Phase]:
    scene.let_tls_end(DAY)
    yield lasts(scene, 70)


@ends_in("RotatorVaultDown")
def vault_is_away_for_a_quarter_of_an_hour(scene: Scene) -> Iterator[exporter.Phase]:
    scene.fleet.let_vault_fail("sealed")
    yield lasts(scene, 15)


@ends_in("RotatorVaultLeaseEnding")
def a_vault_token_of_ten_minutes_is_not_renewed(scene: Scene) -> Iterator[exporter.Phase]:
    yield vault_token(scene, 10 * MINUTE, minutes=10)


@ends_in("RotatorVaultLeaseEnding")
def a_vault_token_of_a_day_is_not_renewed(scene: Scene) -> Iterator[exporter.Phase]:
    yield vault_token(scene, DAY, minutes=18 * 60 + 5)


@ends_in("RotatorSecretIdEnding")
def a_wrapped_secret_id_is_about_to_end(scene: Scene) -> Iterator[exporter.Phase]:
    scene.fleet.secret_id_ends = scene.now + DAY / 2
    yield lasts(scene, 70)


@ends_in(("RotatorDocumentUnusable", "acme"))
def a_record_is_damaged(scene: Scene) -> Iterator[exporter.Phase]:
    scene.fleet.unusable["acme"] = Trouble("record", scene.now, "vault.document", "damaged")
    yield lasts(scene, 10)
