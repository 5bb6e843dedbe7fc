"""Reading metadata out of the org: list, file-based retrieve, and the documents as they are shown."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rotator.sandbox.org.apps import VIEW_APP_SECRETS, App, Document, User
from rotator.sandbox.org.certificates import read_certificate
from rotator.sandbox.org.components import (
    CONNECTED_APP,
    GLOBAL_OAUTH,
    TYPES,
    ComponentType,
    component_file,
    text_of,
)
from rotator.sandbox.org.packages import write_package

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from xml.etree.ElementTree import Element

    from rotator.sandbox.org.model import Org

SCOPES_LOSSY_FROM = 67
"""From this API version a retrieve leaves CustomPermissions out of the scopes of a Connected App."""


@dataclass(slots=True)
class Retrieve:
    """One file-based retrieve."""

    id: str
    username: str
    ends: float
    archive: bytes = field(repr=False)
    files: list[tuple[str, ComponentType, Document]]
    messages: list[tuple[str, str]]
    manifest_path: str


def documents(org: Org, type_name: str) -> Iterator[tuple[App, Document]]:
    for app in org.apps.values():
        if type_name in app.documents:
            yield app, app.documents[type_name]


def shown(org: Org, user: User, app: App, kind: ComponentType, api_version: int) -> Element:
    """A document as reading gives it: not always what was deployed."""
    root = deepcopy(app.documents[kind.name].root)
    if kind.name == CONNECTED_APP:
        oauth = root.find("oauthConfig")
        if oauth is not None:
            _show_keys(org, user, app, oauth, secret=False)
            if api_version >= SCOPES_LOSSY_FROM:
                for scope in [each for each in oauth.findall("scopes") if each.text == "CustomPermissions"]:
                    oauth.remove(scope)
    elif kind.name == GLOBAL_OAUTH:
        _show_keys(org, user, app, root, secret=True)
    return root


def _show_keys(org: Org, user: User, app: App, root: Element, *, secret: bool) -> None:
    certificate = root.find("certificate")
    if certificate is not None and (org.knobs.hide_certificate or not text_of(root, "certificate")):
        root.remove(certificate)
    elif certificate is not None:
        certificate.text = read_certificate(certificate.text or "").base64
    _add(root, "consumerKey", app.consumer_key)
    if secret and VIEW_APP_SECRETS in user.permissions:
        _add(root, "consumerSecret", app.consumer_secret)


def _add(root: Element, tag: str, text: str) -> None:
    element = root.makeelement(tag, {})
    element.text = text
    root.append(element)


def begin(
    org: Org, user: User, wanted: Mapping[str, set[str]], *, single_package: bool, api_version: int
) -> Retrieve:
    """Start a retrieve; what it gives is the org as it is now."""
    files: list[tuple[str, ComponentType, Document]] = []
    contents: list[tuple[str, bytes]] = []
    messages: list[tuple[str, str]] = []
    members: dict[str, list[str]] = {}
    folder = "" if single_package else "unpackaged/"
    for type_name, names in wanted.items():
        kind = TYPES.get(type_name)
        if kind is None:
            messages.append((f"{folder}package.xml", f"Entity type: '{type_name}' is unknown"))
            continue
        found = {document.full_name: (app, document) for app, document in documents(org, type_name)}
        for name in sorted(found if "*" in names else names & set(found)):
            app, document = found[name]
            path = f"{kind.folder}/{name}.{kind.suffix}"
            files.append((folder + path, kind, document))
            contents.append((path, component_file(kind, shown(org, user, app, kind, api_version))))
            members.setdefault(type_name, []).append(name)
        messages += [
            (f"{folder}package.xml", f"Entity of type '{type_name}' named '{name}' cannot be found")
            for name in sorted(names - set(found) - {"*"})
        ]
    archive = write_package(contents, members, f"{api_version}.0", folder)
    retrieve = Retrieve(
        org.ids.next("09S"),
        user.username,
        org.elapsed() + org.knobs.retrieve_seconds,
        archive,
        files,
        messages,
        f"{folder}package.xml",
    )
    org.retrieves[retrieve.id] = retrieve
    return retrieve
