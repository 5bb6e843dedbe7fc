"""The metadata files of a new app, ready to be deployed, and what is left for a person to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from rotator.files import write_files
from rotator.salesforce.appfiles import App, AppKind
from rotator.salesforce.appxml import NAMESPACE, certificate_der, certificate_pem_of
from rotator.salesforce.packages import (
    CONNECTED_APP,
    GLOBAL_OAUTH,
    HEADER,
    OAUTH,
    OAUTH_POLICIES,
    POLICIES,
    FileType,
    manifest,
)

CALLBACK_URL: Final = "https://login.salesforce.com/services/oauth2/success"
"""Every app must name one; the JWT bearer flow never goes there."""

_PERMISSION_SET = """\
In Setup, Permission Sets: make {permission_set} if it is not there, with {permissions}.
   Assign it to {users}."""
_OF_USERS: Final = '"API Enabled" and Read on Account'
_OF_DEPLOYERS: Final = """\
"API Enabled", Read on Account,
   "Customize Application" and "Modify Metadata Through Metadata API Functions"; for External Client Apps also
   "Create, edit, and delete External Client Apps", "View External Client Apps Consumer Secrets in Metadata",
   and "View all External Client Apps, view their settings, and edit their policies\""""
_SECRETS_ALLOWED = """\
In Setup, External Client Apps, Settings: turn on "Allow Access to OAuth Consumer Secrets via Metadata API",
   if your org still has that switch. Where it is off the certificate can be renewed by hand alone."""
_CONNECTED_APP_ALLOWED = """\
Since Spring '26 new Connected Apps have to be allowed by Salesforce Customer Support. Take an External Client App
   unless this one exists already."""
_DEPLOY = """\
Deploy {names}, as a user who may customize the application:
     sf project deploy start --metadata-dir {directory} --single-package --target-org <alias>"""
_EXTERNAL_CLIENT_APP_KEY = """\
In Setup, External Client App Manager: open {name}, select Settings, OAuth Settings,
   Consumer Key and Secret, and copy the consumer key. Look at Policies, too: Permitted Users must be pre-authorized."""
_CONNECTED_APP_KEY = """\
In Setup, App Manager: open the menu in the row of {name}, select View, then Manage Consumer Details,
   and copy the consumer key."""
_WRITE = """\
Write each consumer key into the configuration: `consumer_key` of {credentials}.
   The consumer secret is not needed. Then have the daemon read it: systemctl reload rotator."""
_WAIT = """\
Wait until a new app has reached all servers of the org (2 to 30 minutes). The daemon keeps trying and tells when
   a key pair is proved; `rotator deployed {names} --wait` makes it look at once."""

_ALLOWED: Final = {
    AppKind.CONNECTED_APP: _CONNECTED_APP_ALLOWED,
    AppKind.EXTERNAL_CLIENT_APP: _SECRETS_ALLOWED,
}
_KEY: Final = {
    AppKind.CONNECTED_APP: _CONNECTED_APP_KEY,
    AppKind.EXTERNAL_CLIENT_APP: _EXTERNAL_CLIENT_APP_KEY,
}

Field = tuple[str, "str | tuple[Field, ...]"]


@dataclass(frozen=True, slots=True)
class NewApp:
    """An app that is to be made.

    Attributes:
        credential: its name in the configuration.
        usernames: those who use the app.
        deploys: they bring certificates in, for this credential or others.
        permission_set: API name of the permission set whose users may use the app without being asked.
        contact_email: whom Salesforce writes to about the app.
    """

    credential: str
    usernames: tuple[str, ...]
    app: App
    certificate_pem: str
    permission_set: str
    contact_email: str
    deploys: bool = False
    api_version: str = "66.0"

    @property
    def label(self) -> str:
        """The name that people see."""
        return self.app.name.replace("_", " ")


def app_files(apps: Sequence[NewApp]) -> dict[str, bytes]:
    """Return one package.xml and the files of all these apps, by path.

    An External Client App takes five: without its two policies everybody may authorise it for himself, which a
    server can't do (the default is AllSelfAuthorized). The scope RefreshToken is demanded for the JWT bearer flow.
    """
    files: dict[str, bytes] = {}
    members: dict[str, list[str]] = {}
    for new in apps:
        for kind, name, fields in _components(new):
            files[f"{kind.folder}/{name}.{kind.suffix}"] = _document(kind.name, fields)
            members.setdefault(kind.name, []).append(name)
    return {"package.xml": manifest(members, max(new.api_version for new in apps)), **files}


def write_app_files(apps: Sequence[NewApp], directory: Path) -> list[Path]:
    """Write the files of some apps into a folder, which is made, and return their paths.

    Raises Misconfigured when a file is there already with other content: it may have been edited.
    """
    files = {directory / path: content for path, content in app_files(apps).items()}
    write_files(files, code="salesforce.metadata.directory")
    return list(files)


def checklist(apps: Sequence[NewApp], directory: Path) -> str:
    """Return what a person has to do so that these apps serve: deploy, pre-authorise, copy the consumer keys."""
    credentials = [new.credential for new in apps]
    steps = (
        *_permission_sets(apps),
        *dict.fromkeys(_ALLOWED[new.app.kind] for new in apps),
        _DEPLOY.format(names=_and([new.app.name for new in apps]), directory=directory),
        *(
            _KEY[kind].format(name=_and([new.app.name for new in apps if new.app.kind is kind]))
            for kind in dict.fromkeys(new.app.kind for new in apps)
        ),
        _WRITE.format(credentials=_and(credentials)),
        _WAIT.format(names=" ".join(credentials)),
    )
    return "".join(f"{number}. {step}\n" for number, step in enumerate(steps, 1))


def _permission_sets(apps: Sequence[NewApp]) -> Iterator[str]:
    for name in dict.fromkeys(new.permission_set for new in apps):
        own = [new for new in apps if new.permission_set == name]
        yield _PERMISSION_SET.format(
            permission_set=name,
            permissions=_OF_DEPLOYERS if any(new.deploys for new in own) else _OF_USERS,
            users=", ".join(dict.fromkeys(user for new in own for user in new.usernames)),
        )


def _and(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _components(new: NewApp) -> list[tuple[FileType, str, tuple[Field, ...]]]:
    return _connected_app(new) if new.app.kind is AppKind.CONNECTED_APP else _external_client_app(new)


def _external_client_app(new: NewApp) -> list[tuple[FileType, str, tuple[Field, ...]]]:
    name = new.app.name
    belongs: Field = ("externalClientApplication", name)
    return [
        (HEADER, name, (
            ("contactEmail", new.contact_email),
            ("distributionState", "Local"),
            ("isProtected", "false"),
            ("label", new.label),
        )),
        (GLOBAL_OAUTH, f"{name}_glbloauth", (
            ("callbackUrl", CALLBACK_URL),
            ("certificate", certificate_pem_of(certificate_der(new.certificate_pem))),
            belongs,
            ("isConsumerSecretOptional", "false"),
            ("isIntrospectAllTokens", "false"),
            ("isPkceRequired", "true"),
            ("isSecretRequiredForRefreshToken", "true"),
            ("label", f"{name}_glbloauth"),
            ("shouldRotateConsumerKey", "false"),
            ("shouldRotateConsumerSecret", "false"),
        )),
        (OAUTH, f"{name}_oauth", (
            ("commaSeparatedOauthScopes", "Api, RefreshToken"),
            belongs,
            ("label", f"{name}_oauth"),
        )),
        (OAUTH_POLICIES, f"{name}_oauthPlcy", (
            ("commaSeparatedPermissionSet", new.permission_set),
            belongs,
            ("ipRelaxationPolicyType", "Enforce"),
            ("label", f"{name}_oauthPlcy"),
            ("permittedUsersPolicyType", "AdminApprovedPreAuthorized"),
            ("refreshTokenPolicyType", "Zero"),
        )),
        (POLICIES, f"{name}_plcy", (
            belongs,
            ("isEnabled", "true"),
            ("isOauthPluginEnabled", "true"),
            ("label", f"{name}_plcy"),
        )),
    ]  # fmt: skip


def _connected_app(new: NewApp) -> list[tuple[FileType, str, tuple[Field, ...]]]:
    return [(CONNECTED_APP, new.app.name, (
        ("contactEmail", new.contact_email),
        ("label", new.label),
        ("oauthConfig", (
            ("callbackUrl", CALLBACK_URL),
            ("certificate", certificate_pem_of(certificate_der(new.certificate_pem))),
            ("isAdminApproved", "true"),
            ("isConsumerSecretOptional", "false"),
            ("isIntrospectAllTokens", "false"),
            ("isSecretRequiredForRefreshToken", "true"),
            ("scopes", "Api"),
            ("scopes", "RefreshToken"),
        )),
        ("oauthPolicy", (("ipRelaxation", "ENFORCE"), ("refreshTokenPolicy", "zero"))),
        ("permissionSetName", new.permission_set),
    ))]  # fmt: skip


def _document(kind: str, fields: tuple[Field, ...]) -> bytes:
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<{kind} xmlns="{NAMESPACE}">\n'
    return f"{head}{_xml(fields, '    ')}</{kind}>\n".encode()


def _xml(fields: tuple[Field, ...], pad: str) -> str:
    return "".join(
        f"{pad}<{name}>{escape(value)}</{name}>\n"
        if isinstance(value, str)
        else f"{pad}<{name}>\n{_xml(value, pad + '    ')}{pad}</{name}>\n"
        for name, value in fields
    )
