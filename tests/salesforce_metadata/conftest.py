"""An org that answers what a test says, and the SOAP that it answers with."""

from __future__ import annotations

import pytest

from rotator.salesforce.http import Wire, WireSettings
from rotator.salesforce.rest import Org
from rotator.secret import Secret
from tests.world.http_fake import Answer, HttpFake

OPAQUE = "00Dxx0000001gPL!AQoAQGd83hfj8sjfhs8372"


@pytest.fixture
def fake():
    with HttpFake() as server:
        yield server


@pytest.fixture
def wire():
    with Wire(WireSettings(read_timeout_seconds=5)) as one:
        yield one


def org(fake, token: str = OPAQUE, version: str = "66.0") -> Org:
    return Org(fake.url, Secret(token), version)


def envelope(body: str, status: int = 200) -> Answer:
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
        'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        f'xmlns="http://soap.sforce.com/2006/04/metadata"><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>'
    )
    return Answer(status, text, {"Content-Type": "text/xml"})


def fault(code: str, words: str = "words") -> Answer:
    return envelope(
        f"<soapenv:Fault><faultcode>sf:{code}</faultcode><faultstring>{code}: {words}</faultstring></soapenv:Fault>",
        500,
    )
