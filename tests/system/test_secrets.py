"""No secret gets out: what a run shows, through all that may happen to it, is searched for each of its secrets."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from rotator.cli import main
from tests.world import story
from tests.world.canary import canary
from tests.world.consumer import query_until_useful
from tests.world.ledger import PUBLISHED
from tests.world.searcher import Searcher
from tests.world.site import site

pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).parents[2]
COMMANDS = {
    "status": [],
    "plan": [],
    "history": ["acme"],
    "certificate": ["acme", "--csr"],
    "check": [],
    "doctor": [],
    "token": ["acme"],
    "alive": [],
    "rotate": ["globex"],
    "rehearse": ["deployer"],
    "rollback": ["globex"],
    "abort": ["acme"],
    "pause": ["deployer"],
    "resume": ["deployer"],
    "deployed": ["acme"],
    "init": ["acme"],
    "adopt": [
        "acme",
        "--key",
        "{work}/acme.key",
        "--cert",
        "{work}/acme.crt",
        "--passphrase-file",
        "{work}/passphrase",
    ],
    "once": [],
    "export": ["postman", "acme", "--directory", "{work}/postman"],
    "install": [
        "systemd",
        "--dry-run",
        "--program",
        "/opt/rotator/bin/rotator",
        "-c",
        "/etc/rotator/rotator.yaml",
    ],
    "schema": [],
    "events": [],
    "vault-policy": ["daemon"],
}
ELSEWHERE = {
    "run": "it is the daemon, which runs all the while",
    "completion": "it prints the same script to everybody",
    "help": "it prints what is built in",
    "withdraw": "it removes a document that it does not read",
    "sandbox": "it prints how to reach its own throw-away Vault, root token and all",
    "demo": "it is the same daemon, on a sandbox that is gone with all its secrets when it ends",
}
"""Commands that are not searched here, and why."""

MADE_TO_SHOW = {
    "token acme --show-secrets": None,
    "export postman acme --with-private-key --directory {work}/key": "{work}/key/acme.postman_environment.json",
    "export postman acme --with-assertion --directory {work}/jwt": "{work}/jwt/acme.postman_environment.json",
}
"""Commands by which an operator asks for a secret, and the file in which it is then; None: it is printed."""

PROBE = re.compile(r"[a-z0-9_]{8}")
"""What Python's tempfile calls the file by which it tries whether a folder can be written, and removes at once."""

KINDS = {
    "a Vault token",
    "a secret_id",
    "a wrapping token",
    "a private key",
    "the key of an administrator",
    "the encrypted key",
    "the passphrase",
    "an assertion",
    "an access token",
    "the client secret",
    "the proxy's password",
    "the proxy's URL",
    "the token of the port",
}
"""What a run has secrets of, at least."""

SURFACES = (
    "log",
    "standard output of commands",
    "standard error of commands",
    "command lines",
    "environments",
    "files",
    "what systemd is told",
    "pages, health and metrics",
    "request lines, which every server logs",
    "records in Vault",
    "the wheel",
    "the source archive",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A canary that has been through everything, and all that it showed."""
    with canary(tmp_path_factory.mktemp("canary")) as it:
        story.configure(it)
        story.begin(it)
        story.change(it)
        story.lock_out(it)
        ask_everything(it)
        story.look(it)
        for tap in (it.org, it.vault):
            story.weather(it, tap)
            story.look(it)
        story.surprise(it)
        story.speak_otherwise(it)
        story.lose_everything(it)
        it.gather()
        show_what_is_shipped(it)
        yield it


def ask_everything(it):
    """Run every command, for people and for programs."""
    for name, arguments in COMMANDS.items():
        given = [argument.format(work=it.work) for argument in arguments]
        it.run(name, *given)
        leaf = main.commands[name]
        while hasattr(leaf, "commands"):
            leaf = leaf.commands[arguments[0]]
        if any(parameter.name == "as_json" for parameter in leaf.params):
            it.run(name, *given, "--json")
    it.here.await_steady()


def show_what_is_shipped(it):
    """Build what is shipped, and keep what is packed in it."""
    dist = it.work.parent / f"{it.work.name}-dist"
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(dist)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    for file in dist.glob("*.whl"):
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                it.show("the wheel", name.encode() + b"\n" + archive.read(name))
    for file in dist.glob("*.tar.gz"):
        with tarfile.open(file) as archive:
            for member in archive.getmembers():
                if (stream := archive.extractfile(member)) is not None:
                    it.show("the source archive", member.name.encode() + b"\n" + stream.read())


def test_nothing_that_a_run_shows_holds_a_secret_in_any_encoding(run, figures):
    secrets = run.secrets()
    figures(
        secrets=len(secrets),
        kinds=len(set(secrets.values())),
        kilobytes_searched={name: sum(map(len, pieces)) // 1000 for name, pieces in run.shown.items()},
        commands=len(run.shown["standard output of commands"]),
        processes=len(run.processes.seen),
        files=len(run.files.seen),
        files_gone_before_they_were_read=len(run.files.missed),
        sightings=sum(map(len, run.sightings().values())),
    )
    assert run.sightings() == {}
    assert [path for path in run.files.missed if not PROBE.fullmatch(path.name)] == []
    for surface in SURFACES[:3]:  # not even what only looks like one
        assert run.here.leaks(b"".join(run.shown[surface]).decode()) == []


def test_every_kind_of_secret_was_there_to_be_seen(run):
    assert set(run.secrets().values()) >= KINDS
    assert {surface for surface in SURFACES if not b"".join(run.shown[surface])} == set()


def test_every_secret_is_found_where_it_is_shown(run):
    searcher = Searcher(run.secrets())
    assert [what for secret, what in run.secrets().items() if not searcher.find(f"({secret})")] == []


def test_every_fault_was_met_by_vault_and_org(run):
    assert [tap.storm.is_through() for tap in (run.org, run.vault)] == [True, True]


@pytest.mark.parametrize("program", ["rotator\0run\0", "publishers/supervisor.py", "install-certificate"])
def test_no_core_dump_is_written_of_the_daemon_nor_of_what_it_starts(run, program):
    limits = [one.core_limit for one in run.processes.seen.values() if program.encode() in one.command]
    assert limits
    assert set(limits) == {"0/0"}


@pytest.mark.parametrize("asked", MADE_TO_SHOW)
def test_a_secret_that_was_asked_for_is_where_it_was_wanted_and_nowhere_else(run, asked):
    ran = run.rotator.process(*asked.format(work=run.work).split())
    assert ran.code == 0
    wanted, other = ran.out, ran.err
    if (file := MADE_TO_SHOW[asked]) is not None:
        path = Path(file.format(work=run.work))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        wanted, other = path.read_text(), ran.out + ran.err
    assert run.here.leaks(wanted)
    assert run.here.leaks(other) == []


def test_every_command_is_searched_or_named_as_one_that_is_not():
    assert COMMANDS.keys() | ELSEWHERE.keys() == main.commands.keys()


def test_after_a_rotation_the_org_refuses_the_old_key_and_takes_the_one_in_vault(figures):
    with site() as here:
        assert here.rotate("acme") == 2
        record, keys = here.ledger.record("acme"), here.ledger.keys("acme")
        refused = taken = 0
        for user in PUBLISHED["acme"]:
            for _server in range(6):
                old = here.log_in("acme", user, keys[record["previous"]].private_key)
                assert (old.status_code, old.json()["error"]) == (400, "invalid_grant")
                refused += 1
            new = here.log_in("acme", user, keys[record["current"]].private_key)
            assert new.status_code == 200, new.text
            grant = {**new.json(), "api_version": "60.0"}
            assert query_until_useful(grant).status_code == 200
            taken += 1
        figures(refused=refused, taken=taken, current=record["current"], previous=record["previous"])
