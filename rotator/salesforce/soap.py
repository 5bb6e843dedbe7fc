"""The SOAP face of the Metadata API: what components there are, their files, and settings.

Deploys go by REST; but files can be listed and retrieved by SOAP alone. A fault is told apart from a missing app and
from a dead session: below version 68 SOAP refuses JWT-format tokens, that REST takes, with INVALID_SESSION_ID.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from rotator.errors import Misconfigured, RotatorError, SessionDead, Transient
from rotator.salesforce.appxml import MOST_DEPTH, lavishness
from rotator.salesforce.http import Reply, Wire
from rotator.salesforce.refusal_table import SESSION_ENDS, STATUS_PAGE
from rotator.salesforce.rest import Org
from rotator.secret import Secret
from rotator.show.quoting import quote

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

JWT_FROM: Final = 68
"""The first API version whose SOAP takes JWT-format access tokens (jsforce pull request 1817)."""

_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope'
    ' xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="http://soap.sforce.com/2006/04/metadata">'
    "<soapenv:Header><SessionHeader><sessionId>{session}</sessionId></SessionHeader></soapenv:Header>"
    "<soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
)
_NO_JWT = "salesforce.soap.jwt"
_NAME = re.compile(r"[A-Za-z_]{1,64}")  # of a fault; a code of ours is made of it
_MOST_BYTES = 24 << 20  # a retrieved zip travels as base64
_MOST_ELEMENTS = 100_000  # a list of components has about ten for each
_PERMISSIONS = (
    "The deployer needs API Enabled, Modify Metadata Through Metadata API Functions and Customize Application; for "
    'External Client Apps also "View External Client Apps Consumer Secrets in Metadata" and "View all External '
    'Client Apps, view their settings, and edit their policies".'
)
_AGAIN = {"REQUEST_LIMIT_EXCEEDED", "SERVER_UNAVAILABLE", "EXCEEDED_ID_LIMIT", "UNKNOWN_EXCEPTION",
          "UNABLE_TO_LOCK_ROW", "INVALID_CROSS_REFERENCE_KEY"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Component:
    """One component of the org (FileProperties)."""

    kind: str
    full_name: str


@dataclass(frozen=True, slots=True)
class Retrieved:
    """The end of a retrieve. ``archive`` is a zip."""

    archive: bytes
    messages: tuple[str, ...]

    def __repr__(self) -> str:  # the zip may hold consumer secrets
        return f"Retrieved({len(self.archive)} bytes, {self.messages!r})"


def list_metadata(wire: Wire, org: Org, kinds: Iterable[str]) -> list[Component]:
    """Return the components of up to three types that the user may see.

    An empty list says as little about what the org holds as a 404 behind a login: permissions hide components.
    """
    queries = "".join(f"<queries><type>{escape(kind)}</type></queries>" for kind in kinds)
    version = f"<asOfVersion>{escape(org.api_version or '')}</asOfVersion>"
    answer = _call(wire, org, f"<listMetadata>{queries}{version}</listMetadata>")
    return [Component(_text(row, "type"), _text(row, "fullName")) for row in _all(answer, "result")]


def start_retrieve(wire: Wire, org: Org, members: Mapping[str, Iterable[str]], version: str) -> str:
    """Start a file-based retrieve of components, by type, and return its id.

    ``version``: of the API, whose format the files are to have.
    """
    version = escape(version)
    types = "".join(
        f"<types>{''.join(f'<members>{escape(name)}</members>' for name in names)}<name>{escape(kind)}</name></types>"
        for kind, names in members.items()
    )
    answer = _call(
        wire,
        org,
        f"<retrieve><retrieveRequest><apiVersion>{version}</apiVersion><singlePackage>true</singlePackage>"
        f"<unpackaged>{types}<version>{version}</version></unpackaged></retrieveRequest></retrieve>",
    )
    retrieve_id = _text(answer, "result/id")
    if not retrieve_id:
        raise _unreadable("retrieve")
    return retrieve_id


def check_retrieve(wire: Wire, org: Org, retrieve_id: str) -> Retrieved | None:
    """Return what a retrieve brought; None while it is under way. Its zip can be fetched once."""
    answer = _call(
        wire,
        org,
        f"<checkRetrieveStatus><asyncProcessId>{escape(retrieve_id)}</asyncProcessId>"
        "<includeZip>true</includeZip></checkRetrieveStatus>",
    )
    if _text(answer, "result/done") != "true":
        return None
    messages = tuple(quote(_text(row, "problem")) for row in _all(answer, "result/messages"))
    if _text(answer, "result/success") != "true":
        said = _text(answer, "result/errorMessage") or _text(answer, "result/status")
        raise Transient(
            f"the org could not retrieve the metadata: {quote(said)}",
            code="salesforce.soap.retrieve",
            hint="It is asked again. If it lasts, check the permissions of the deployer. " + _PERMISSIONS,
        )
    try:
        archive = base64.b64decode("".join(_text(answer, "result/zipFile").split()), validate=True)
    except ValueError:  # no base64, or not even ASCII
        raise _unreadable("checkRetrieveStatus") from None
    return Retrieved(archive, messages)


def read_metadata(wire: Wire, org: Org, kind: str, full_name: str) -> dict[str, str] | None:
    """Return the texts of a component by their paths, such as ``sessionSettings/lockSessionsToIp``.

    None where the org shows no such component to this user. Only the last of repeated elements is kept: good for
    settings, not for what is to be deployed again.
    """
    answer = _call(
        wire,
        org,
        f"<readMetadata><type>{escape(kind)}</type><fullNames>{escape(full_name)}</fullNames></readMetadata>",
    )
    record = next(iter(_all(answer, "result/records")), None)
    return None if record is None or not len(record) else dict(_leaves(record, ""))


def takes_session(wire: Wire, org: Org) -> bool:
    """Tell whether SOAP takes a token as a session at all. What its user may do there is another matter.

    Sent whatever the kind of the token and the version. Raises Transient.
    """
    version = f"<asOfVersion>{escape(org.api_version or '')}</asOfVersion>"
    try:
        _send(wire, org, f"<describeMetadata>{version}</describeMetadata>")
    except SessionDead:
        return False
    except Misconfigured as error:
        return error.code != _NO_JWT
    return True


def is_jwt(token: Secret) -> bool:
    """Tell whether an access token is in JWT format; opaque ones hold the org id and an exclamation mark."""
    return token.reveal().startswith("eyJ") and token.reveal().count(".") == 2  # noqa: PLR2004 - RFC 7519 section 3


def _call(wire: Wire, org: Org, body: str) -> Element:
    """Send one operation that is not refused for sure, and return its response element, tags without namespaces."""
    version = org.api_version or ""
    if is_jwt(org.access_token) and float(version or 0) < JWT_FROM:
        raise _takes_no_jwt(version)
    return _send(wire, org, body)


def _send(wire: Wire, org: Org, body: str) -> Element:
    envelope = _ENVELOPE.format(session=escape(org.access_token.reveal()), body=body)
    reply = wire.send(
        "POST",
        f"{org.instance_url}/services/Soap/m/{org.api_version or ''}",
        headers={"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""', "Accept": "text/xml"},
        data=envelope.encode(),
        max_bytes=_MOST_BYTES,
    )
    if lavishness(reply.body, _MOST_ELEMENTS) is not None:
        raise _not_soap(reply)
    try:
        # Text, because the parser would look up whatever encoding bytes name among all that Python has.
        root = ElementTree.fromstring(reply.body.decode("utf-8-sig"), forbid_dtd=True)
    except (ElementTree.ParseError, DefusedXmlException, ValueError):
        raise _not_soap(reply) from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    content = root.find("Body/*")
    if root.tag != "Envelope" or content is None:
        raise _not_soap(reply)
    if content.tag == "Fault":
        raise _fault(content, org.access_token)
    if reply.status != HTTPStatus.OK:
        raise _not_soap(reply)
    return content


def _fault(fault: Element, token: Secret) -> RotatorError:
    """Return the error that a fault means."""
    name = _text(fault, "faultcode").rpartition(":")[2]
    code = f"salesforce.soap.{name.lower() if _NAME.fullmatch(name) else 'fault'}"
    said = f"the Metadata API answered {quote(_text(fault, 'faultstring'), [token])}"
    if name == "INVALID_SESSION_ID":
        return _takes_no_jwt("") if is_jwt(token) else SessionDead(said, code=code, hint=SESSION_ENDS)
    if name in _AGAIN:
        return Transient(said, code=code, hint=STATUS_PAGE)
    if name.startswith("INSUFFICIENT_ACCESS") or name in {
        "API_DISABLED_FOR_ORG",
        "FUNCTIONALITY_NOT_ENABLED",
    }:
        return Misconfigured(said, code=code, hint=_PERMISSIONS)
    return Misconfigured(
        said, code=code, hint="Check `api_version` and the permissions of the deployer. " + _PERMISSIONS
    )


def _takes_no_jwt(version: str) -> Misconfigured:
    return Misconfigured(
        f"SOAP does not take the deployer's token: it is in JWT format{f', the API version {version}' if version else ''}",
        code=_NO_JWT,
        hint=f"Let the deployer's app issue opaque tokens, use API version {JWT_FROM}.0 or later, or keep the app's "
        "metadata files yourself (deploy.source.directory).",
    )


def _not_soap(reply: Reply) -> Transient:
    return Transient(
        f"the Metadata API answered with status {reply.status} and something that is not SOAP",
        code="salesforce.soap.unreadable",
        hint="Usually maintenance, or a proxy that answers in place of Salesforce.",
        retry_after_seconds=reply.retry_after_seconds,
    )


def _unreadable(what: str) -> Transient:
    return Transient(
        f"the org's answer to {what} is not what Salesforce sends",
        code="salesforce.soap.unreadable",
        hint="It is asked again. If it lasts: does a proxy change answers, or is there a newer rotator?",
    )


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _all(element: Element, path: str) -> list[Element]:
    return element.findall(path)


def _leaves(element: Element, path: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    if depth > MOST_DEPTH:
        raise _unreadable("readMetadata")
    for child in element:
        below = f"{path}/{child.tag}".strip("/")
        if len(child):
            yield from _leaves(child, below, depth + 1)
        else:
            yield below, (child.text or "").strip()
