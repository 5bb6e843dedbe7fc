"""What every section of the configuration is made of."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from rotator.loopback import is_loopback

CREDENTIALS_DIRECTORY = "CREDENTIALS_DIRECTORY"  # where systemd puts what LoadCredential= names
MISTAKE = "mistake"
_SHOWN = 40  # characters of a value that is wrong
_URL_MEND = "Write it as https://host or https://host:port."


class Section(BaseModel):
    """A part of the file: nothing unknown in it, nothing converted silently, frozen once it is read."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        hide_input_in_errors=True,
    )


class Keys(dict[str, object]):
    """A mapping that knows its file, and its own key path there, such as ``credentials.acme.session``."""

    def __init__(self, path: str, file: Path, items: dict[str, object]) -> None:
        super().__init__(items)
        self.path, self.file = path, file

    @property
    def folder(self) -> Path:
        """What relative paths in it start from: the folder of the file in which it stands."""
        return self.file.absolute().parent


def mistake(what: str, mend: str) -> PydanticCustomError:
    """Return the error by which a validator says what is wrong and how to mend it."""
    return PydanticCustomError(MISTAKE, "{what}", {"what": what, "mend": mend})


def shown(value: object) -> str:
    """Return what a message shows of a value that is wrong. Not for what may be secret."""
    if isinstance(value, str):
        return repr(value[:_SHOWN])
    if isinstance(value, bool | int):
        return str(value).lower()
    return "a list" if isinstance(value, tuple) else "a section"


def text_or_mapping(value: object) -> str:
    """Tell which of two ways of writing a value was chosen, so that errors speak of that one alone."""
    return "text" if isinstance(value, str | int | float) else "mapping"


def _folder_of(info: ValidationInfo) -> Path:
    """Return the folder of the file that is read."""
    return Path((info.context or {}).get("folder", "."))


def place_of(folder: Path, file: str) -> tuple[Path, bool]:
    """Return where a file is that the configuration names, and whether systemd keeps it.

    A relative path is looked for in systemd's credentials directory first, then in ``folder``. There a file has the
    name that systemd gives to what it loads from a folder (systemd.exec(5), LoadCredential=): ``/`` becomes ``_``. So
    `credentials/secret_id` is one file to the service, which finds it there, and to root, who finds it in the folder.
    """
    directory = os.environ.get(CREDENTIALS_DIRECTORY)
    if directory and not file.startswith("/"):
        kept = Path(directory) / file.replace("/", "_")
        if kept.is_file():
            return kept, True
    return folder / file, False


def _url(value: str) -> str:
    """Check a base URL without showing it: it may hold a password."""
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        raise mistake("is no URL", _URL_MEND) from None
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\s\x00-\x20\x7f]", value):
        raise mistake("is no URL", _URL_MEND)
    if parts.username is not None or parts.password is not None:
        raise mistake("a URL must not hold a user or password", "Remove what stands before the `@`.")
    if parts.query or parts.fragment:
        raise mistake("a base URL ends before `?` and `#`", "Remove what comes from there on.")
    return value.rstrip("/")


def _secure_url(value: str) -> str:
    url = _url(value)
    host = urlsplit(url).hostname or ""
    if url.startswith("http:") and not is_loopback(host):
        raise mistake(
            f"http to {host} would send secrets in the clear", "Use https; http is for loopback alone."
        )
    return url


def _host_and_port(value: str) -> str:
    found = re.fullmatch(
        r"(?:[\w-]+(?:\.[\w-]+)*|\[[0-9a-f:.]+\])(?::(\d{1,5}))?", value, re.ASCII | re.IGNORECASE
    )
    if found is None or not 0 < int(found[1] or 443) < 1 << 16:
        raise mistake("is no host with or without a port", "Write it as host or host:port, without https://.")
    return value.lower()


def _path(value: object, info: ValidationInfo) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value or "\0" in value:
        raise mistake("should be the path of a file", "Write it as text, such as /etc/ssl/certs/ca.pem.")
    return place_of(_folder_of(info), value)[0]


def matching(pattern: str, what: str, mend: str, *, secret: bool = False) -> AfterValidator:
    """Return a validator of text that fits ``pattern`` as a whole, or is wrong as ``what`` says.

    The message shows the text unless it may be ``secret``.
    """
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if compiled.fullmatch(value) is None:
            raise mistake(what if secret else f"{shown(value)} {what}", mend)
        return value

    return AfterValidator(check)


BaseUrl = Annotated[str, AfterValidator(_secure_url), WithJsonSchema({"type": "string", "format": "uri"})]
AnyUrl = Annotated[str, AfterValidator(_url), WithJsonSchema({"type": "string", "format": "uri"})]
HostAndPort = Annotated[str, AfterValidator(_host_and_port)]


def located(value: object, key: str) -> object:
    """Return a section whose path at ``key`` starts from the file in which the section stands.

    For what may come from the defaults of another file.
    """
    path = value.get(key) if isinstance(value, Keys) else None
    if not isinstance(value, Keys) or not isinstance(path, str) or not path:
        return value
    return Keys(value.path, value.file, {**value, key: str(value.folder / path)})


FilePath = Annotated[
    Path, PlainValidator(_path), PlainSerializer(str, return_type=str), WithJsonSchema({"type": "string"})
]

Text = Annotated[
    str,
    matching(
        r"[^\x00-\x08\x0e-\x1f\x7f]*",
        "holds a control character",
        "Take it out: text in double quotes may hide one.",
        secret=True,
    ),
    matching(
        r"\S(.*\S)?",
        "should be a line of text that is not empty",
        "Write something, or delete the key.",
        secret=True,
    ),
]

CredentialName = Annotated[
    str,
    matching(
        r"(?=.{1,64}$)[A-Za-z0-9]+([._-][A-Za-z0-9]+)*",  # a common name has no more (RFC 5280, ub-common-name)
        "cannot name a credential",
        "Use up to 64 letters and digits, with single `.`, `_` or `-` between them.",
    ),
]
