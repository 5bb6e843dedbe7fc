"""What an org may answer about sessions, and what is made of it. What it really shows: tests/cli/test_doctor.py."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rotator.errors import Misconfigured, Transient
from rotator.salesforce.appfiles import App, AppKind
from rotator.salesforce.sessions import OrgSettings, own_timeout, read_app_policies, read_org_settings
from tests.salesforce_metadata.conftest import envelope, fault, org
from tests.world.http_fake import Answer

ALL_SHOWN = (
    "<sessionTimeout>TwelveHours</sessionTimeout><lockSessionsToIp>true</lockSessionsToIp>"
    "<enforceIpRangesEveryRequest>false</enforceIpRangesEveryRequest>"
)


def settings(inner: str) -> Answer:
    return envelope(
        "<readMetadataResponse><result><records><fullName>Security</fullName><sessionSettings>"
        f"{inner}</sessionSettings></records></result></readMetadataResponse>"
    )


@pytest.mark.parametrize(
    ("inner", "found"),
    [
        (
            ALL_SHOWN,
            OrgSettings(timedelta(hours=12), True, False),
        ),
        ("<sessionTimeout>ThreeHours</sessionTimeout>", OrgSettings(None, None, None)),
        ("<lockSessionsToIp>perhaps</lockSessionsToIp>", OrgSettings(None, None, None)),
    ],
)
def test_what_is_not_shown_or_not_known_is_not_guessed(fake, wire, inner, found):
    fake.answer = settings(inner)
    assert read_org_settings(wire, org(fake)) == found


def test_settings_that_are_not_shown_at_all_are_none(fake, wire):
    fake.answer = envelope("<readMetadataResponse><result><records/></result></readMetadataResponse>")
    assert read_org_settings(wire, org(fake)) is None
    fake.answer = fault("INSUFFICIENT_ACCESS")
    with pytest.raises(Misconfigured):
        read_org_settings(wire, org(fake))


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([{"NumSecondsValid": 7200}], timedelta(hours=2)),
        ([{"NumSecondsValid": 7200}, {"NumSecondsValid": 900}], timedelta(minutes=15)),
        ([], None),
        ([{}, {"NumSecondsValid": "7200"}, {"NumSecondsValid": 0}], None),
    ],
)
def test_of_a_family_of_sessions_the_one_that_ends_first_counts(fake, wire, rows, found):
    fake.answer = Answer(200, {"totalSize": len(rows), "done": True, "records": rows})
    assert own_timeout(wire, org(fake)) == found


def test_policies_that_an_org_lists_none_of_are_not_shown(fake, wire):
    fake.answer = envelope("<listMetadataResponse/>")
    app = App(AppKind.EXTERNAL_CLIENT_APP, "Rotator_Acme")
    assert read_app_policies(wire, org(fake), app, in_time=lambda: None, sleep=lambda _: None) is None


def test_nothing_is_asked_when_it_is_too_late(fake, wire):
    def late():
        raise Transient("too late", code="some.code", hint="Mend it.")

    app = App(AppKind.EXTERNAL_CLIENT_APP, "Rotator_Acme")
    with pytest.raises(Transient):
        read_app_policies(wire, org(fake), app, in_time=late, sleep=lambda _: None)
    assert fake.requests == []
