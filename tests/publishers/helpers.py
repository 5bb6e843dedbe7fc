"""What the tests of the metadata publisher share."""

from __future__ import annotations

import pytest

from rotator.core.effects import Answer, Kind
from rotator.publishers.metadata import MetadataPublisher
from rotator.sandbox.org.seed import ACME, GLOBEX

BOTH = pytest.mark.parametrize("name", [ACME, GLOBEX])


def same(left: str, right: str) -> bool:
    return _body(left) == _body(right)


def _body(pem: str) -> str:
    for mark in ("-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"):
        pem = pem.replace(mark, "")
    return "".join(pem.split())


def to_the_end(
    publisher: MetadataPublisher, pem: str, ticket: str | None, since, *, cancel: bool = False
) -> Answer:
    """Poll until there is another answer than PENDING."""
    for _ in range(500):
        answer = publisher.poll(pem, ticket=ticket, since=since, cancel=cancel)
        if answer.kind is not Kind.PENDING:
            return answer
        ticket = answer.ticket or ticket
    raise AssertionError("the deploy does not end")


def settings_of(lab, name: str) -> list[tuple[str, str]]:
    """Every element of an app with its text, in any order, the certificate left out."""

    def leaves(element, path):
        if element.tag != "certificate":
            yield path, (element.text or "").strip()
        for child in element:
            yield from leaves(child, f"{path}/{child.tag}")

    documents = lab.org.app(name).documents.items()
    return sorted(leaf for kind, document in documents for leaf in leaves(document.root, kind))
