"""What the deploy of kept files would change in an app, besides its certificate."""

from __future__ import annotations

import pytest

from rotator.salesforce.appfiles import App, AppFiles, AppKind, select
from rotator.salesforce.appxml import NAMESPACE
from rotator.salesforce.differences import difference

PATH = "connectedApps/Acme.connectedApp"


def connected(inner: str) -> AppFiles:
    text = f'<ConnectedApp xmlns="{NAMESPACE}">{inner}</ConnectedApp>'
    return select(App(AppKind.CONNECTED_APP, "Acme"), {PATH: text.encode()}, "66.0")


def eca(name_of_settings: str, inner: str, header: str = "<label>A</label>") -> AppFiles:
    belongs = "<externalClientApplication>Acme</externalClientApplication>"

    def document(kind: str, content: str) -> bytes:
        return f'<{kind} xmlns="{NAMESPACE}">{content}</{kind}>'.encode()

    files = {
        "externalClientApps/Acme.eca": document("ExternalClientApplication", header),
        f"extlClntAppGlobalOauthSets/{name_of_settings}.ecaGlblOauth": document(
            "ExtlClntAppGlobalOauthSettings", belongs + inner
        ),
        "extlClntAppOauthSettings/y.ecaOauth": document("ExtlClntAppOauthSettings", belongs),
    }
    return select(App(AppKind.EXTERNAL_CLIENT_APP, "Acme"), files, "66.0")


RANGES = (
    "<ipRanges><endAddress>2</endAddress><startAddress>1</startAddress></ipRanges>"
    "<ipRanges><endAddress>4</endAddress><startAddress>3</startAddress></ipRanges>"
)
OTHER_RANGES = (
    "<ipRanges><endAddress>4</endAddress><startAddress>1</startAddress></ipRanges>"
    "<ipRanges><endAddress>2</endAddress><startAddress>3</startAddress></ipRanges>"
)


@pytest.mark.parametrize(
    ("kept", "shown"),
    [
        ("<label>A</label>", "<label>\n  A  </label>"),
        ("<a>1</a><b>2</b>", "<b>2</b>\n<a>1</a>"),
        ("<description/>", ""),
        ("", "<oauthConfig> <x></x> </oauthConfig>"),
        ("<oauthConfig><scopes>Api</scopes><scopes>Full</scopes></oauthConfig>",
         "<oauthConfig><scopes>Full</scopes><scopes>Api</scopes></oauthConfig>"),
        ("<a>x &amp; y</a>", "<a><![CDATA[x & y]]></a>"),
        (RANGES, RANGES.replace("<endAddress>2</endAddress><startAddress>1</startAddress>",
                                "<startAddress>1</startAddress><!-- one --><endAddress>2</endAddress>")),
        ("<oauthConfig><certificate>MIIA</certificate></oauthConfig>",
         "<oauthConfig><certificate>MIIB</certificate><consumerKey>3MVG</consumerKey></oauthConfig>"),
        ("<oauthConfig><certificate/><consumerSecret>s</consumerSecret></oauthConfig>", ""),
    ],
)  # fmt: skip
def test_form_order_and_the_certificate_make_no_difference(kept, shown):
    assert difference(connected(kept), connected(shown)) is None
    assert difference(connected(shown), connected(kept)) is None


@pytest.mark.parametrize(
    ("kept", "shown", "where"),
    [
        ("<label>A</label>", "<label>B</label>", "label"),
        ("<label>A</label>", "", "label"),
        ("<permissionSetName>P</permissionSetName>", "<permissionSetName>Q</permissionSetName>",
         "permissionSetName"),
        ("<permissionSetName>P</permissionSetName><permissionSetName>Q</permissionSetName>",
         "<permissionSetName>P</permissionSetName>", "permissionSetName"),
        ("<scopes>Api</scopes><scopes>Api</scopes>", "<scopes>Api</scopes>", "scopes"),
        ("<oauthConfig><isAdminApproved>true</isAdminApproved></oauthConfig>",
         "<oauthConfig><isAdminApproved>false</isAdminApproved></oauthConfig>", "oauthConfig/isAdminApproved"),
        ("<oauthConfig/>", "<oauthConfig><idTokenConfig><idTokenValidity>2</idTokenValidity></idTokenConfig></oauthConfig>",
         "oauthConfig"),
        ("<oauthConfig><x><certificate>1</certificate></x></oauthConfig>",
         "<oauthConfig><x><certificate>2</certificate></x></oauthConfig>", "oauthConfig/x/certificate"),
        ("<certificate>1</certificate>", "<certificate>2</certificate>", "certificate"),
        ("<samlConfig>text</samlConfig>", "<samlConfig><issuer>text</issuer></samlConfig>", "samlConfig"),
        (RANGES, OTHER_RANGES, "ipRanges"),
    ],
)  # fmt: skip
def test_every_other_setting_that_differs_is_found_whichever_side_has_it(kept, shown, where):
    assert difference(connected(kept), connected(shown)) == f"{PATH}: {where}"
    assert difference(connected(shown), connected(kept)) == f"{PATH}: {where}"


def test_each_part_of_an_external_client_app_is_looked_at():
    kept = eca("x", "<certificate>MIIA</certificate><isPkceRequired>true</isPkceRequired>")
    settings = "extlClntAppGlobalOauthSets/x.ecaGlblOauth"
    assert difference(kept, kept) is None
    assert difference(kept, eca("x", "<certificate>MIIB</certificate>")) == f"{settings}: isPkceRequired"
    assert difference(kept, eca("x", "<isPkceRequired>true</isPkceRequired>", "<label>B</label>")) == (
        "externalClientApps/Acme.eca: label"
    )


def test_what_a_deploy_is_told_to_do_is_no_setting_of_the_app():
    kept = "<shouldRotateConsumerKey>false</shouldRotateConsumerKey>"
    assert difference(eca("x", kept), eca("x", "")) is None


def test_a_part_that_has_another_name_in_the_org_is_a_difference():
    assert difference(eca("x", ""), eca("Acme_glbloauth", "")) == (
        "extlClntAppGlobalOauthSets/x.ecaGlblOauth: Acme_glbloauth is its name in the org"
    )
