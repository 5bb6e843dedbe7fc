"""The metadata files of one app: which they are, the certificate among them, and the package that a deploy takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from rotator.errors import Misconfigured, Rejected
from rotator.salesforce import appxml
from rotator.salesforce.packages import (
    CONNECTED_APP,
    GLOBAL_OAUTH,
    HEADER,
    OAUTH,
    FileType,
    manifest,
    member,
    plain,
    type_of,
    zipped,
)


class AppKind(StrEnum):
    """The two kinds of app that hold a certificate for the JWT bearer flow."""

    EXTERNAL_CLIENT_APP = "external_client_app"
    CONNECTED_APP = "connected_app"


@dataclass(frozen=True, slots=True)
class App:
    """The app in whose slot the certificate stands.

    Attributes:
        name: its API name (developer name).
        consumer_key: a file that shows another one is not of this app.
    """

    kind: AppKind
    name: str
    consumer_key: str | None = None


PARTS: Final[Mapping[AppKind, tuple[FileType, ...]]] = {
    # The global OAuth settings hold the certificate and are not deployable alone. The policies stay out: what a
    # package does not hold, it can't change.
    AppKind.EXTERNAL_CLIENT_APP: (HEADER, GLOBAL_OAUTH, OAUTH),
    AppKind.CONNECTED_APP: (CONNECTED_APP,),
}
SLOT: Final[Mapping[AppKind, tuple[FileType, tuple[str, ...]]]] = {
    AppKind.EXTERNAL_CLIENT_APP: (GLOBAL_OAUTH, ("certificate",)),
    AppKind.CONNECTED_APP: (CONNECTED_APP, ("oauthConfig", "certificate")),
}
_NAMED = 3  # files that a message names at the most
_PREAUTHORISED = (("permissionSetName",), ("profileName",))


@dataclass(frozen=True, slots=True)
class AppFiles:
    """The files of one app, as they were read, by their paths in a package.

    They may hold the consumer secret and are not shown.
    """

    app: App
    api_version: str
    files: Mapping[str, bytes] = field(repr=False)

    def certificate_der(self) -> bytes | None:
        """Return the certificate in the slot; None if there is none to be seen. Raises Rejected if it can't be read."""
        element = appxml.one(appxml.elements(self._slot_file()[1]), SLOT[self.app.kind][1])
        if element is None or not element.text.strip():
            return None
        try:
            return appxml.certificate_der(element.text)
        except ValueError:
            return None

    def with_certificate(self, certificate_pem: str) -> AppFiles:
        """Return the files with this certificate in the slot, every other element byte for byte as it was.

        Consumer key and secret of a Connected App are left out: they can be given at its creation only ("You cannot
        provide a Consumer Key"), and leaving them out keeps them.

        Raises Rejected for files that hold no place for the certificate (to leave it out would clear the slot, as
        every element that a deploy leaves out), would change anything else, or are of another app.
        """
        path, xml = self._slot_file()
        found = appxml.elements(xml)
        _refuse_other_changes(self.app, found)
        element = appxml.one(found, SLOT[self.app.kind][1])
        if element is None:
            raise Rejected(
                f"the metadata of {self.app.name} shows no certificate; deploying it could clear more than it sets",
                code="salesforce.metadata.no_certificate",
                hint="The app has no certificate yet, or it can't be read. Put one in by hand once, or keep the "
                "app's metadata files with an element <certificate> (deploy.source.directory).",
            )
        changed = appxml.replace_text(xml, element, appxml.certificate_like(element.text, certificate_pem))
        if self.app.kind is AppKind.CONNECTED_APP:
            keys = {("oauthConfig", "consumerKey"), ("oauthConfig", "consumerSecret")}
            changed = appxml.without(changed, (e for e in appxml.elements(changed) if e.path[1:] in keys))
        return replace(self, files={**self.files, path: changed})

    def package(self) -> bytes:
        """Return the zip that a deploy takes: package.xml and the files, at the root."""
        members: dict[str, list[str]] = {}
        for path in self.files:
            kind = type_of(path)
            if kind is not None:
                members.setdefault(kind.name, []).append(member(path))
        return zipped({"package.xml": manifest(members, self.api_version), **self.files})

    def _slot_file(self) -> tuple[str, bytes]:
        folder = SLOT[self.app.kind][0].folder
        return next((path, xml) for path, xml in self.files.items() if path.startswith(f"{folder}/"))


def _refuse_other_changes(app: App, found: list[appxml.Element]) -> None:
    """Raise Rejected for files whose deploy would change more than the certificate."""
    inside = SLOT[app.kind][1][:-1]
    for name in ("shouldRotateConsumerKey", "shouldRotateConsumerSecret"):
        if appxml.text_of(found, (*inside, name)) in {"true", "1"}:
            raise Rejected(
                f"the metadata of {app.name} asks for new consumer credentials ({name})",
                code="salesforce.metadata.rotates_consumer",
                hint=f"Set {name} to false: a new consumer key would lock out every user of the app.",
            )
    shown = appxml.text_of(found, (*inside, "consumerKey"))
    if app.consumer_key and shown and shown != app.consumer_key:
        raise Rejected(
            f"the metadata of {app.name} shows another consumer key than the configuration",
            code="salesforce.metadata.other_consumer_key",
            hint="Check `consumer_key` and `app.name`; was the app made anew?",
        )
    for element in found:
        if element.path[1:] in _PREAUTHORISED and not element.text.strip():
            raise Rejected(
                f"the metadata of {app.name} holds an empty {element.path[-1]}, which would end its pre-authorisation",
                code="salesforce.metadata.ends_preauthorisation",
                hint="Take the empty element out of the file, or pre-authorise a permission set again.",
            )


def select(app: App, files: Mapping[str, bytes], api_version: str) -> AppFiles:
    """Return the files of one app out of many (paths as in a package, or as in a Salesforce DX project).

    Components of an External Client App are found by the app that they name: their own names can't be predicted.
    Raises Misconfigured when a part is missing or there twice, Rejected for files that can't be read safely.
    """
    chosen: dict[str, bytes] = {}
    for kind in PARTS[app.kind]:
        candidates = {path: xml for path, xml in files.items() if type_of(plain(path)) is kind}
        ours = [path for path, xml in candidates.items() if belongs(app, kind, path, xml)]
        if not ours:
            said = f"no metadata file of type {kind.name} is of the app {app.name} (of {len(candidates)})"
            raise Misconfigured(said, code="salesforce.metadata.incomplete", hint=_INCOMPLETE)
        if len(ours) > 1:
            said = f"{len(ours)} metadata files of type {kind.name} are of the app {app.name}: {', '.join(ours[:_NAMED])}"
            raise Misconfigured(said, code="salesforce.metadata.incomplete", hint=_TWICE)
        chosen[plain(ours[0])] = candidates[ours[0]]
    return AppFiles(app, api_version, chosen)


_TWICE = "Keep the one that is right; where there are two, nobody can tell which would be deployed."
_INCOMPLETE = (
    "Check `app.name` and `app.type`; a packaged app keeps its global settings in the org that it comes from. The "
    'deployer needs "View External Client Apps Consumer Secrets in Metadata" and "View all External Client Apps", '
    'and the org the setting "Allow Access to OAuth Consumer Secrets via Metadata API".'
)


def belongs(app: App, kind: FileType, path: str, xml: bytes) -> bool:
    """Tell whether a file of a type is of this app."""
    if kind in (HEADER, CONNECTED_APP):
        return member(plain(path)) == app.name
    return appxml.text_of(appxml.elements(xml), ("externalClientApplication",)) == app.name
