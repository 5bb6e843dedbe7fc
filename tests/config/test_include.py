"""A configuration in many files: one that is named, and those that it includes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rotator.config import ConfigurationError, included_schema, load, load_lenient, reload, schema_text
from tests.config.conftest import ACME, DEPLOYER, VAULT, Write

CONFIG = Path(__file__).parents[2] / "config"
INCLUDE = VAULT + "include: [config.d/*.yaml]\n"
GLOBEX = ACME.replace("acme", "globex")
Part = Callable[[str, str], Path]


@pytest.fixture
def part(tmp_path: Path) -> Part:
    """Write a file of config.d, with credentials unless told otherwise."""
    (tmp_path / "config.d").mkdir()

    def write_part(name: str, text: str) -> Path:
        file = tmp_path / "config.d" / name
        file.write_text(text if text.lstrip().startswith(("cred", "def", "- ")) else "credentials:\n" + text)
        return file

    return write_part


def mistakes(file: Path) -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        load(file)
    assert all(one.mend.strip() for one in refused.value.problems)
    return [f"{one.file.name}:{one.line}: {one.key}: {one.message}" for one in refused.value.problems]


def test_credentials_of_all_files_are_served_in_the_order_of_their_names(write: Write, part: Part):
    part("b.yaml", GLOBEX)
    part("a.yaml", ACME)
    configuration = load(write(INCLUDE + "credentials:\n" + DEPLOYER))
    assert list(configuration.credentials) == ["deployer", "acme", "globex"]
    assert configuration.origin("acme").name == "a.yaml"
    assert configuration.origin("deployer") == configuration.file


def test_patterns_names_and_folders_below(write: Write, part: Part, tmp_path: Path):
    part("a.yaml", ACME)
    (tmp_path / "config.d" / "below").mkdir()
    (tmp_path / "config.d" / "below" / "b.yml").write_text("credentials:\n" + GLOBEX)
    (tmp_path / "config.d" / "note.txt").write_text("nothing of ours")
    file = write(VAULT + "include: [config.d/a.yaml, config.d/*.yaml, config.d/**/*.yml]\n")
    assert list(load(file).credentials) == ["acme", "globex"]


def test_a_file_does_not_include_itself(write: Write):
    assert list(load(write(VAULT + "include: ['*.yaml']\ncredentials:\n" + ACME)).credentials) == ["acme"]


def test_the_links_of_a_mounted_config_map_are_followed_once(write: Write, tmp_path: Path):
    folder = tmp_path / "config.d"
    (folder / "..2026_11_26").mkdir(parents=True)
    (folder / "..2026_11_26" / "a.yaml").write_text("credentials:\n" + ACME)
    (folder / "..data").symlink_to("..2026_11_26")
    (folder / "a.yaml").symlink_to("..data/a.yaml")
    old = load(write(VAULT + "include: ['config.d/**/*.yaml']\n"))
    assert list(old.credentials) == ["acme"]
    (folder / "..2026_11_27").mkdir()
    (folder / "..2026_11_27" / "a.yaml").write_text("credentials:\n" + GLOBEX)
    (folder / "..data").unlink()
    (folder / "..data").symlink_to("..2026_11_27")
    assert list(reload(old)[0].credentials) == ["globex"]


def test_defaults_of_a_file_are_for_it_alone_and_over_those_of_the_whole(write: Write, part: Part):
    part("a.yaml", "defaults: {session: {refresh_every: 20m}}\ncredentials:\n" + ACME)
    part("b.yaml", GLOBEX)
    said = "defaults: {session: {refresh_every: 25m, verify_every: 9m}, key: {bits: 4096}}\n"
    found = load(write(INCLUDE + said)).credentials
    told = {
        name: (str(one.session.refresh_every), str(one.session.verify_every), one.key.bits)
        for name, one in found.items()
    }
    assert told == {"acme": ("0:20:00", "0:09:00", 4096), "globex": ("0:25:00", "0:09:00", 4096)}


def test_relative_paths_start_from_the_file_in_which_they_are_written(
    write: Write, part: Part, tmp_path: Path
):
    own = "    session: {client_secret: {file: own}}\n"
    deploy = (
        "    app: {name: A}\n    deploy: {publisher: metadata, with: deployer, source: {directory: app}}\n"
    )
    part("a.yaml", ACME + own + deploy)
    part(
        "b.yaml",
        GLOBEX + "    app: {name: B}\n    deploy: {publisher: metadata, with: deployer}\n" + DEPLOYER,
    )
    common = "defaults: {session: {client_secret: {file: common}}, deploy: {source: {directory: apps}}}\n"
    found = load(write(INCLUDE + common)).credentials
    secrets = {name: one.session.client_secret for name, one in found.items()}
    assert secrets["acme"].path() == tmp_path / "config.d" / "own"
    assert secrets["globex"].path() == tmp_path / "common"
    folders = {name: found[name].deploy.source.directory for name in ("acme", "globex")}
    assert folders == {"acme": tmp_path / "config.d" / "app", "globex": tmp_path / "apps"}


def test_all_mistakes_of_all_files_are_told_each_with_its_file_and_line(write: Write, part: Part):
    part("a.yaml", ACME + "    key: {bits: 1024}\n")
    part("b.yaml", "defaults: {session: {refresh_every: soon}}\nlog: {level: debug}\ncredentials:\n" + GLOBEX)
    part("c.yaml", "- nothing\n")
    part("d.yaml", "credentials: [\n")
    part("e.yaml", "defalts: {}\ncredentials: {}\n")
    told = mistakes(write(INCLUDE + "lg: {}\n"))
    assert [" ".join(one.split(": ")[:2]) for one in told] == [
        "rotator.yaml:5 lg",
        "a.yaml:6 credentials.acme.key.bits",
        "b.yaml:1 defaults.session.refresh_every",
        "b.yaml:2 log",
        "c.yaml:1 ",
        "d.yaml:2 ",
        "e.yaml:1 defalts",
        "e.yaml:2 credentials",
    ]


def test_a_credential_that_is_named_twice_is_told_with_both_places(write: Write, part: Part):
    part("a.yaml", ACME)
    second = part("b.yaml", GLOBEX + ACME)
    (told,) = mistakes(write(INCLUDE))
    assert told == f"b.yaml:6: credentials.acme: is written twice, first in {second.parent / 'a.yaml'}:2"
    configuration, problems = load_lenient(write(INCLUDE))
    assert (list(configuration.credentials), [one.credential for one in problems]) == (["globex"], ["acme"])


def test_what_goes_together_is_looked_at_across_files(write: Write, part: Part):
    part("a.yaml", ACME)
    part("b.yaml", GLOBEX.replace("3MVG9globex", "3MVG9acme"))
    part("c.yaml", DEPLOYER + "    deploy: {publisher: metadata, with: nobody}\n    app: {name: D}\n")
    told = mistakes(write(INCLUDE))
    assert [one.split(": ")[:2] for one in told] == [
        ["b.yaml:4", "credentials.globex.consumer_key"],
        ["c.yaml:7", "credentials.deployer.deploy.with"],
    ]


def test_defaults_of_the_whole_that_fail_a_credential_of_a_file_concern_all(write: Write, part: Part):
    part("a.yaml", ACME)
    file = write(INCLUDE + "defaults: {session: {refresh_every: 3h}}\n")
    with pytest.raises(ConfigurationError, match=r"rotator.yaml:5: defaults.session.refresh_every.*acme"):
        load_lenient(file)


BROKEN = ["credentials: [\n", "defaults: {key: {bits: 1}}\ncredentials:\n" + ACME, "- nothing\n"]


@pytest.mark.parametrize("text", BROKEN, ids=["no YAML", "wrong defaults", "no section"])
def test_at_a_start_a_file_that_does_not_hold_is_set_aside_and_the_rest_is_served(
    write: Write, part: Part, text: str
):
    bad = part("a.yaml", text)
    part("b.yaml", GLOBEX)
    configuration, problems = load_lenient(write(INCLUDE))
    assert list(configuration.credentials) == ["globex"]
    assert {(one.file, one.credential) for one in problems} == {(bad, None)}


@pytest.mark.parametrize("text", BROKEN, ids=["no YAML", "wrong defaults", "no section"])
def test_at_a_reload_its_credentials_keep_their_settings_however_often(write: Write, part: Part, text: str):
    part("a.yaml", ACME)
    part("b.yaml", GLOBEX)
    old = load(write(INCLUDE))
    part("a.yaml", text)
    part("b.yaml", GLOBEX + "    api_version: 66.0\n")
    new, _problems = reload(reload(old)[0])
    assert new.credentials["acme"] == old.credentials["acme"]
    assert new.credentials["globex"].api_version == "66.0"
    part("a.yaml", ACME + "    api_version: 65.0\n")
    mended, problems = reload(new)
    assert (mended.credentials["acme"].api_version, problems) == ("65.0", ())


def test_while_a_file_does_not_hold_nobody_is_let_go_for_it_may_have_moved_there(write: Write, part: Part):
    old = load(write(INCLUDE + "credentials:\n" + ACME + GLOBEX))
    part("a.yaml", "credentials: [\n")
    write(INCLUDE + "credentials:\n" + GLOBEX)
    new, _problems = reload(reload(old)[0])
    assert (new.credentials["acme"], new.kept) == (old.credentials["acme"], {"acme"})
    part("a.yaml", DEPLOYER)
    mended = reload(new)[0]
    assert (set(mended.credentials), mended.kept) == ({"globex", "deployer"}, set())


def test_one_whose_file_was_renamed_wrongly_is_kept(write: Write, part: Part):
    part("a.yaml", ACME)
    part("b.yaml", GLOBEX)
    old = load(write(VAULT + "include: [config.d/a.yaml, config.d/b.yaml]\n"))
    write(VAULT + "include: [config.d/aa.yaml, config.d/b.yaml]\n")
    assert set(reload(old)[0].credentials) == {"acme", "globex"}


def test_one_that_has_moved_out_of_a_broken_file_has_its_new_settings(write: Write, part: Part):
    part("a.yaml", ACME)
    part("b.yaml", GLOBEX)
    old = load(write(INCLUDE))
    part("a.yaml", "credentials: [\n")
    part("b.yaml", GLOBEX + ACME + "    api_version: 66.0\n")
    assert reload(old)[0].credentials["acme"].api_version == "66.0"


def test_the_move_into_another_file_changes_nothing(write: Write, part: Part):
    old = load(write(INCLUDE + "credentials:\n" + ACME + GLOBEX))
    part("a.yaml", ACME)
    write(INCLUDE + "credentials:\n" + GLOBEX)
    new = reload(old)[0]
    assert new.credentials["acme"] == old.credentials["acme"]


def test_those_whose_deployer_stands_in_a_file_that_cannot_be_read_keep_theirs(write: Write, part: Part):
    deploy = "    app: {name: Rotator}\n    deploy: {publisher: metadata, with: deployer}\n"
    part("a.yaml", ACME + deploy)
    part("d.yaml", DEPLOYER)
    part("g.yaml", GLOBEX)
    old = load(write(INCLUDE))
    part("d.yaml", "credentials: [\n")
    new, problems = reload(old)
    assert new.credentials == old.credentials
    assert "deploys for it, is set aside" in next(one.message for one in problems if one.credential == "acme")
    assert not any("there is no credential" in one.message for one in problems)


@pytest.mark.parametrize(
    ("include", "key", "what"),
    [
        ("[absent.d/*.yaml]", "include[0]", "cannot be read: No such file"),
        ("config.d/*.yaml", "include", "should be a list"),
        ("[config.d/*.yaml, 7]", "include[1]", "should be text"),
        ("[config.d/*.yaml]", "include", "names no file"),
    ],
)
def test_a_fleet_does_not_vanish_by_a_slip_in_include(
    write: Write, part: Part, include: str, key: str, what: str
):
    told = mistakes(write(VAULT + f"include: {include}\n"))
    assert any(f": {key}: " in one and what in one for one in told), told


@pytest.mark.parametrize("pattern", ["config.d/*.yml", "config.d/**/*.yml", "*/[b-z].yaml", "*.yml"])
def test_a_pattern_that_passes_over_all_files_is_a_mistake(write: Write, part: Part, pattern: str):
    part("a.yaml", ACME)
    told = mistakes(write(VAULT + f"include: ['{pattern}']\ncredentials:\n" + GLOBEX))
    assert told == [f"rotator.yaml:4: include[0]: {pattern} matches no file"]


def test_a_slip_in_a_pattern_is_refused_at_a_reload_so_that_nobody_is_let_go(write: Write, part: Part):
    part("a.yaml", ACME)
    old = load(write(INCLUDE + "credentials:\n" + GLOBEX))
    write(VAULT + "include: [config.d/*.yml]\ncredentials:\n" + GLOBEX)
    with pytest.raises(ConfigurationError, match="matches no file\n  mend: Correct the pattern"):
        reload(old)


@pytest.mark.parametrize("hidden", [False, True], ids=["nothing", "a name with a dot"])
def test_a_folder_may_be_empty(write: Write, tmp_path: Path, hidden: bool):
    (tmp_path / "config.d" / "..data").mkdir(parents=True)
    if hidden:
        (tmp_path / "config.d" / ".a.yaml.swp").write_text("")
    file = write(VAULT + "include: ['config.d/**/*.yaml', 'config.d/*.yaml']\ncredentials:\n" + GLOBEX)
    assert list(load(file).credentials) == ["globex"]


def test_a_file_that_is_named_and_not_there_is_a_mistake_of_that_file(
    write: Write, part: Part, tmp_path: Path
):
    part("a.yaml", ACME)
    gone = tmp_path / "config.d" / "gone.yaml"
    gone.symlink_to("nowhere")
    file = write(VAULT + "include: [config.d/*.yaml, b.yaml, config.d/a.yaml/b.yaml]\n")
    configuration, problems = load_lenient(file)
    assert list(configuration.credentials) == ["acme"]
    assert [one.file.name for one in problems] == ["gone.yaml", "b.yaml", "b.yaml"]
    lost = "\n  mend: Put back what the link leads to, or remove it."
    mend = "\n  mend: Correct the name, or take the entry out."
    assert [str(one) for one in problems] == [
        f"{file}:4: include[0]: {gone} leads to no file{lost}",
        f"{file}:4: include[1]: b.yaml does not exist{mend}",
        f"{file}:4: include[2]: config.d/a.yaml/b.yaml does not exist{mend}",
    ]


def test_what_is_there_and_cannot_be_read_has_a_mend_of_its_own(
    write: Write, part: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    part("a.yaml", ACME)
    secret = tmp_path / "secret.yaml"
    secret.write_text("")
    opened = Path.open

    def refusing(file: Path, *args, **kwargs):
        if file == secret:
            raise PermissionError(13, "Permission denied", str(file))
        return opened(file, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refusing)
    _configuration, problems = load_lenient(
        write(VAULT + "include: [config.d/*.yaml, secret.yaml, config.d]\n")
    )
    assert [(one.file.name, one.message, one.mend) for one in problems] == [
        ("secret.yaml", "cannot be read: Permission denied", "Let rotator's user read it."),
        ("config.d", "cannot be read: Is a directory", "Name the files in it, such as config.d/*.yaml."),
    ]


def test_the_schema_of_included_files_stands_beside_their_example():
    assert (CONFIG / "included.schema.json").read_text() == schema_text(included=True), (
        "make it anew: rotator schema --included > config/included.schema.json"
    )
    first = (CONFIG / "included.example.yaml").read_text().partition("\n")[0]
    assert first == "# yaml-language-server: $schema=included.schema.json"
    document = included_schema()
    assert (document["properties"].keys(), document["required"]) == (
        {"credentials", "defaults"},
        ["credentials"],
    )
    assert all(f'"{name}"' in json.dumps(document) for name in ("CredentialConfig", "Deploy"))


def test_the_example_of_an_included_file_holds(write: Write, part: Part):
    part("initech.yaml", "credentials: {}").write_text((CONFIG / "included.example.yaml").read_text())
    assert list(load(write(INCLUDE)).credentials) == ["initech"]
