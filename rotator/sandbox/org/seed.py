"""The standard fleet's org: two apps to rotate, and the app of their deployer."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from rotator.sandbox.org.apps import (
    API_ENABLED,
    CUSTOMIZE_APPLICATION,
    MANAGE_CONNECTED_APPS,
    MANAGE_EXTERNAL_CLIENT_APPS,
    MANAGE_USERS,
    MODIFY_METADATA,
    READ_ACCOUNTS,
    VIEW_APP_SECRETS,
    VIEW_SETUP,
    App,
    Document,
    Stamp,
)
from rotator.sandbox.org.clock import utc_now
from rotator.sandbox.org.components import (
    APP_POLICIES,
    CONNECTED_APP,
    EXTERNAL_CLIENT_APP,
    GLOBAL_OAUTH,
    OAUTH_POLICIES,
    OAUTH_SETTINGS,
    TYPES,
    parse_component,
    xml_of,
)
from rotator.sandbox.org.model import Org
from rotator.sandbox.org.schema import METADATA_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from rotator.sandbox.org.knobs import Knobs

ACME, GLOBEX, DEPLOYER = "Rotator_Acme", "Rotator_Globex", "Rotator_Deployer"
USERS = {
    ACME: ("integration@acme.example", "reports@acme.example"),
    GLOBEX: ("integration@globex.example",),
    DEPLOYER: ("deployer@acme.example",),
}
PERMISSION_SET = "Rotator_Integration"
DEPLOYER_PERMISSION_SET = "Rotator_Deployer"
CONTACT, DESCRIPTION = "admin@acme.example", "Reads accounts & writes none"
_CHILD_NAMES = {
    GLOBAL_OAUTH: "_glbloauth",
    OAUTH_SETTINGS: "_oauth",
    OAUTH_POLICIES: "_oauthPlcy",
    APP_POLICIES: "_plcy",
}
CALLBACK_URL = "https://login.salesforce.com/services/oauth2/success"


def seed_org(
    certificates: Mapping[str, str] | None = None,
    *,
    name: str = "Acme",
    accounts: int = 5,
    apps: bool = True,
    is_sandbox: bool = False,
    knobs: Knobs | None = None,
    clock_source: Callable[[], datetime] = utc_now,
) -> Org:
    """An org with the apps Rotator_Acme (External Client App), Rotator_Globex and Rotator_Deployer (Connected Apps).

    `certificates` maps app names to the PEM that is in their slots from the beginning; an app that
    is not named has none. The deployer may change both apps. Without `apps` there are their users and
    permission sets alone. Ids and consumer keys follow from the seed among the knobs and from `name`, which
    tells several orgs apart.
    """
    pems = dict(certificates or {})

    def populate(org: Org) -> None:
        _add_users(org)
        if apps:
            add_external_client_app(org, ACME, pems.get(ACME, ""))
            add_connected_app(org, GLOBEX, pems.get(GLOBEX, ""), PERMISSION_SET)
            add_connected_app(org, DEPLOYER, pems.get(DEPLOYER, ""), DEPLOYER_PERMISSION_SET)
        add_accounts(org, accounts)

    return Org(populate, name=name, is_sandbox=is_sandbox, knobs=knobs, clock_source=clock_source)


def _add_users(org: Org) -> None:
    for username in (*USERS[ACME], *USERS[GLOBEX]):
        org.add_user(
            username, permission_sets={PERMISSION_SET}, permissions={API_ENABLED, READ_ACCOUNTS, VIEW_SETUP}
        )
    for username in USERS[DEPLOYER]:
        org.add_user(
            username,
            permission_sets={DEPLOYER_PERMISSION_SET},
            permissions={
                API_ENABLED, READ_ACCOUNTS, MODIFY_METADATA, CUSTOMIZE_APPLICATION, MANAGE_CONNECTED_APPS,
                MANAGE_EXTERNAL_CLIENT_APPS, VIEW_APP_SECRETS, MANAGE_USERS, VIEW_SETUP,
            },
        )  # fmt: skip


def add_connected_app(org: Org, name: str, pem: str, permission_set: str) -> App:
    """A Connected App, pre-authorised for a permission set, with elements that no rotation may lose."""
    oauth = {
        "callbackUrl": CALLBACK_URL,
        "certificate": pem or None,
        "isAdminApproved": True,
        "isConsumerSecretOptional": False,
        "scopes": ["Api", "RefreshToken"],
    }
    settings = {
        "contactEmail": CONTACT,
        "description": DESCRIPTION,
        "label": name.replace("_", " "),
        "oauthConfig": oauth,
        "oauthPolicy": {"ipRelaxation": "ENFORCE", "refreshTokenPolicy": "infinite"},
        "permissionSetName": permission_set,
    }
    return _add(org, CONNECTED_APP, name, {CONNECTED_APP: (name, settings)})


def add_external_client_app(org: Org, name: str, pem: str) -> App:
    """An External Client App of five components, whose names follow no rule, as in real orgs."""
    settings: dict[str, dict[str, object]] = {
        EXTERNAL_CLIENT_APP: {
            "contactEmail": CONTACT,
            "description": DESCRIPTION,
            "distributionState": "Local",
            "isProtected": False,
            "orgScopedExternalApp": f"{org.org_id}:{name}",
        },
        GLOBAL_OAUTH: {
            "callbackUrl": CALLBACK_URL,
            "certificate": pem or None,
            "isConsumerSecretOptional": False,
            "isDPopEnabled": False,
            "isIntrospectAllTokens": False,
            "isPkceRequired": True,
            "isSecretRequiredForRefreshToken": True,
            "shouldRotateConsumerKey": False,
            "shouldRotateConsumerSecret": False,
        },
        OAUTH_SETTINGS: {
            "commaSeparatedOauthScopes": "Api, RefreshToken",
            "isFirstPartyAppEnabled": False,
            "oauthLink": f"{org.org_id}:{org.ids.next('888')}",
        },
        OAUTH_POLICIES: {
            "commaSeparatedPermissionSet": PERMISSION_SET,
            "ipRelaxationPolicyType": "Enforce",
            "permittedUsersPolicyType": "AdminApprovedPreAuthorized",
            "refreshTokenPolicyType": "Infinite",
        },
        APP_POLICIES: {"isEnabled": True, "isOauthPluginEnabled": True},
    }
    contents = {
        EXTERNAL_CLIENT_APP: (name, settings.pop(EXTERNAL_CLIENT_APP) | {"label": name.replace("_", " ")})
    }
    for type_name, elements in settings.items():
        full_name = name + _CHILD_NAMES[type_name]
        contents[type_name] = (full_name, elements | {"externalClientApplication": name, "label": full_name})
    return _add(org, EXTERNAL_CLIENT_APP, name, contents)


def _add(org: Org, kind: str, name: str, contents: Mapping[str, tuple[str, Mapping[str, object]]]) -> App:
    app, maker = org.new_app(kind, name), next(iter(org.users.values()))
    stamp = Stamp(org.elapsed(), maker.user_id, maker.name)
    for type_name, (full_name, elements) in contents.items():
        component = TYPES[type_name]
        text = f'<{type_name} xmlns="{METADATA_NAMESPACE}">{xml_of(elements)}</{type_name}>'
        app.documents[type_name] = Document(
            full_name,
            org.ids.next(component.id_prefix),
            parse_component(component, text.encode()),
            stamp,
            stamp,
        )
    org.apps[kind, name] = app
    org.install(app, org.elapsed(), at_once=True)
    return app


def add_accounts(org: Org, count: int) -> None:
    """So many Accounts more, with numbers that go on from those that are there."""
    first, last = len(org.accounts) + 1, len(org.accounts) + count
    now = org.clock.wall()
    owner = next(iter(org.users.values())).user_id
    for number in range(first, last + 1):
        made = now - timedelta(days=last - number)
        org.accounts.append({
            "Id": org.ids.next("001"), "Name": f"Account {number}", "Type": "Customer", "Industry": "Energy",
            "Phone": None, "Website": None, "NumberOfEmployees": 10 * number, "IsDeleted": False, "OwnerId": owner,
            "CreatedDate": made, "LastModifiedDate": made, "SystemModstamp": made,
        })  # fmt: skip
