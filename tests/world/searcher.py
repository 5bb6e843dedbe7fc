"""Finds secrets in whatever is shown, as they are or encoded, whole or in pieces."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

PEM_LINE_CHARACTERS = 64  # RFC 7468 section 2
PIECE_BYTES = 16
STRIDE_BYTES = 8
FOUND_BYTES = PIECE_BYTES + STRIDE_BYTES - 1
"""A run of so many bytes of a secret, in one of its encodings, is found wherever it stands."""

_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.([\w-]+)")
_SESSION = re.compile(r"00D\w{9,15}!(\S+)")
_PUBLIC_BYTES_OF_ENCRYPTED = 128  # algorithms, salt and initialization vector, at the most (RFC 8018)
_BITS_OF_BYTE, _BITS_OF_BASE64 = 8, 6
_WHOLE_BASE64 = 3  # bytes, which make four characters


class Searcher:
    """Knows secrets by pieces of what is secret in them.

    Of a private key that is what the certificate does not tell, whatever wraps it: so lines of a PEM file are found,
    and DER of either format. Of a token it is what comes after the org's id, or the signature.
    """

    def __init__(self, secrets: Mapping[str, str] | None = None) -> None:
        """``secrets``: each with what it is."""
        self._pieces: dict[bytes, tuple[str, str]] = {}
        for secret, what in (secrets or {}).items():
            self.add(secret, what)

    def add(self, secret: str, what: str) -> None:
        """Look for a secret. Raises ValueError for one that is too short to be told from chance."""
        for part in secret_parts(secret):
            if len(part) < PIECE_BYTES:
                raise ValueError(f"{what} has {len(part)} bytes; {PIECE_BYTES} are needed")
            for encoding, text in encodings(part):
                last = len(text) - PIECE_BYTES
                for at in (*range(0, last, STRIDE_BYTES), last):
                    self._pieces.setdefault(text[at : at + PIECE_BYTES], (what, encoding))

    def find(self, shown: bytes | str) -> list[str]:
        """Return which secrets are in what was shown, and how they are encoded there."""
        data = shown.encode(errors="surrogateescape") if isinstance(shown, str) else shown
        pieces = self._pieces
        found = {
            pieces[piece]
            for at in range(len(data) - PIECE_BYTES + 1)
            if (piece := data[at : at + PIECE_BYTES]) in pieces
        }
        return sorted(f"{what} ({encoding})" for what, encoding in found)


def secret_parts(secret: str) -> Iterator[bytes]:
    """Return what of a secret nobody may know: of PEM both what it says and what it looks like."""
    if secret.startswith("-----BEGIN"):
        der = base64.b64decode("".join(secret.splitlines()[1:-1]))
        public = _PUBLIC_BYTES_OF_ENCRYPTED if "ENCRYPTED" in secret else _exponent_at(der, secret)
        lines = secret.splitlines(keepends=True)[1:-1]
        yield der[public:]
        yield "".join(lines[-(-len(base64.b64encode(der[:public])) // PEM_LINE_CHARACTERS) :]).encode()
    elif (token := _JWT.fullmatch(secret) or _SESSION.fullmatch(secret)) is not None:
        yield token[1].encode()
    else:
        yield secret.encode()


def _exponent_at(der: bytes, pem: str) -> int:
    """Return where the private exponent begins in a key: what stands before it is in the certificate, too."""
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, RSAPrivateKey)
    exponent = key.private_numbers().d
    return der.index(exponent.to_bytes(-(-exponent.bit_length() // _BITS_OF_BYTE)))


def encodings(part: bytes) -> Iterator[tuple[str, bytes]]:
    """Return how something may be written."""
    yield "plain", part
    yield "hex", part.hex().encode()
    yield "HEX", part.hex().upper().encode()
    yield "URL", quote(part, safe="").encode()
    for offset in range(_WHOLE_BASE64):
        text = _base64_within(part, offset)
        yield f"base64, {offset} bytes on", text
        yield f"base64url, {offset} bytes on", text.translate(bytes.maketrans(b"+/", b"-_"))


def _base64_within(part: bytes, offset: int) -> bytes:
    """Return what is left of something in the base64 of a text in which it begins ``offset`` bytes on.

    The characters at both ends depend on what stands next to it, and are left out.
    """
    before = -(-offset * _BITS_OF_BYTE // _BITS_OF_BASE64)
    whole = (offset + len(part)) * _BITS_OF_BYTE // _BITS_OF_BASE64
    return base64.b64encode(bytes(offset) + part)[before:whole]
