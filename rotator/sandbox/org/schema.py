"""The fields of the metadata types of an app, nested ones too, and how strictly Salesforce reads them.

Fields and their kinds are those of Metadata API 68.0, after the types that Salesforce's own clients are built with
(npm @salesforce/types 1.7.1), with what those lack and orgs have been seen to give (`isDPopEnabled`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rotator.sandbox.org.scopes import SCOPES

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

METADATA_NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_INTEGER = re.compile(r"[+-]?[0-9]{1,10}")

# A word for each field: name, then `!` where it is required and `*` where it may be repeated, then `:kind` for what
# is no text: boolean, int, an enum or another type of this table.
_TYPES = {
    "ConnectedApp": """
        fullName attributes*:ConnectedAppAttribute canvas:CanvasMetadata canvasConfig:ConnectedAppCanvasConfig
        contactEmail! contactPhone description iconUrl infoUrl ipRanges*:ConnectedAppIpRange label! logoUrl
        mobileAppConfig:ConnectedAppMobileDetailConfig mobileStartUrl oauthConfig:ConnectedAppOauthConfig
        oauthPolicy:ConnectedAppOauthPolicy permissionSetName* plugin pluginExecutionUser profileName*
        samlConfig:ConnectedAppSamlConfig sessionPolicy:ConnectedAppSessionPolicy startUrl""",
    "ConnectedAppAttribute": "formula! key!",
    "CanvasMetadata": """
        fullName accessMethod! canvasOptions canvasUrl! lifecycleClass locationOptions samlInitiationMethod""",
    "ConnectedAppCanvasConfig": """
        accessMethod!:AccessMethod canvasUrl! lifecycleClass locations*:CanvasLocationOptions options*:CanvasOptions
        samlInitiationMethod:SamlInitiationMethod""",
    "ConnectedAppIpRange": "description end! start!",
    "ConnectedAppMobileDetailConfig": """
        applicationBinaryFile applicationBinaryFileName applicationBundleIdentifier applicationFileLength:int
        applicationIconFile applicationIconFileName applicationInstallUrl devicePlatform!:DevicePlatformType
        deviceType:DeviceType minimumOsVersion privateApp:boolean version!""",
    "ConnectedAppOauthConfig": """
        assetTokenConfig:ConnectedAppOauthAssetToken callbackUrl! certificate consumerKey consumerSecret
        idTokenConfig:ConnectedAppOauthIdToken isAdminApproved:boolean isClientCredentialEnabled:boolean
        isCodeCredentialEnabled:boolean isCodeCredentialPostOnly:boolean isConsumerSecretOptional:boolean
        isIntrospectAllTokens:boolean isNamedUserJwtEnabled:boolean isPkceRequired:boolean
        isRefreshTokenRotationEnabled:boolean isSecretRequiredForRefreshToken:boolean
        isSecretRequiredForTokenExchange:boolean isTokenExchangeEnabled:boolean oauthClientCredentialUser
        scopes*:ConnectedAppOauthAccessScope singleLogoutUrl""",
    "ConnectedAppOauthAssetToken": """
        assetAudiences! assetIncludeAttributes!:boolean assetIncludeCustomPerms!:boolean assetSigningCertId!
        assetValidityPeriod!:int""",
    "ConnectedAppOauthIdToken": """
        idTokenAudience idTokenIncludeAttributes:boolean idTokenIncludeCustomPerms:boolean
        idTokenIncludeStandardClaims:boolean idTokenValidity:int""",
    "ConnectedAppOauthPolicy": """
        ipRelaxation! isTokenExchangeFlowEnabled:boolean refreshTokenPolicy! singleLogoutUrl""",
    "ConnectedAppSamlConfig": """
        acsUrl! certificate encryptionCertificate encryptionType:SamlEncryptionType entityUrl! issuer
        samlIdpSLOBindingEnum:SamlIdpSLOBinding samlNameIdFormat:SamlNameIdFormatType
        samlSigningAlgoType:SamlSigningAlgoType samlSloUrl samlSubjectCustomAttr samlSubjectType!:SamlSubjectType""",
    "ConnectedAppSessionPolicy": "policyAction sessionLevel sessionTimeout:int",
    "ExternalClientApplication": """
        fullName contactEmail! contactPhone description distributionState:ExtlClntAppDistState iconUrl infoUrl
        isProtected:boolean label! logoUrl managedType:ExtlClntAppManagedType orgScopedExternalApp""",
    "ExtlClntAppGlobalOauthSettings": """
        fullName callbackUrl! certificate consumerKey consumerSecret externalClientApplication!
        idTokenConfig:ExternalAppIdTokenConfig isClientCredentialsFlowEnabled:boolean isCodeCredFlowEnabled:boolean
        isCodeCredPostOnly:boolean isConsumerSecretOptional:boolean isDPopEnabled:boolean isDeviceFlowEnabled:boolean
        isIntrospectAllTokens:boolean isNamedUserJwtEnabled:boolean isPkceRequired:boolean
        isRefreshTokenRotationEnabled:boolean isSecretRequiredForRefreshToken:boolean
        isSecretRequiredForTokenExchange:boolean isTokenExchangeEnabled:boolean label!
        shouldRotateConsumerKey:boolean shouldRotateConsumerSecret:boolean""",
    "ExternalAppIdTokenConfig": """
        idTokenAudience idTokenIncludeAttributes:boolean idTokenIncludeCustomPermissions:boolean
        idTokenIncludeStandardClaims:boolean idTokenValidityInMinutes:int""",
    "ExtlClntAppOauthSettings": """
        fullName areAttributesIncludedInAssetToken:boolean areCustomPermsIncludedInAssetToken:boolean
        assetTokenAudiences assetTokenSigningCertificate assetTokenValidity:int clientAssertionCertificate
        commaSeparatedCustomScopes commaSeparatedOauthScopes! customAttributes*:ExtlClntAppOauthSettingsAttribute
        externalClientApplication! isFirstPartyAppEnabled:boolean label! oauthLink singleLogoutUrl
        trustedIpRanges*:ExtlClntAppOauthIpRange""",
    "ExtlClntAppOauthSettingsAttribute": "formula! key!",
    "ExtlClntAppOauthPoliciesAttribute": "formula! key!",
    "ExtlClntAppOauthIpRange": "description endIpAddress! startIpAddress!",
    "ExtlClntAppOauthConfigurablePolicies": """
        fullName apexHandler clientCredentialsFlowUser commaSeparatedCustomScopes commaSeparatedPermissionSet
        commaSeparatedProfile customAttributes*:ExtlClntAppOauthPoliciesAttribute executeHandlerAs
        externalClientApplication!
        guestJwtSessionTimeoutType:JWTSessionTimeoutType guestJwtTimeout:int
        ipRelaxationPolicyType:IpRelaxationPolicyType isClientCredentialsFlowEnabled:boolean
        isGuestCodeCredFlowEnabled:boolean isTokenExchangeFlowEnabled:boolean label!
        namedUserJwtSessionTimeoutType:JWTSessionTimeoutType namedUserJwtTimeout:int
        permittedUsersPolicyType:PermittedUsersPolicyType policyAction:PolicyAction
        refreshTokenPolicyType:RefreshTokenPolicyType refreshTokenValidityPeriod:int refreshTokenValidityUnit
        requiredSessionLevel:SessionSecurityLevel sessionTimeoutInMinutes:int singleLogoutUrl startUrl""",
    "ExtlClntAppConfigurablePolicies": """
        fullName externalClientApplication! isCanvasPluginEnabled:boolean isEnabled!:boolean
        isMobilePluginEnabled:boolean isNotificationPluginEnabled:boolean isOauthPluginEnabled:boolean
        isPushPluginEnabled:boolean isSamlPluginEnabled:boolean label! startPage:ExtlClntAppStartPage startUrl""",
    "Package": """
        fullName apiAccessLevel description namespacePrefix packageType postInstallClass setupWeblinks* types*:PackageTypeMembers
        uninstallClass version!""",
    "PackageTypeMembers": "members* name!",
}
_ENUMS = {
    name: frozenset(values.split())
    for name, values in {
        "AccessMethod": "Get Post",
        "CanvasLocationOptions": "None Chatter UserProfile Visualforce Aura Publisher ChatterFeed ServiceDesk OpenCTI"
        " AppLauncher MobileNav PageLayout",
        "CanvasOptions": "HideShare HideHeader PersonalEnabled",
        "DevicePlatformType": "ios android",
        "DeviceType": "phone tablet minitablet",
        "ExtlClntAppDistState": "Local Packaged Managed AutoInstalled",
        "ExtlClntAppManagedType": "Local Global",
        "ExtlClntAppStartPage": "None Custom OAuth SAML",
        "IpRelaxationPolicyType": "Enforce Bypass Bypass_2factor Enforce_RelaxRefresh",
        "JWTSessionTimeoutType": "UserSession Custom",
        "PermittedUsersPolicyType": "AdminApprovedPreAuthorized AllSelfAuthorized",
        "PolicyAction": "Block RaiseSessionLevel",
        "RefreshTokenPolicyType": "Infinite SpecificInactivity SpecificLifetime Zero",
        "SamlEncryptionType": "AES_128 AES_256 Triple_Des",
        "SamlIdpSLOBinding": "RedirectBinding PostBinding",
        "SamlInitiationMethod": "None IdpInitiated SpInitiated",
        "SamlNameIdFormatType": "Unspecified EmailAddress Persistent Transient",
        "SamlSigningAlgoType": "SHA1 SHA256",
        "SamlSubjectType": "Username FederationId UserId SpokeId CustomAttribute PersistentId",
        "SessionSecurityLevel": "LOW STANDARD HIGH_ASSURANCE",
    }.items()
} | {"ConnectedAppOauthAccessScope": frozenset(SCOPES)}


@dataclass(frozen=True, slots=True)
class Field:
    """One element that a type may hold."""

    kind: str
    required: bool
    repeated: bool


def _fields(words: str) -> dict[str, Field]:
    found = {}
    for word in words.split():
        mark, _, kind = word.partition(":")
        found[mark.rstrip("!*")] = Field(kind or "string", mark.endswith("!"), mark.endswith("*"))
    return found


TYPES = {name: _fields(words) for name, words in _TYPES.items()}
"""Type name to its fields."""


class Invalid(ValueError):
    """What a metadata file is refused for, in Salesforce's words."""


def check(type_name: str, root: Element) -> None:
    """Hold an element, tags with their namespaces, against a type of the table. Raises Invalid.

    An element that the type does not know, one in another namespace, a value of the wrong kind, and a second element
    where one is allowed are refused; so is a repeated element that does not stand beside its likes.
    """
    fields, seen, last = TYPES[type_name], set[str](), ""
    if (root.text or "").strip() or any((child.tail or "").strip() for child in root):
        raise Invalid(f"Error parsing file: unexpected text at this location in type {type_name}")
    for child in root:
        name = child.tag.removeprefix(f"{{{METADATA_NAMESPACE}}}")
        if name not in fields or name == child.tag:
            raise _misplaced(child, type_name)
        if name in seen and not (fields[name].repeated and name == last):
            raise Invalid(
                f"Error parsing file: Element {name} is duplicated at this location in type {type_name}"
            )
        _check_value(fields[name].kind, child)
        seen.add(name)
        last = name
    for name, field in fields.items():
        if field.required and not any(_holds(child, name) for child in root):
            raise Invalid(f"Required field is missing: {name}")


def _misplaced(child: Element, type_name: str) -> Invalid:
    return Invalid(f"Error parsing file: Element {child.tag} invalid at this location in type {type_name}")


def _holds(child: Element, name: str) -> bool:
    return child.tag == f"{{{METADATA_NAMESPACE}}}{name}" and bool((child.text or "").strip() or len(child))


def _check_value(kind: str, element: Element) -> None:
    if kind in TYPES:
        check(kind, element)
        return
    for child in element:
        raise _misplaced(child, "string" if kind in {"string", "boolean", "int"} else kind)
    text = (element.text or "").strip()
    if element.get(_NIL) in {"true", "1"} or kind == "string":
        return
    if kind == "boolean" and text not in {"true", "false", "0", "1"}:
        raise Invalid(
            f"Error parsing file: '{text}' is not valid for type xsd:boolean, should be '0', '1', 'true' or 'false'"
        )
    if kind == "int" and not _INTEGER.fullmatch(text):
        raise Invalid(f"Error parsing file: '{text}' is not a valid value for the type xsd:int")
    if kind in _ENUMS and text not in _ENUMS[kind]:
        raise Invalid(f"Error parsing file: '{text}' is not a valid value for the enum '{kind}'")
