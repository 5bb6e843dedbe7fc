"""What is answered to a request, and what every answer says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

TEXT: Final = "text/plain; charset=utf-8"

HEADERS: Final = {
    # Nothing but what this very port serves: no inline script, no inline style, nobody's frame.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    Attributes:
        headers: beside those that every answer has.
    """

    body: bytes
    kind: str = TEXT
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def status_line(self) -> str:
        return f"{self.status.value} {self.status.phrase}"

    def header_list(self) -> list[tuple[str, str]]:
        """Return all headers, as WSGI wants them."""
        own = {"Content-Type": self.kind, "Content-Length": str(len(self.body))}
        if self.status is HTTPStatus.NOT_MODIFIED:  # they would be those of what the client has
            own = {}
        return list({**own, **HEADERS, **self.headers}.items())


def said(sentence: str, status: HTTPStatus = HTTPStatus.OK, **headers: str) -> Answer:
    """Return an answer of one line. Header names have ``_`` for ``-``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(f"{sentence}\n".encode(), status=status, headers=named)
