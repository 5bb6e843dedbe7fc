"""Apps of an org: the metadata as it was deployed, and what is read from it."""

from __future__ import annotations

import ipaddress
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rotator.sandbox.org.components import (
    APP_POLICIES,
    CONNECTED_APP,
    EXTERNAL_CLIENT_APP,
    GLOBAL_OAUTH,
    OAUTH_POLICIES,
    OAUTH_SETTINGS,
    flag,
    text_of,
    texts_of,
)
from rotator.sandbox.org.scopes import SCOPES
from rotator.sandbox.org.slots import Slot

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


@dataclass(slots=True)
class Document:
    """One component as the org keeps it: every element that was deployed, known to us or not."""

    full_name: str
    record_id: str
    root: Element
    created: Stamp
    modified: Stamp


@dataclass(frozen=True, slots=True)
class Stamp:
    """When something was done (elapsed seconds of the org's clock), and by whom."""

    at: float
    user_id: str
    user_name: str


@dataclass(slots=True)
class App:
    """An External Client App or a Connected App with its one certificate slot."""

    kind: str
    name: str
    consumer_key: str
    consumer_secret: str = field(repr=False)
    documents: dict[str, Document] = field(default_factory=dict)
    slot: Slot = field(default_factory=Slot)

    def draft(self) -> App:
        """A copy whose documents may be changed; slot and secrets stay shared with this app."""
        return replace(self, documents=deepcopy(self.documents))

    def root(self, kind: str) -> Element | None:
        document = self.documents.get(kind)
        return document.root if document else None

    @property
    def is_connected_app(self) -> bool:
        return self.kind == CONNECTED_APP

    @property
    def label(self) -> str:
        return text_of(self.root(self.kind), "label")

    @property
    def certificate_text(self) -> str:
        if self.is_connected_app:
            return text_of(self.root(CONNECTED_APP), "oauthConfig/certificate")
        return text_of(self.root(GLOBAL_OAUTH), "certificate")

    @property
    def scopes(self) -> list[str]:
        """The scopes as a token response names them."""
        if self.is_connected_app:
            named = texts_of(self.root(CONNECTED_APP), "oauthConfig/scopes")
        else:
            named = texts_of(self.root(OAUTH_SETTINGS), "commaSeparatedOauthScopes")
        return [SCOPES[name] for name in named if name in SCOPES]

    @property
    def admin_approved(self) -> bool:
        """Whether only users with the app's profiles and permission sets may use it."""
        if self.is_connected_app:
            return flag(self.root(CONNECTED_APP), "oauthConfig/isAdminApproved")
        return text_of(self.root(OAUTH_POLICIES), "permittedUsersPolicyType") == "AdminApprovedPreAuthorized"

    @property
    def profiles(self) -> set[str]:
        if self.is_connected_app:
            return set(texts_of(self.root(CONNECTED_APP), "profileName"))
        return set(texts_of(self.root(OAUTH_POLICIES), "commaSeparatedProfile"))

    @property
    def permission_sets(self) -> set[str]:
        if self.is_connected_app:
            return set(texts_of(self.root(CONNECTED_APP), "permissionSetName"))
        return set(texts_of(self.root(OAUTH_POLICIES), "commaSeparatedPermissionSet"))

    @property
    def blocked(self) -> bool:
        policies = self.root(APP_POLICIES)
        return policies is not None and not flag(policies, "isEnabled")

    @property
    def oauth_disabled(self) -> bool:
        """An External Client App's OAuth plugin is on unless a policy turns it off."""
        policies = self.root(APP_POLICIES)
        return text_of(policies, "isOauthPluginEnabled") in {"false", "0"}

    @property
    def relaxes_ip(self) -> bool:
        """Whether logins through this app pass over the IP ranges of the user's profile."""
        if self.is_connected_app:
            return text_of(self.root(CONNECTED_APP), "oauthPolicy/ipRelaxation").upper() == "BYPASS"
        return text_of(self.root(OAUTH_POLICIES), "ipRelaxationPolicyType").startswith("Bypass")

    @property
    def issues_jwt(self) -> bool:
        if self.is_connected_app:
            return flag(self.root(CONNECTED_APP), "oauthConfig/isNamedUserJwtEnabled")
        return flag(self.root(GLOBAL_OAUTH), "isNamedUserJwtEnabled")

    @property
    def introspects_all(self) -> bool:
        if self.is_connected_app:
            return flag(self.root(CONNECTED_APP), "oauthConfig/isIntrospectAllTokens")
        return flag(self.root(GLOBAL_OAUTH), "isIntrospectAllTokens")

    @property
    def session_minutes(self) -> int | None:
        """The app's own session timeout, where its policy sets one."""
        if self.is_connected_app:
            text = text_of(self.root(CONNECTED_APP), "sessionPolicy/sessionTimeout")
        else:
            text = text_of(self.root(OAUTH_POLICIES), "sessionTimeoutInMinutes")
        return int(text) if text.isdecimal() and int(text) else None

    @property
    def jwt_minutes(self) -> int | None:
        text = text_of(self.root(OAUTH_POLICIES), "namedUserJwtTimeout")
        return int(text) if text.isdecimal() and int(text) else None


@dataclass(slots=True)
class User:
    """A user of the org."""

    username: str
    user_id: str
    name: str
    active: bool = True
    profile: str = "Minimum Access - API Only Integrations"
    permission_sets: set[str] = field(default_factory=set)
    permissions: set[str] = field(default_factory=set)
    """System permissions, by the names of `permissions.py`."""
    login_ip_ranges: tuple[str, ...] = ()
    """Networks from which the profile allows logins; empty allows all."""

    def may_use(self, app: App) -> bool:
        """Whether an administrator approved the app for this user beforehand."""
        return self.profile in app.profiles or bool(self.permission_sets & app.permission_sets)

    def may_log_in_from(self, address: str) -> bool:
        return not self.login_ip_ranges or any(
            ipaddress.ip_address(address) in ipaddress.ip_network(network) for network in self.login_ip_ranges
        )


API_ENABLED = "ApiEnabled"
READ_ACCOUNTS = "ReadAccounts"
MODIFY_METADATA = "ModifyMetadata"
MODIFY_ALL_DATA = "ModifyAllData"
CUSTOMIZE_APPLICATION = "CustomizeApplication"
MANAGE_CONNECTED_APPS = "ManageConnectedApps"
MANAGE_EXTERNAL_CLIENT_APPS = "ManageExternalClientApps"
VIEW_APP_SECRETS = "ViewClientSecretsInMetadata"
MANAGE_PROFILES = "ManageProfilesPermissionsets"
MANAGE_USERS = "ManageUsers"
VIEW_SETUP = "ViewSetup"
PERMISSIONS = frozenset({
    API_ENABLED, READ_ACCOUNTS, MODIFY_METADATA, MODIFY_ALL_DATA, CUSTOMIZE_APPLICATION, MANAGE_CONNECTED_APPS,
    MANAGE_EXTERNAL_CLIENT_APPS, VIEW_APP_SECRETS, MANAGE_PROFILES, MANAGE_USERS, VIEW_SETUP,
})  # fmt: skip


def may_use_metadata(user: User) -> bool:
    """The permission Modify Metadata Through Metadata API Functions, or Modify All Data (Tooling DeployRequest reference)."""
    return bool(user.permissions & {MODIFY_METADATA, MODIFY_ALL_DATA})


def may_change(user: User, kind: str) -> bool:
    """Whether the user may deploy this kind of app (help 005132365 and 005197683)."""
    if kind == CONNECTED_APP:
        return CUSTOMIZE_APPLICATION in user.permissions and bool(
            user.permissions & {MODIFY_ALL_DATA, MANAGE_CONNECTED_APPS}
        )
    return {MANAGE_EXTERNAL_CLIENT_APPS, VIEW_APP_SECRETS} <= user.permissions


APP_KINDS = (CONNECTED_APP, EXTERNAL_CLIENT_APP)
