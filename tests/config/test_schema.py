"""The JSON Schema beside the example is made by the code that reads the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rotator.config import schema, schema_text
from rotator.config.credential import default_audience, is_production
from rotator.config.sections import Subject
from rotator.keypairs import SUBJECT_ATTRIBUTES

CONFIG = Path(__file__).parents[2] / "config"


def test_the_schema_beside_the_example_is_up_to_date():
    assert (CONFIG / "rotator.schema.json").read_text(encoding="utf-8") == schema_text(), (
        "make it anew: rotator schema > config/rotator.schema.json"
    )


def test_the_example_names_the_schema_in_its_first_line():
    first = (CONFIG / "rotator.example.yaml").read_text(encoding="utf-8").partition("\n")[0]
    assert first == "# yaml-language-server: $schema=rotator.schema.json"


def properties() -> list[tuple[str, str, dict[str, Any]]]:
    definitions = schema()["$defs"]
    return [
        (section, key, {**definitions.get(part.get("$ref", "").rpartition("/")[2], {}), **part})
        for section, definition in definitions.items()
        for key, part in definition.get("properties", {}).items()
    ]


def test_every_key_is_described():
    assert [(section, key) for section, key, part in properties() if not part.get("description")] == []


def test_every_key_stands_in_the_example():
    text = (CONFIG / "rotator.example.yaml").read_text(encoding="utf-8")
    assert sorted({key for _section, key, _part in properties() if key not in text}) == []


def test_durations_have_a_pattern_and_readable_defaults():
    rotation = schema()["$defs"]["Rotation"]["properties"]
    assert rotation["renew_before"]["default"] == "30d"
    assert rotation["renew_before"]["pattern"].startswith("^(?=\\d)")


def test_nothing_is_required_of_a_credential_because_defaults_may_have_it():
    document = schema()
    assert "required" not in document["$defs"]["CredentialConfig"]
    assert document["required"] == ["vault"]
    assert document["anyOf"] == [{"required": ["credentials"]}, {"required": ["include"]}]
    assert document["properties"]["defaults"]["$ref"] == "#/$defs/CredentialConfig"
    assert json.loads(schema_text()) == document


def test_the_subject_has_what_certificates_can_carry():
    assert set(Subject.model_fields) == set(SUBJECT_ATTRIBUTES)


@pytest.mark.parametrize(
    ("login_url", "audience", "production"),
    [
        ("https://login.salesforce.com", "https://login.salesforce.com", True),
        ("https://test.salesforce.com", "https://test.salesforce.com", False),
        ("https://acme.my.salesforce.com", "https://login.salesforce.com", True),
        ("https://acme.develop.my.salesforce.com", "https://login.salesforce.com", True),
        ("https://acme--uat.sandbox.my.salesforce.com", "https://acme--uat.sandbox.my.salesforce.com", False),
        ("https://acme.scratch.my.salesforce.com", "https://acme.scratch.my.salesforce.com", False),
        ("https://acme.my.site.com/customers", "https://acme.my.site.com/customers", True),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", False),
    ],
)
def test_production_and_its_audience_show_in_the_login_url(login_url: str, audience: str, production: bool):
    assert default_audience(login_url) == audience
    assert is_production(login_url) is production


@pytest.mark.parametrize(
    ("login_url", "audience"),
    [
        ("https://login.salesforce.com", "https://login.salesforce.com"),
        ("https://login.salesforce.com/", "https://login.salesforce.com"),
        ("https://test.salesforce.com", "https://test.salesforce.com"),
        ("https://TEST.salesforce.com/", "https://test.salesforce.com"),
        ("https://acme.my.salesforce.com", "https://login.salesforce.com"),
        ("https://acme-dev-ed.develop.my.salesforce.com", "https://login.salesforce.com"),
        ("https://na139.salesforce.com", "https://login.salesforce.com"),
        ("https://cs42.salesforce.com", "https://test.salesforce.com"),
        ("https://acme--uat.sandbox.my.salesforce.com/", "https://acme--uat.sandbox.my.salesforce.com"),
        ("https://acme--uat.my.salesforce.com", "https://acme--uat.my.salesforce.com"),
        ("https://x-y.scratch.my.salesforce.com", "https://x-y.scratch.my.salesforce.com"),
        ("https://acme.my.site.com/customers/", "https://acme.my.site.com/customers"),
        ("https://portal.acme.example", "https://portal.acme.example"),
        ("https://acme.my.sfcrmproducts.cn", "https://acme.my.sfcrmproducts.cn"),
        ("https://evil-salesforce.com", "https://evil-salesforce.com"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("https://[::1", "https://[::1"),
    ],
)
def test_the_audience_follows_from_the_login_url(login_url: str, audience: str):
    assert default_audience(login_url) == audience
