"""Change one element of a metadata file and leave every other byte as it was.

A deploy is declarative: an element that is left out goes back to its default (Metadata API Developer Guide). A file
that is parsed and written anew is a chance to lose something; so it is parsed only to learn where elements stand.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError

from rotator.errors import Rejected

NAMESPACE: Final = "http://soap.sforce.com/2006/04/metadata"
MOST_BYTES: Final = 1 << 20
"""The longest metadata file that is looked at; those of an app have a few kilobytes."""
MOST_DEPTH: Final = 64
MOST_ELEMENTS: Final = 20_000
"""Bounds of what a file may hold, so that it takes no more memory than it is worth; an app needs 4 and some dozens."""
LONGEST_ATTRIBUTE: Final = 512

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_LONG_ATTRIBUTE = re.compile(rb"=\s*(?:\"[^\"<]{%d}|'[^'<]{%d})" % (LONGEST_ATTRIBUTE, LONGEST_ATTRIBUTE))
_START_TAG = re.compile(rb"<([^\s/>]+)(?:[^>\"']|\"[^\"]*\"|'[^']*')*>")
_DECLARED = re.compile(rb"(?:\xef\xbb\xbf)?<\?xml[^>]*?encoding\s*=\s*[\"']([^\"']*)[\"']")
_PEM = re.compile(r"\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*")


@dataclass(slots=True, eq=False)
class Element:
    """Where an element stands: offsets in bytes. ``inner`` is what is between its tags."""

    name: str
    parent: Element | None = field(repr=False)
    start: int
    inner_start: int
    inner_end: int = 0
    end: int = 0
    tag: bytes = b""
    is_nil: bool = False
    text: str = field(default="", repr=False)
    only_text: bool = True

    @property
    def path(self) -> tuple[str, ...]:
        """The names from the root down to this element."""
        return (self.name,) if self.parent is None else (*self.parent.path, self.name)


def elements(xml: bytes) -> list[Element]:
    """Return all elements of a metadata file in the order of their start tags; the first is the root.

    Raises Rejected for what is not well-formed UTF-8 in the metadata namespace, is longer, deeper or fuller than any
    metadata file, or has a document type: entities are a way to smuggle in other text, and metadata files have no
    use for them.
    """
    if len(xml) > MOST_BYTES:
        raise _unsafe(f"a metadata file is longer than {MOST_BYTES} bytes")
    if (excess := lavishness(xml, MOST_ELEMENTS)) is not None:
        raise _unsafe(f"a metadata file holds {excess}")
    declared = _DECLARED.match(xml)
    if declared and declared[1].lower() != b"utf-8":
        raise _unsafe("a metadata file is not written in UTF-8")
    spans = _Spans(xml)
    try:
        spans.read()
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise _unsafe(f"a metadata file can't be read safely ({type(error).__name__})") from None
    return spans.found


def lavishness(xml: bytes, most: int) -> str | None:
    """Return what a document in UTF-8 holds that could take far more memory than the document itself; None if nothing.

    To be asked before it is parsed. Expat repeats the address of a namespace in the name of each of its elements and
    attributes: 400 KB of address and 10,000 attributes are 4 GB.

    Args:
        most: elements and attributes.
    """
    if xml.count(b"<") > 2 * most or xml.count(b"=") > most:
        return f"more than {most} elements or attributes"
    if _LONG_ATTRIBUTE.search(xml):
        return f"an attribute of more than {LONGEST_ATTRIBUTE} characters"
    return None


class _Spans:
    """Target of the parser: notes where each element begins and ends."""

    def __init__(self, xml: bytes) -> None:
        self._xml = xml
        self._open: list[Element] = []
        self._parser = DefusedXMLParser(target=self, encoding="utf-8", forbid_dtd=True)
        self._expat = self._parser.parser  # expat's own, which knows the offsets
        self.found: list[Element] = []

    def read(self) -> None:
        self._parser.feed(self._xml)
        self._parser.close()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        namespace, _, name = tag.rpartition("}")
        if namespace != "{" + NAMESPACE:
            raise ValueError(tag)
        at: int = self._expat.CurrentByteIndex
        found = _START_TAG.match(self._xml, at)
        if found is None:
            raise ValueError(tag)
        if len(self._open) == MOST_DEPTH:
            raise _unsafe(f"the elements of a metadata file are nested more than {MOST_DEPTH} deep")
        parent = self._open[-1] if self._open else None
        if parent is not None:
            parent.only_text = False
        element = Element(name, parent, at, found.end(), tag=found[1])
        element.is_nil = attributes.get(_NIL, "").strip() in {"true", "1"}
        self._open.append(element)
        self.found.append(element)

    def end(self, _tag: str) -> None:
        element = self._open.pop()
        if self._xml[element.inner_start - 2 : element.inner_start] == b"/>":
            element.inner_end = element.end = element.inner_start
            return
        element.inner_end = self._expat.CurrentByteIndex
        element.end = self._xml.index(b">", element.inner_end) + 1

    def data(self, text: str) -> None:
        self._open[-1].text += text

    def comment(self, _text: str) -> None:
        self._other_than_text()

    def pi(self, _target: str, _data: str) -> None:
        self._other_than_text()

    def _other_than_text(self) -> None:
        if self._open:
            self._open[-1].only_text = False

    def close(self) -> None:
        """Nothing is built."""


def one(found: list[Element], path: tuple[str, ...]) -> Element | None:
    """Return the element at a path below the root, or None. Raises Rejected if there are several."""
    there = [element for element in found if element.path[1:] == path]
    if len(there) > 1:
        raise _unsafe(f"a metadata file holds {'/'.join(path)} more than once")
    return there[0] if there else None


def text_of(found: list[Element], path: tuple[str, ...]) -> str:
    """Return the text of the element at a path below the root, stripped; empty if there is none."""
    element = one(found, path)
    return element.text.strip() if element else ""


def replace_text(xml: bytes, element: Element, text: str) -> bytes:
    """Return the file with this text (which must need no escaping) in an element, and nothing else changed."""
    if element.is_nil or not element.only_text:
        raise _unsafe(f"{'/'.join(element.path)} holds something other than text")
    inner = text.encode("ascii")
    if element.end == element.inner_start:  # <element/>
        opened = xml[element.start : element.end - 2].rstrip() + b">"
        inner = opened + inner + b"</" + element.tag + b">"
        return xml[: element.start] + inner + xml[element.end :]
    return xml[: element.inner_start] + inner + xml[element.inner_end :]


def without(xml: bytes, unwanted: Iterator[Element]) -> bytes:
    """Return the file without these elements and the white space before each."""
    for element in sorted(unwanted, key=lambda each: -each.start):
        xml = xml[: element.start].rstrip(b" \t\r\n") + xml[element.end :]
    return xml


def certificate_der(text: str) -> bytes:
    """Return the DER of the one X.509 certificate in PEM or bare base64, the two forms a slot is seen to hold.

    Raises ValueError for anything else.
    """
    found = _PEM.fullmatch(text)
    body = "".join((found[1] if found else text).split())
    try:
        der = base64.b64decode(body, validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
    try:
        x509.load_der_x509_certificate(der)
    except x509.InvalidVersion:
        raise ValueError("of a version that there is not") from None
    return der


def certificate_like(text: str, certificate_pem: str) -> str:
    """Return a certificate in the form of the one that it replaces: bare base64, as retrieved, or else PEM."""
    der = certificate_der(certificate_pem)
    if text.strip() and "-----BEGIN" not in text:
        return base64.b64encode(der).decode("ascii")
    return certificate_pem_of(der)


def certificate_pem_of(der: bytes) -> str:
    """Return a certificate as PEM (RFC 7468), without a line break at its end."""
    body = base64.b64encode(der).decode("ascii")
    lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----"


def _unsafe(message: str) -> Rejected:
    return Rejected(
        message,
        code="salesforce.metadata.unsafe",
        hint="Look at the file, or bring the certificate into the org by hand (publisher: manual).",
    )
