"""The JSON Schema of the file, made from the models that read it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from rotator.config.durations import format_duration
from rotator.config.model import Configuration
from rotator.config.problems import Loc

SCHEMA_FILE = "rotator.schema.json"
_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the configuration, for editors and other checkers.

    What a credential needs may come from ``defaults``, which a schema can't follow: nothing is required there.
    `rotator check` is the judge.
    """
    document = Configuration.model_json_schema(by_alias=True, schema_generator=_Generator)
    definitions = document["$defs"]
    for definition in (document, *definitions.values()):
        for part in definition.get("properties", {}).values():
            if part.get("default") is None or isinstance(part["default"], dict):
                part.pop("default", None)  # nothing, or what the section's own keys tell
    for name in _within(definitions, "CredentialConfig"):
        definitions[name].pop("required", None)
    document["properties"] = {
        **document["properties"],
        "defaults": {
            "$ref": "#/$defs/CredentialConfig",
            "description": "Anything that a credential may have; each credential overrides what it names itself. "
            "An empty value there brings the built-in default back.",
        },
    }
    document["required"].remove("credentials")
    return {
        "$schema": _DRAFT,
        **document,
        "anyOf": [{"required": ["credentials"]}, {"required": ["include"]}],
        "title": "Configuration of rotator",
    }


def included_schema() -> dict[str, Any]:
    """Return the JSON Schema of the files that a configuration includes."""
    whole = schema()
    used = _within(whole["$defs"], "CredentialConfig")
    return {
        "$schema": _DRAFT,
        "$defs": {name: part for name, part in whole["$defs"].items() if name in used},
        "additionalProperties": False,
        "properties": {name: whole["properties"][name] for name in ("defaults", "credentials")},
        "required": ["credentials"],
        "title": "Credentials of rotator, included by its configuration",
        "type": "object",
    }


def schema_text(*, included: bool = False) -> str:
    """Return a JSON Schema as it is kept beside the example."""
    return json.dumps(included_schema() if included else schema(), indent=2) + "\n"


class _Generator(GenerateJsonSchema):
    """Writes durations as people do, and no titles that repeat the key."""

    def encode_default(self, dft: Any) -> Any:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the answer is always the same
        return False


def parts_at(document: dict[str, Any], path: Loc, value: object) -> list[dict[str, Any]]:
    """Return the schemas that describe what is at ``path`` in ``value``: one, or several alternatives.

    An alternative with a constant (``method: approle``) counts only where ``value`` holds that constant.
    """
    schemas = _alternatives(document, document, value)
    for part in path:
        below = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, tuple) and isinstance(part, int) and part < len(value):
            below = value[part]
        found = []
        for candidate in schemas:
            inner = (
                candidate.get("items") if isinstance(part, int) else candidate.get("properties", {}).get(part)
            )
            inner = inner or candidate.get("additionalProperties")
            if isinstance(inner, dict):
                found += _alternatives(document, inner, below)
        schemas, value = found, below
    return schemas


def _alternatives(document: dict[str, Any], part: dict[str, Any], value: object) -> list[dict[str, Any]]:
    own: dict[str, Any] = {key: part[key] for key in ("description", "examples", "default") if key in part}
    if "$ref" in part:
        part = document["$defs"][part["$ref"].rpartition("/")[2]]
    branches = part.get("anyOf") or part.get("oneOf")
    if not branches or "properties" in part:  # of the whole, they only say what it needs
        return [{**part, **own}] if _constants_fit(part, value) else []
    found = [inner for branch in branches for inner in _alternatives(document, branch, value)]
    return [{**inner, **own} for inner in found]


def _constants_fit(part: dict[str, Any], value: object) -> bool:
    if not isinstance(value, dict):
        return True
    properties = part.get("properties", {})
    return all(
        inner["const"] == value.get(key, inner["const"])
        for key, inner in properties.items()
        if "const" in inner
    )


def _within(definitions: dict[str, Any], name: str) -> set[str]:
    """Return the names of all definitions that one refers to, itself included."""
    found, waiting = set(), [name]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            text = json.dumps(definitions[current])
            waiting += [other for other in definitions if f'"#/$defs/{other}"' in text]
    return found
