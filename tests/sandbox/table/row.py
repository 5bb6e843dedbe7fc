"""One refusal: what is sent, and what Salesforce answers to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from werkzeug.test import TestResponse

from tests.sandbox.client import Sandbox

CERTAINTIES = {"C": "certain", "P": "probable", "D": "doubtful", "I": "inferred"}
CODES = "codes: SalesforceMobileSDK-Android, OAuthErrorCode.kt"
HOUR = 3600


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        send: does to the org what the row's name says, and sends the request.
        error, description: of the answer; ``errorCode`` and ``message`` of the REST API, ``faultcode`` and
            ``faultstring`` of SOAP. A description that begins with an ellipsis is only the end of a longer one.
        source: where Salesforce's behaviour is known from.
        certainty: how well, a letter of ``CERTAINTIES``; of what is doubtful the likeliest was chosen.
    """

    send: Callable[[Sandbox], TestResponse]
    status: int
    error: str
    description: str
    source: str
    certainty: str

    def tells(self, reply: TestResponse) -> bool:
        """Whether a reply is what the row says."""
        error, description = said(reply)
        wanted = self.description
        fits = description.endswith(wanted[1:]) if wanted.startswith("…") else description == wanted
        return (reply.status_code, error) == (self.status, self.error) and fits


def said(reply: TestResponse) -> tuple[str, str]:
    """Return error and description of any of the org's faces; media type or plain text where there are none."""
    if reply.mimetype == "application/json":
        body = reply.json
        first = body[0] if isinstance(body, list) else body
        return (
            first.get("error") or first.get("errorCode", ""),
            first.get("error_description") or first.get("message", ""),
        )
    if reply.mimetype == "text/xml":
        code, text = (
            re.search(f"<{tag}>(.*?)</{tag}>", reply.text)[1] for tag in ("faultcode", "faultstring")
        )
        return code, text
    return (reply.text, "") if reply.mimetype == "text/plain" else (reply.mimetype, "")


def set_text(app, kind, path, text):
    """Change what an app's metadata says, as an administrator would in Setup."""
    root = app.documents[kind].root
    element = root.find(path)
    if element is None:
        element = root.makeelement(path, {})
        root.append(element)
    element.text = text


def after(*deeds):
    """Do one thing after the other to a sandbox, and return what the last one gives."""

    def send(box):
        for deed in deeds:
            reply = deed(box)
        return reply

    return send
