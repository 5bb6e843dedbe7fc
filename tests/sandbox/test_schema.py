"""How strictly an app's metadata is read: what it may hold, at every depth."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization

from rotator.sandbox.org.seed import GLOBEX
from tests.sandbox.client import changed

CONNECTED = f"connectedApps/{GLOBEX}.connectedApp"
NAMED = "{http://soap.sforce.com/2006/04/metadata}"
NOT_IN_OAUTH = "invalid at this location in type ConnectedAppOauthConfig"
# What is put in the place of what -> the problem, word for word.
SCHEMA = {
    "an element misspelt": ("certificate>", "certficate>", f"Error parsing file: Element {NAMED}certficate {NOT_IN_OAUTH}"),
    "an element of the level above": (
        "<scopes>Api",
        "<label>x</label><scopes>Api",
        f"Error parsing file: Element {NAMED}label {NOT_IN_OAUTH}",
    ),
    "an element of another namespace": (
        "<certificate>",
        '<certificate xmlns="urn:other">',
        f"Error parsing file: Element {{urn:other}}certificate {NOT_IN_OAUTH}",
    ),
    "a boolean that is a banana": (
        "isAdminApproved>true",
        "isAdminApproved>banana",
        "Error parsing file: 'banana' is not valid for type xsd:boolean, should be '0', '1', 'true' or 'false'",
    ),
    "a boolean in capitals": (
        "isAdminApproved>true",
        "isAdminApproved>True",
        "Error parsing file: 'True' is not valid for type xsd:boolean, should be '0', '1', 'true' or 'false'",
    ),
    "an empty boolean": (
        "<isAdminApproved>true</isAdminApproved>",
        "<isAdminApproved/>",
        "Error parsing file: '' is not valid for type xsd:boolean, should be '0', '1', 'true' or 'false'",
    ),
    "a boolean twice": (
        "<isAdminApproved>true</isAdminApproved>",
        "<isAdminApproved>true</isAdminApproved><isAdminApproved>true</isAdminApproved>",
        "Error parsing file: Element isAdminApproved is duplicated at this location in type ConnectedAppOauthConfig",
    ),
    "the certificate twice": (
        "<certificate>",
        "<certificate>MIIB</certificate><certificate>",
        "Error parsing file: Element certificate is duplicated at this location in type ConnectedAppOauthConfig",
    ),
    "a list that something interrupts": (
        "</scopes>",
        "</scopes><singleLogoutUrl>https://a.example</singleLogoutUrl>",
        "Error parsing file: Element scopes is duplicated at this location in type ConnectedAppOauthConfig",
    ),
    "two scopes in one element": (
        "<scopes>Api</scopes>",
        "<scopes>Api, Web</scopes>",
        "Error parsing file: 'Api, Web' is not a valid value for the enum 'ConnectedAppOauthAccessScope'",
    ),
    "elements where a text belongs": (
        "<scopes>Api</scopes>",
        "<scopes><label>Api</label></scopes>",
        f"Error parsing file: Element {NAMED}label invalid at this location in type ConnectedAppOauthAccessScope",
    ),
    "text where elements belong": (
        "<scopes>Api",
        "stray<scopes>Api",
        "Error parsing file: unexpected text at this location in type ConnectedAppOauthConfig",
    ),
    "a number that is none": (
        "</ConnectedApp>",
        "<sessionPolicy><sessionTimeout>soon</sessionTimeout></sessionPolicy></ConnectedApp>",
        "Error parsing file: 'soon' is not a valid value for the type xsd:int",
    ),
    "a required element missing, two levels down": (
        "<callbackUrl>.*?</callbackUrl>", "", "Required field is missing: callbackUrl"
    ),
    "a required element empty": (
        "<refreshTokenPolicy>.*?</refreshTokenPolicy>",
        "<refreshTokenPolicy/>",
        "Required field is missing: refreshTokenPolicy",
    ),
    "a certificate that is none": (
        "<certificate>.*?</certificate>",
        "<certificate>Rotator_Certificate</certificate>",
        "Invalid certificate: not one X.509 certificate in PEM or base64",
    ),
    "a bare public key": (
        "<certificate>.*?</certificate>",
        lambda box: f"<certificate>{public_key_pem(box.new)}</certificate>",
        "Invalid certificate: not one X.509 certificate in PEM or base64",
    ),
    "a certificate twice in one element": (
        "<certificate>.*?</certificate>",
        lambda box: f"<certificate>{box.old.pem}{box.new.pem}</certificate>",
        "Invalid certificate: not one X.509 certificate in PEM or base64",
    ),
    "a certificate cut short": (
        "<certificate>.*?</certificate>",
        lambda box: f"<certificate>{box.new.base64[:-40]}</certificate>",
        "Invalid certificate: not one X.509 certificate in PEM or base64",
    ),
}  # fmt: skip


def public_key_pem(pair):
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return pair.key.public_key().public_bytes(serialization.Encoding.PEM, kind).decode()


@pytest.mark.parametrize("check_only", [True, False])
@pytest.mark.parametrize("case", SCHEMA)
def test_what_salesforces_schema_does_not_allow_fails_at_every_depth(sandbox, case, check_only):
    old, new, problem = SCHEMA[case]
    files = changed(sandbox.globex_files(), CONNECTED, old, new(sandbox) if callable(new) else new)
    assert sandbox.problems(files, checkOnly=check_only) == [problem]
    assert sandbox.takes(sandbox.old, GLOBEX)


def test_elements_of_every_kind_that_the_schema_knows_are_taken(sandbox):
    """Nested, repeated and numbers; in another order than a retrieve gives, and lists kept together."""
    more = (
        "<attributes><key>a</key><formula>'x'</formula></attributes><attributes><key>b</key><formula>'y'</formula></attributes>"
        "<ipRanges><start>10.0.0.1</start><end>10.0.0.9</end></ipRanges>"
        "<sessionPolicy><policyAction>Block</policyAction><sessionTimeout>120</sessionTimeout></sessionPolicy>"
    )
    files = changed(sandbox.globex_files(), CONNECTED, "</ConnectedApp>", f"{more}</ConnectedApp>")
    files = changed(files, CONNECTED, "<scopes>Api</scopes>", "<scopes>Api</scopes><scopes>Web</scopes>")
    files = changed(
        files,
        CONNECTED,
        "<oauthConfig>",
        "<oauthConfig><idTokenConfig><idTokenValidity>5</idTokenValidity></idTokenConfig>",
    )
    assert sandbox.problems(files) == []
    assert "<idTokenValidity>5</idTokenValidity>" in sandbox.globex_files()[CONNECTED]
    assert sandbox.mint(GLOBEX).json["scope"] == "api refresh_token web"
