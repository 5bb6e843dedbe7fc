"""The reference of the configuration, made from its JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from rotator.config.model import Configuration
from rotator.config.schema import schema
from tests.docs.markdown import table

HEAD = """\
# Configuration

Made by `python -m tests.docs`; do not edit. One YAML file; [config/rotator.example.yaml](../../config/rotator.example.yaml)
is one with every key in it, and `rotator schema` prints its JSON Schema for editors. `rotator check` tells every mistake
with file, line, key and mend, also those that no schema can know, such as settings that contradict each other.

- **Durations** are written as `30d`, `12h`, `10m`, `15s`, `250ms`, or together as `1h30m`.
- **Secrets** do not stand in the file. A *reference* says where one is: `{file: NAME}` or `{env: NAME}`. A relative file
  is looked for in systemd's credentials directory (`$CREDENTIALS_DIRECTORY`) first, then beside the configuration; others
  than owner and group must not be able to read it.
- **Defaults** of your own: the section `defaults` takes whatever a credential takes. A credential overrides what it names
  itself; sections are merged, lists are replaced, and a key with an empty value brings the built-in default back.
- *required* is a key without which the section does not hold. A credential may have it from `defaults`.
"""
NAME = "credentials.NAME"
MADE_ELSEWHERE = {"credentials", "defaults"}  # they have the same keys, told once under NAME

Part = dict[str, Any]


def page() -> str:
    """Return the page."""
    document = schema()
    # `schema` requires nothing of a credential, since `defaults` may have it; the models know.
    models = Configuration.model_json_schema(by_alias=True)["$defs"]
    required = {name: set(one.get("required", ())) for name, one in models.items()}
    text = [HEAD, "\n## The file\n\n", _keys(document, document, set(document["required"]))]
    for key, part in document["properties"].items():
        if key not in MADE_ELSEWHERE:
            text += _sections(document, required, key, part)
    text += _sections(document, required, NAME, {"$ref": "#/$defs/CredentialConfig"})
    return "".join(text)


def settings() -> set[str]:
    """Return the path of every key, as texts name it: that of a credential's without the credential."""
    document = schema()
    below = {
        key: _paths(document, part)
        for key, part in document["properties"].items()
        if key not in MADE_ELSEWHERE
    }
    credential = _paths(document, {"$ref": "#/$defs/CredentialConfig"})
    return {f"{key}{path}" for key, paths in below.items() for path in ("", *paths)} | {
        path[1:] for path in credential
    }


def _paths(document: Part, part: Part) -> set[str]:
    """Return the paths below a place, each with a dot before it."""
    keys = [item for name in _named(part) for item in document["$defs"][name]["properties"].items()]
    return {f".{key}{path}" for key, below in keys for path in ("", *_paths(document, below))}


def _sections(document: Part, required: dict[str, set[str]], path: str, part: Part) -> Iterator[str]:
    """Yield the text of each section from a path on."""
    for name in _named(part):
        section = document["$defs"][name]
        keys = section["properties"]
        constants = [f", {key}: {below['const']}" for key, below in keys.items() if "const" in below]
        yield f"\n## `{path}`{''.join(constants)}\n\n{section['description']}\n\n"
        yield _keys(document, section, required[name])
        for key, below in keys.items():
            yield from _sections(document, required, f"{path}.{key}", below)


def _keys(document: Part, section: Part, required: set[str]) -> str:
    return table(
        ("key", "type", "default", "meaning", "example"),
        [
            (
                f"`{key}`",
                _type(below),
                _default(below, key in required),
                below.get("description") or _meaning(document, below),
                _example(below),
            )
            for key, below in section["properties"].items()
        ],
    )


def _named(part: Part) -> list[str]:
    """Return the sections that may stand at a place."""
    if "$ref" in part:
        return [part["$ref"].rpartition("/")[2]]
    inner = [*part.get("anyOf", ()), *part.get("oneOf", ()), *([part["items"]] if "items" in part else ())]
    return [name for one in inner for name in _named(one)]


def _meaning(document: Part, part: Part) -> str:
    return str(document["$defs"][_named(part)[0]]["description"])


def _type(part: Part) -> str:
    branches = [one for one in (*part.get("anyOf", ()), *part.get("oneOf", ())) if one.get("type") != "null"]
    if branches:
        return " or ".join(dict.fromkeys(_type(one) for one in branches))
    if "$ref" in part:
        return "section"
    if "const" in part:
        return f"`{part['const']}`"
    if "enum" in part:
        return ", ".join(f"`{choice}`" for choice in part["enum"])
    if part["type"] == "array":
        return f"list of {_type(part['items'])}"
    if part["type"] == "object":
        return "reference" if "file" in part.get("properties", {}) else "section for each name"
    if "pattern" in part:
        return "duration"
    return {"boolean": "`true`, `false`", "integer": "whole number"}.get(
        part["type"], "URL" if part.get("format") == "uri" else "text"
    )


def _default(part: Part, is_required: bool) -> str:
    if is_required:
        return "*required*"
    return f"`{_yaml(part['default'])}`" if part.get("default") not in (None, []) else ""


def _example(part: Part) -> str:
    return f"`{_yaml(part['examples'][0])}`" if part.get("examples") else ""


def _yaml(value: object) -> str:
    """Return a value as it is written on one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("\n...\n").strip()
