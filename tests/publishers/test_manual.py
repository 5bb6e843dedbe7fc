"""What a person is told who brings a certificate in."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rotator.publishers.manual import manual_steps, upload_steps
from rotator.salesforce.appfiles import App, AppKind

QUARTER = timedelta(minutes=15)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (
            AppKind.EXTERNAL_CLIENT_APP,
            ["External Client App Manager", "Edit Settings", "Enable JWT Bearer Flow"],
        ),
        (AppKind.CONNECTED_APP, ["App Manager", "Use Digital Signatures", "Choose File"]),
    ],
)
def test_the_steps_name_the_app_the_pages_and_the_certificate(new_pem, kind, words):
    steps = manual_steps(App(kind, "Rotator_Acme"), new_pem, QUARTER)
    assert all(
        word in steps for word in ["Rotator_Acme", new_pem.strip(), "rotator deployed", "within 15 m", *words]
    )


def test_the_steps_for_a_connected_app_warn_of_the_field_that_empties_itself(new_pem):
    steps = manual_steps(App(AppKind.CONNECTED_APP, "Rotator_Acme"), new_pem, QUARTER)
    assert "without a certificate" in steps


@pytest.mark.parametrize("kind", AppKind)
def test_the_command_that_saves_the_certificate_stands_on_a_line_of_its_own_to_be_copied(kind):
    lines = upload_steps(App(kind, "Rotator_Acme"), "acme", QUARTER)
    assert lines[:3] == [
        "1. Save the certificate as a file:",
        "     rotator certificate acme > Rotator_Acme.crt",
        "   It is public; no private key leaves Vault.",
    ]
