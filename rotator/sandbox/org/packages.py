"""Metadata packages: reading the zip of a deploy, writing the zip of a retrieve."""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from defusedxml import ElementTree, common

from rotator.sandbox.org.components import TYPES, ComponentType, local_name
from rotator.sandbox.org.schema import METADATA_NAMESPACE, Invalid, check

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from xml.etree.ElementTree import Element

# Limits of a deploy (Metadata API guide, file-based calls): 39 MB zipped, 10,000 files.
MOST_BYTES, MOST_FILES = 39 * 1024 * 1024, 10_000
OLDEST_VERSION, NEWEST_VERSION = 31, 68
_FOLDERS = {kind.folder: kind for kind in TYPES.values()}


class BadPackage(Exception):
    """A zip that is no package; the text goes into the deploy result."""


@dataclass(frozen=True, slots=True)
class PackageFile:
    """One component of a package."""

    path: str
    kind: ComponentType
    full_name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Package:
    manifest_path: str
    files: tuple[PackageFile, ...]
    problems: tuple[tuple[str, str], ...]
    """(path, problem) of what the manifest and the files do not agree on."""


def read_package(content: bytes, *, single_package: bool, allow_missing: bool = False) -> Package:
    """Read the zip of a deploy. Raises BadPackage when it can't be understood as one."""
    entries = _entries(content)
    root = _root_folder(entries, single_package=single_package)
    named = _manifest(entries[f"{root}package.xml"])
    files: list[PackageFile] = []
    problems: list[tuple[str, str]] = []
    for path in sorted(entries):
        relative = path.removeprefix(root)
        if relative == "package.xml":
            continue
        found = _component(path, relative, entries[path])
        if found is None:
            problems.append((path, f"Unknown file in package: {relative}"))
        elif not named.get(found.kind.name, set()) & {found.full_name, "*"}:
            problems.append(
                (
                    path,
                    f"The object '{found.full_name}' of type {found.kind.name} is not named in package.xml",
                )
            )
        else:
            files.append(found)
    for type_name, members in named.items():
        if type_name not in TYPES:
            problems.append(
                (f"{root}package.xml", f"Unknown type name '{type_name}' specified in package.xml")
            )
            continue
        there = {file.full_name for file in files if file.kind.name == type_name}
        if not allow_missing:
            problems += [
                (f"{root}package.xml", f"An object '{member}' of type {type_name} was named in package.xml, but was not found in zipped directory")
                for member in sorted(members - there - {"*"})
            ]  # fmt: skip
    return Package(f"{root}package.xml", tuple(files), tuple(problems))


def _entries(content: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            listed = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(listed) > MOST_FILES or sum(entry.file_size for entry in listed) > 10 * MOST_BYTES:
                raise BadPackage("LIMIT_EXCEEDED: the package is too large")
            names = [entry.filename for entry in listed]
            if len(set(names)) != len(names) or any(
                name.startswith("/") or ".." in name.split("/") for name in names
            ):
                raise BadPackage("The zip file holds a path twice, or one that leaves it")
            return {entry.filename: archive.read(entry) for entry in listed}
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError):
        raise BadPackage("INVALID_ZIP: the file is not a readable zip file") from None


def _root_folder(entries: Mapping[str, bytes], *, single_package: bool) -> str:
    """Where package.xml lies: the root, or (as the Salesforce CLI packs it) one folder at the top."""
    if single_package and "package.xml" in entries:
        return ""
    tops = {name.split("/")[0] for name in entries if "/" in name}
    found = [top for top in sorted(tops) if f"{top}/package.xml" in entries]
    if len(found) == 1 and all(name.startswith(f"{found[0]}/") for name in entries):
        return f"{found[0]}/"
    raise BadPackage("No package.xml found")


def _manifest(content: bytes) -> dict[str, set[str]]:
    root = _parsed(content)
    if root.tag != f"{{{METADATA_NAMESPACE}}}Package":
        raise BadPackage("Error parsing package.xml: Element Package of the metadata namespace expected")
    try:
        check("Package", root)
    except Invalid as problem:
        raise BadPackage(str(problem)) from None
    version = root.findtext(f"{{{METADATA_NAMESPACE}}}version") or ""
    if not re.fullmatch(r"\d+\.0", version) or not OLDEST_VERSION <= int(version[:-2]) <= NEWEST_VERSION:
        raise BadPackage(f"Error parsing package.xml: invalid version specified: {version or 'none'}")
    return manifest_members(root)


def manifest_members(root: Element) -> dict[str, set[str]]:
    """Type name to members, of a `Package` element."""
    named: dict[str, set[str]] = {}
    for types in root:
        if local_name(types.tag) == "types":
            parts = [(local_name(part.tag), (part.text or "").strip()) for part in types]
            name = next((text for tag, text in parts if tag == "name"), "")
            named.setdefault(name, set()).update(text for tag, text in parts if tag == "members" and text)
    return named


def _parsed(content: bytes) -> Element:
    try:
        root: Element = ElementTree.fromstring(content)
    except (ElementTree.ParseError, common.DefusedXmlException, ValueError) as problem:
        raise BadPackage(f"Error parsing package.xml: {problem}") from None
    return root


def _component(path: str, relative: str, content: bytes) -> PackageFile | None:
    folder, _, file_name = relative.partition("/")
    kind = _FOLDERS.get(folder)
    if kind is None or "/" in file_name or not file_name.endswith(f".{kind.suffix}"):
        return None
    return PackageFile(path, kind, file_name.removesuffix(f".{kind.suffix}"), content)


def write_package(
    files: Iterable[tuple[str, bytes]], members: Mapping[str, Iterable[str]], version: str, folder: str
) -> bytes:
    """The zip of a retrieve: `files` (path in the package, content) and a package.xml of `members`."""
    types = "".join(
        "    <types>\n"
        + "".join(f"        <members>{escape(member)}</members>\n" for member in sorted(names))
        + f"        <name>{kind}</name>\n    </types>\n"
        for kind, names in sorted(members.items())
    )
    manifest = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Package xmlns="{METADATA_NAMESPACE}">\n{types}'
        f"    <version>{version}</version>\n</Package>\n"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files:
            archive.writestr(folder + path, content)
        archive.writestr(f"{folder}package.xml", manifest)
    return buffer.getvalue()
