"""Who may look."""

from __future__ import annotations

import base64
import binascii
import hmac
import string
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from rotator.config.web import WebConfig, host_of
from rotator.errors import Misconfigured
from rotator.loopback import is_loopback
from rotator.secret import Secret
from rotator.show.logs import redactor

SHORTEST = 16
"""Characters of a token: a shorter one could be guessed, since nobody counts the tries."""


@dataclass(frozen=True, slots=True)
class Door:
    """What a request is asked for.

    Attributes:
        host: where we listen.
        token: what has to be shown; None: nothing.
    """

    host: str
    token: Secret | None

    @classmethod
    def of(cls, config: WebConfig) -> Self:
        """Return what the configuration asks for, with the token read. Raises Misconfigured."""
        token = None
        if config.token is not None:
            # as it is shown: a header has no white space at its ends
            token = Secret(config.token.read().reveal().strip(string.whitespace))
            if (
                len(token.reveal()) < SHORTEST
            ):  # not remembered: the log would lose every word that is like it
                raise Misconfigured(
                    f"{config.token.key}: the token has fewer than {SHORTEST} characters",
                    code="config.secret",
                    hint="Make one: openssl rand -hex 32",
                )
            redactor.remember(token, config.token.path() or "web.token")
        return cls(host_of(config.listen) if config.listen else "", token)

    def knows_host(self, header: str) -> bool:
        """Tell whether a request was meant for us, by its header ``Host``.

        A page of somebody else's can let its own name lead to loopback and then read our answers (DNS rebinding). Its
        browser still tells that name. Who listens beyond loopback has many names, and demands a token.
        """
        if not is_loopback(self.host):
            return True
        try:
            name = urlsplit(f"//{header}").hostname or ""
        except ValueError:
            return False
        return is_loopback(name) or name == self.host or not header

    def opens(self, authorization: str) -> bool:
        """Tell whether a header ``Authorization`` shows the token, as bearer token or as password of HTTP Basic.

        WSGI carries the bytes of a header as Latin-1 (PEP 3333).
        """
        if self.token is None:
            return True
        scheme, _, shown = authorization.encode("latin-1").partition(b" ")
        if scheme.lower() == b"basic":
            try:
                shown = base64.b64decode(shown.strip(), validate=True).partition(b":")[2]
            except binascii.Error:
                return False
        elif scheme.lower() != b"bearer":
            return False
        return hmac.compare_digest(shown.strip(), self.token.reveal().encode())
