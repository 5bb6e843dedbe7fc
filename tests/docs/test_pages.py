"""Every page: its links lead somewhere, its commands can be typed, its configurations hold."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest
import yaml

from rotator.cli import main
from rotator.config import load
from rotator.config.model import Configuration
from rotator.events import CATALOGUE
from tests.docs.commands import context_of_main
from tests.docs.configuration import settings
from tests.docs.made import PAGES as MADE
from tests.docs.markdown import ROOT, anchors, blocks, code, links

TRACKED = subprocess.run(
    ["git", "ls-files", "*.md"], cwd=ROOT, check=True, capture_output=True, text=True
).stdout
PAGES = sorted(ROOT / path for path in TRACKED.split())
EXTERNAL = {
    "https://keepachangelog.com/en/1.1.0/",
    "https://semver.org/spec/v2.0.0.html",
}
SECTIONS = {*Configuration.model_fields, "defaults"}
SHELLS = {"sh", "bash", "console"}
BEGINNING = {
    "vault": {
        "address": "https://vault.example.com:8200",
        "login": {"method": "token", "token": {"file": "token"}},
    },
    "credentials": {
        "acme": {
            "login_url": "https://acme.my.salesforce.com",
            "consumer_key": "3MVG9acme",
            "app": {"name": "Rotator_Acme"},
            "users": ["integration@acme.example"],
        },
        "deployer": {
            "login_url": "https://acme.my.salesforce.com",
            "consumer_key": "3MVG9deployer",
            "app": {"name": "Rotator_Deployer"},
            "users": ["deployer@acme.example"],
            "publish": False,
            "deploy": {"publisher": "manual"},
        },
    },
}
"""What a fragment of a page is put into, where it names no more than it is about."""

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@each_page
def test_links_lead_to_what_is_there(page):
    outside = {link for link in links(page.read_text()) if "//" in link}
    assert outside <= EXTERNAL, "few links lead outside, and those are listed"
    for link in set(links(page.read_text())) - outside:
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text()), link


def test_every_page_of_the_documentation_is_in_its_index():
    index = ROOT / "docs" / "README.md"
    listed = {(index.parent / link.partition("#")[0]).resolve() for link in links(index.read_text())}
    assert {page for page in PAGES if page.is_relative_to(index.parent)} - {index} <= listed
    assert "docs/README.md" in links((ROOT / "README.md").read_text())


@each_page
def test_what_is_shown_for_a_shell_or_a_cluster_can_be_read_by_it(page):
    for block in blocks(page.read_text()):
        if block.language in SHELLS:
            # A word in angle brackets is to be filled in.
            text = re.sub(r"<[\w-]+>", "x", block.text)
            subprocess.run(["bash", "-n"], input=text, text=True, check=True)
        elif block.language == "yaml":
            yaml.safe_load(block.text)


def commands_of(page: Path) -> list[str]:
    """Return each line of a page that calls rotator: in the boxes for a shell, and as code within the text."""
    text = page.read_text()
    typed = [line for block in blocks(text) if block.language in SHELLS for line in block.commands]
    typed += [line for line in code(text) if line.startswith("rotator ")]
    return [one for line in typed for one in calls(line)]


def calls(line: str) -> list[str]:
    """Return the calls of rotator within a line of a shell, without what is theirs to redirect."""
    line = line.partition(" #")[0]
    parts = re.split(r"&&|\|\|?|;|\$\(|&\s*$", line)
    bare = [re.sub(r"^\(?(?:sudo )?(?:\S*/)?(?=rotator )", "", part.strip()) for part in parts]
    return [re.sub(r"\d?>+.*$", "", part).strip() for part in bare if re.match(r"rotator(?: |$)", part)]


@each_page
def test_commands_can_be_typed_as_they_stand(page):
    for typed in commands_of(page):
        words = shlex.split(typed)[1:]
        assert understood(main, words), typed


def understood(command: click.Command, words: list[str]) -> bool:
    """Tell whether click takes these words. What lacks an argument is named, and not shown as a whole."""
    if not words or words[0] in {"COMMAND", "--help", "--version"}:
        return True
    if isinstance(command, click.Group) and not words[0].startswith("-"):
        below = command.get_command(click.Context(command), words[0])
        return below is not None and understood(below, words[1:])
    context = click.Context(command, parent=context_of_main(), resilient_parsing=True)
    try:
        _values, rest, _order = command.make_parser(context).parse_args(list(words))
    except click.UsageError:
        return False
    return not rest or isinstance(command, click.Group)


def configurations() -> list[tuple[str, str]]:
    """Return every configuration, or part of one, with where it stands."""
    return [
        (f"{page.relative_to(ROOT)}:{block.line}", block.text)
        for page in PAGES
        for block in blocks(page.read_text())
        if block.language == "yaml" and not block.mark.startswith("of ")  # another program
    ]


@pytest.mark.parametrize(
    "text", [text for _where, text in configurations()], ids=[where for where, _text in configurations()]
)
def test_a_configuration_passes_check(text, tmp_path):
    said = yaml.safe_load(text)
    assert set(said) <= SECTIONS
    path = tmp_path / "rotator.yaml"
    path.write_text(
        yaml.safe_dump(said if {"vault", "credentials"} <= set(said) else put_into(BEGINNING, said))
    )
    for pattern in said.get("include", ()):
        team = tmp_path / pattern.replace("*", "team")
        team.parent.mkdir()
        team.write_text((ROOT / "config" / "included.example.yaml").read_text())
    (tmp_path / "token").touch(0o600)
    (tmp_path / "secret_id").touch(0o600)
    load(path)


def put_into(whole, part):
    """Return a configuration with a part of it replaced; another login takes the place of the one there."""
    if not isinstance(whole, dict) or not isinstance(part, dict) or "method" in part:
        return part
    return {key: put_into(whole.get(key), part[key]) if key in part else whole[key] for key in whole | part}


NAMED = re.compile(r"[a-z]\w*(?:\.[a-z]\w*)+")
FILES = (
    ".yaml",
    ".py",
    ".xml",
    ".log",
    ".md",
    ".json",
    ".svg",
    ".crt",
    ".example",
    ".com",
    ".service",
    ".timer",
)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.is_relative_to(ROOT / "docs")], ids=lambda page: page.stem
)
def test_settings_and_events_that_are_named_exist(page):
    known = settings() | {event.name for event in CATALOGUE}
    named = {word for word in code(page.read_text()) if NAMED.fullmatch(word) and not word.endswith(FILES)}
    assert named - known == set()


def test_pages_that_are_made_say_so():
    assert all("Made by `python -m tests.docs`" in page.read_text() for page in MADE)


@pytest.mark.parametrize("typed", ["rotat acme", "rotate acme --wiat", "export postmann acme", "check acme"])
def test_a_mistyped_command_would_be_noticed(typed):
    assert not understood(main, typed.split())
