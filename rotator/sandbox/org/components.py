"""The metadata types of an app: their folders and file suffixes, and their XML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from defusedxml import ElementTree, common

from rotator.sandbox.org.schema import METADATA_NAMESPACE, Invalid, check

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from xml.etree.ElementTree import Element

CONNECTED_APP = "ConnectedApp"
EXTERNAL_CLIENT_APP = "ExternalClientApplication"
GLOBAL_OAUTH = "ExtlClntAppGlobalOauthSettings"
OAUTH_SETTINGS = "ExtlClntAppOauthSettings"
OAUTH_POLICIES = "ExtlClntAppOauthConfigurablePolicies"
APP_POLICIES = "ExtlClntAppConfigurablePolicies"


@dataclass(frozen=True, slots=True)
class ComponentType:
    """One metadata type: where its files lie. What they may hold stands in `schema`."""

    name: str
    folder: str
    suffix: str
    id_prefix: str


TYPES = {
    kind.name: kind
    for kind in (
        ComponentType(CONNECTED_APP, "connectedApps", "connectedApp", "0H4"),
        ComponentType(EXTERNAL_CLIENT_APP, "externalClientApps", "eca", "0xI"),
        ComponentType(GLOBAL_OAUTH, "extlClntAppGlobalOauthSets", "ecaGlblOauth", "0tG"),
        ComponentType(OAUTH_SETTINGS, "extlClntAppOauthSettings", "ecaOauth", "0tS"),
        ComponentType(OAUTH_POLICIES, "extlClntAppOauthPolicies", "ecaOauthPlcy", "0tP"),
        ComponentType(APP_POLICIES, "extlClntAppPolicies", "ecaPlcy", "0tC"),
    )
}


class BadComponent(Exception):
    """A metadata file that the org does not take; the text goes into the deploy result."""


def local_name(tag: str) -> str:
    return tag.rpartition("}")[2]


def parse_component(kind: ComponentType, content: bytes) -> Element:
    """The root element of a metadata file, tags without namespace.

    Raises BadComponent for what is not well-formed, of another type or namespace, or does not fit the schema.
    """
    try:
        root: Element = ElementTree.fromstring(content)
    except (ElementTree.ParseError, common.DefusedXmlException, ValueError) as problem:
        raise BadComponent(f"Error parsing file: {problem}") from None
    if root.tag != f"{{{METADATA_NAMESPACE}}}{kind.name}":
        raise BadComponent(
            f"Error parsing file: Element {root.tag} invalid at this location in type {kind.name}"
        )
    try:
        check(kind.name, root)
    except Invalid as problem:
        raise BadComponent(str(problem)) from None
    for element in root.iter():
        element.tag = local_name(element.tag)
    return root


def text_of(root: Element | None, path: str) -> str:
    """The text at `path`, stripped; empty when it is not there."""
    return ((root.findtext(path) if root is not None else None) or "").strip()


def flag(root: Element | None, path: str) -> bool:
    return text_of(root, path) in {"true", "1"}


def texts_of(root: Element | None, path: str) -> list[str]:
    """Every text at `path`, split at commas as the commaSeparated... elements want it."""
    found = root.findall(path) if root is not None else []
    return [part.strip() for element in found for part in (element.text or "").split(",") if part.strip()]


def inner_xml(root: Element, depth: int = 0) -> str:
    """The children of `root` as indented XML, in alphabetical order as Salesforce gives them."""
    return "".join(_lines(sorted(root, key=lambda child: child.tag), depth))


def _lines(children: Iterable[Element], depth: int) -> Iterator[str]:
    pad = "    " * depth
    for child in children:
        if len(child):
            yield f"{pad}<{child.tag}>\n{inner_xml(child, depth + 1)}{pad}</{child.tag}>\n"
        else:
            yield f"{pad}<{child.tag}>{escape((child.text or '').strip())}</{child.tag}>\n"


def component_file(kind: ComponentType, root: Element) -> bytes:
    """A metadata file as a retrieve puts it into its zip."""
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<{kind.name} xmlns="{METADATA_NAMESPACE}">\n'
    return f"{head}{inner_xml(root, 1)}</{kind.name}>\n".encode()


def xml_of(values: Mapping[str, Any]) -> str:
    """Nested values as elements; None is left out, a list repeats its element."""
    parts = []
    for name, value in values.items():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict):
                parts.append(f"<{name}>{xml_of(each)}</{name}>")
            elif each is not None:
                text = str(each).lower() if isinstance(each, bool) else escape(str(each))
                parts.append(f"<{name}>{text}</{name}>")
    return "".join(parts)
