"""Metadata packages: which file is of which type, package.xml, zips and folders; all bounded in size."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote
from xml.sax.saxutils import escape

from rotator.errors import Misconfigured, Rejected
from rotator.salesforce import appxml

MOST_FILES: Final = 2_000
MOST_BYTES: Final = 16 << 20
"""Bounds of a package when unpacked. One of ours holds some kilobytes; a retrieve of all apps of an org a few more."""
LONGEST_PATH: Final = 512

_LISTED = b"PK\x01\x02"  # begins each entry of a zip's directory (APPNOTE 4.3.12)
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_VERSION = re.compile(r"[1-9][0-9]{1,2}\.0")


@dataclass(frozen=True, slots=True)
class FileType:
    """One metadata type: its name, folder and file suffix (registry of the Salesforce CLI)."""

    name: str
    folder: str
    suffix: str


CONNECTED_APP: Final = FileType("ConnectedApp", "connectedApps", "connectedApp")
HEADER: Final = FileType("ExternalClientApplication", "externalClientApps", "eca")
GLOBAL_OAUTH: Final = FileType("ExtlClntAppGlobalOauthSettings", "extlClntAppGlobalOauthSets", "ecaGlblOauth")
OAUTH: Final = FileType("ExtlClntAppOauthSettings", "extlClntAppOauthSettings", "ecaOauth")
OAUTH_POLICIES: Final = FileType(
    "ExtlClntAppOauthConfigurablePolicies", "extlClntAppOauthPolicies", "ecaOauthPlcy"
)
POLICIES: Final = FileType("ExtlClntAppConfigurablePolicies", "extlClntAppPolicies", "ecaPlcy")


def plain(path: str) -> str:
    """Return the path of a file below the folder of its type, without the suffix of Salesforce DX projects."""
    return "/".join(PurePosixPath(path.removesuffix("-meta.xml")).parts[-2:])


def type_of(path: str) -> FileType | None:
    """Return the type of a file by the folder that it lies in and its suffix; None if it is none of an app."""
    every = (CONNECTED_APP, HEADER, GLOBAL_OAUTH, OAUTH, OAUTH_POLICIES, POLICIES)
    folder, _, name = path.rpartition("/")
    return next((kind for kind in every if kind.folder == folder and name.endswith(f".{kind.suffix}")), None)


def member(path: str) -> str:
    """Return the full name of a component from the path of its file, in which some characters are quoted."""
    return unquote(PurePosixPath(path).name.rpartition(".")[0])


def manifest(members: Mapping[str, list[str]], api_version: str) -> bytes:
    """Return a package.xml that names these components, by type."""
    types = "".join(
        "    <types>\n"
        + "".join(f"        <members>{escape(name)}</members>\n" for name in sorted(names))
        + f"        <name>{kind}</name>\n    </types>\n"
        for kind, names in sorted(members.items())
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Package xmlns="{appxml.NAMESPACE}">\n{types}'
        f"    <version>{escape(api_version)}</version>\n</Package>\n"
    ).encode()


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Return a zip of these files; the same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def unzipped(archive: bytes) -> dict[str, bytes]:
    """Return the files in a zip, by path. Raises Rejected for what is none, or unpacks to more than it should."""
    files: dict[str, bytes] = {}
    left = MOST_BYTES
    if archive.count(_LISTED) > MOST_FILES:  # before the directory is read, which takes memory for each
        raise _bad_archive(f"holds more than {MOST_FILES} files")
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            for entry in opened.infolist():
                if entry.is_dir():
                    continue
                if entry.compress_type not in _METHODS:  # the others unpack all at once, however much it is
                    raise _bad_archive("is compressed in a way that Salesforce does not use")
                if not entry.filename.isprintable() or len(entry.filename) > LONGEST_PATH:
                    raise _bad_archive("holds a name that no file of Salesforce has")
                # What the directory of a zip says of sizes is not to be believed.
                with opened.open(entry) as file:
                    content = file.read(left + 1)
                left -= len(content)
                if left < 0:
                    raise _bad_archive(f"unpacks to more than {MOST_BYTES} bytes")
                files[entry.filename] = content
    except (
        zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, NotImplementedError, OSError,
        ValueError, OverflowError, IndexError,
    ):  # fmt: skip
        # ValueError: of names that are no UTF-8, and of places before the beginning; IndexError: of empty names.
        raise _bad_archive("can't be unpacked") from None
    return files


def _bad_archive(what: str) -> Rejected:
    return Rejected(
        f"a metadata package {what}",
        code="salesforce.metadata.bad_archive",
        hint="Nothing of it is deployed. If it comes from the org again and again, keep the app's metadata files "
        "yourself (deploy.source.directory).",
    )


def read_directory(directory: Path) -> tuple[dict[str, bytes], str | None]:
    """Return the metadata files below a folder and the API version that its package.xml names, if there is one.

    Raises Misconfigured when the folder can't be read, holds more than an app's metadata, or names no such version.
    """
    files: dict[str, bytes] = {}
    left = MOST_BYTES
    try:
        if not directory.is_dir():
            raise FileNotFoundError(directory)
        for path in sorted(directory.rglob("*")):
            relative = path.relative_to(directory).as_posix()
            if relative != "package.xml" and type_of(plain(relative)) is None:
                continue
            with path.open("rb") as file:
                content = file.read(left + 1)
            left -= len(content)
            files[relative] = content
            if left < 0 or len(files) > MOST_FILES:
                raise OSError("too large")  # noqa: TRY301 - see above
    except OSError as error:
        raise Misconfigured(
            f"the metadata files in {directory} can't be read: {error.strerror or error}",
            code="salesforce.metadata.directory",
            hint="deploy.source.directory names a folder with package.xml and the app's files; `rotator init` makes one.",
        ) from None
    package = files.pop("package.xml", None)
    version = appxml.text_of(appxml.elements(package), ("version",)) if package else ""
    if version and not _VERSION.fullmatch(version):
        raise Misconfigured(
            f"{directory / 'package.xml'} names the API version {version!r}",
            code="salesforce.metadata.directory",
            hint="Write the version as 66.0.",
        )
    return files, version or None
