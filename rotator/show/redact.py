"""Take secrets out of whatever is about to be shown: by the name of a key, by the shape of a value, by knowledge.

A net under the rope: code carries secrets as :class:`rotator.secret.Secret` and puts none into messages.
Public values stay readable: certificates, fingerprints, org ids, consumer keys, file names.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import Enum
from pathlib import PurePath
from typing import Any, Final
from urllib.parse import quote, quote_plus

from rotator.secret import Secret

MASK: Final = "[redacted]"
_SHORTEST = 6  # a shorter known value would blank ordinary words
_LATEST = 4  # values of one source: the present one, and some that a late answer may still quote
_DEEPEST = 8  # nesting that a log line may have

# The last words of a name decide: `vault_token` hides its value, `token_type` and `token_file` do not.
_NAME = (
    r"(?:tokens?|secrets?|passwords?|passwd|pwd|passphrases?|(?:client_?)?assertion|authorization|cookie|jwt"
    r"|secret_?ids?|session_?ids?|(?:private|signing|secret|api|unseal)_?keys?(?:_?(?:pem|der))?)"
)
_SENSITIVE = re.compile(rf"(?:.*[_-])?{_NAME}", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_KEY = rf"(?<![\w-])[\w-]*{_NAME}"
_ALONE = r"(?<![\w-])[\w-]*(?:secret|password|passphrase|secret_id|vault-token)"
_SCHEME = "(?:bearer|basic|token)"
_BREAK = r"(?:\\+[rn]|[\r\n])\s*"  # a line break, also escaped once or more
_BASE64 = r"[A-Za-z0-9+/_-]"  # of both alphabets (RFC 4648)
_BANG = (
    r"\\*(?:!|%(?:25)*21|&#0*33;|&#[xX]0*21;|&excl;|u0021|x21)"  # an exclamation mark, however it is escaped
)
_REST = rf"(?:{_BASE64}|=|{_BREAK}|\s(?={_BASE64}{{40}}))*"
_QUOTED = r"(?P<quote>\\*[\"'])(?:(?!(?P=quote)).){1,500}(?P=quote)"

# A text that holds none of the marks is not searched for the shape. Patterns are linear in the length of the text.
# fmt: off
_SHAPES: Final[tuple[tuple[Iterable[str], re.Pattern[str], str], ...]] = tuple(
    (marks, re.compile(pattern, re.DOTALL), replacement)
    for marks, pattern, replacement in (
        # PEM private keys of every kind; a truncated one hides the rest of the text.
        (("-----BEGIN",), r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", MASK),
        # DER in base64: SEQUENCE, then the version number 0 of PKCS#1 (RFC 8017 A.1.2) and PKCS#8 (RFC 5958).
        # A certificate has a second SEQUENCE there and does not match.
        (("MII",), rf"MII{_BASE64}{{2}}[AQgw]IBA{_BASE64}{{20}}{_REST}", MASK),
        # The same for encrypted PKCS#8: SEQUENCE, SEQUENCE, an object identifier of PKCS#5 (RFC 8018).
        (("MII",), rf"MII{_BASE64}{{5}}BgkqhkiG9w0BBQ{_REST}", MASK),
        # JWT and JWE in compact form (RFC 7519): the header is a JSON object, so it begins with `{"`.
        (("eyJ",), r"(?<![\w-])(?>([\w-]*?)eyJ)[\w-]{6,}+(?:\.[\w-]*){1,4}", rf"\g<1>{MASK}"),
        # Salesforce session ids: the org id, an exclamation mark, the session.
        (("00D",), rf"(00D[A-Za-z0-9]{{9,15}}{_BANG})[\w.%-]+", rf"\g<1>{MASK}"),
        # Tokens of Vault and OpenBao: service, batch, recovery; the older ones have no `hv`.
        (".", r"(?:hv[sbr]\.[\w-]{20,}|(?<![A-Za-z0-9])[sbr]\.[\w-]{24,})(?:\.\w+)?", MASK),
        # Authorization headers. Prose such as "the bearer assertion" holds no digit.
        (" ", r"(?i:\b(bearer|basic)\s+)(?=[^\s\"']{0,300}\d)[\w.~+/=!%-]{12,}", rf"\g<1> {MASK}"),
        (":=", rf"(?i:(authorization[\"']?\s*[:=]\s*[\"']?(?:{_SCHEME}\s+)?))[^\s\"',}}]+", rf"\g<1>{MASK}"),
        # A URL with a user and a password, which may hold an @ itself.
        ("@", r"(://[^/\s:@]*:)[^/\s]+@", rf"\g<1>{MASK}@"),
        # "secret": "value" of JSON, Python and YAML, also within a quoted text; secret='value'
        (":=", rf"(?i:({_KEY}\\*[\"']?\s*[:=]\s*b?))(\\*[\"'])(?:(?!\2).)+\2", rf"\g<1>\g<2>{MASK}\g<2>"),
        # --secret value of a command line, also as a list: '--secret', 'value'
        (("--",), rf"(?i:((?<![\w-])--[\w-]*{_NAME}(?:[ \t]+|\\*[\"']\s*,\s*)))(?!--\w)(?:{_QUOTED}|\S+)",
         rf"\g<1>\g<quote>{MASK}\g<quote>"),
        # secret=value of forms and URLs
        ("=", rf"(?i:({_KEY}=))[^\s&\"'<>,;)]+", rf"\g<1>{MASK}"),
        # <secret>value</secret>
        ("<", rf"(?i:(<(?:\w+:)?[\w-]*{_NAME}>))[^<]+", rf"\g<1>{MASK}"),
        # password: value, alone on its line as in YAML or a header; a plain word is prose
        (":=", rf"(?im:({_ALONE}[ \t]*[:=][ \t]*))(?=\S{{0,300}}\d|\S{{20}})[^\s\"'\[{{]\S{{,300}}(?=\s*?(?:\n|\Z))",
         rf"\g<1>{MASK}"),
    )
)
# fmt: on


def is_sensitive(name: str) -> bool:
    """Whether what stands under this name is taken for a secret, whatever it looks like."""
    return _SENSITIVE.fullmatch(_CAMEL.sub("_", name)) is not None


def _forms(plain: str) -> set[str]:
    """Return a value as it may be seen: plain, escaped, URL-quoted."""
    return {plain, json.dumps(plain)[1:-1], quote(plain, safe=""), quote_plus(plain)}


class Redactor:
    """Takes secrets out of text and of nested values. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[object, tuple[str, ...]] = {}
        self._pattern: re.Pattern[str] | None = None

    def remember(self, value: str | Secret, source: object = None) -> None:
        """Hide this value wherever it is seen from now on, also URL-quoted or escaped.

        For the few long-lived secrets without a shape of their own, such as a secret_id. Values of less than
        six characters are ignored: they would blank ordinary words.

        Args:
            source: what the value is read from again and again, such as a file. Of its values the latest few are hidden.
        """
        plain = value.reveal() if isinstance(value, Secret) else value
        if len(plain) < _SHORTEST:
            return
        with self._lock:
            known = self._known.get(source, ())
            if plain in known:
                return
            most = None if source is None else _LATEST
            self._known[source] = (plain, *known)[:most]
            every = {form for values in self._known.values() for one in values for form in _forms(one)}
            longest_first = sorted(every, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def text(self, text: str) -> str:
        """Return the text without its secrets."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        for marks, pattern, replacement in _SHAPES:
            if any(mark in text for mark in marks):
                text = pattern.sub(replacement, text)
        return text

    def value(self, value: Any, *, depth: int = 0) -> Any:
        """Return the value as plain JSON types, without its secrets.

        Times become RFC 3339, durations seconds; of anything else the ``repr`` is shown.
        """
        match value:
            case None | bool() | int() | float():
                return value
            case Secret():
                return MASK
            case Enum():
                return self.value(value.value, depth=depth)
            case str() | PurePath():
                return self.text(str(value))
            case bytes() | bytearray():
                return self.text(value.decode(errors="replace"))
            case datetime():
                return value.isoformat().replace("+00:00", "Z")
            case timedelta():
                return value.total_seconds()
            case Mapping() if depth < _DEEPEST:
                return self._mapping(value, depth)
            case list() | tuple() | set() | frozenset() if depth < _DEEPEST:
                return [self.value(item, depth=depth + 1) for item in value]
            case _:
                return self.text(repr(value))

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        return {self.text(str(key)): self._under(key, item, depth + 1) for key, item in value.items()}

    def _under(self, key: object, value: Any, depth: int) -> Any:
        """Return what may be shown of a value that stands under a key. A number or a time is no secret."""
        if isinstance(value, bool | int | float | datetime | timedelta) or value in (None, "", b""):
            return self.value(value)
        return MASK if is_sensitive(str(key)) else self.value(value, depth=depth)

    def __call__(self, _logger: object, _method: str, event: Mapping[str, Any]) -> dict[str, Any]:
        """Redact a log line: a structlog processor, to stand right before the renderer."""
        return self._mapping(event, depth=0)
