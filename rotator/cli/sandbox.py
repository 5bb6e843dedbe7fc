"""The sandbox as a command: started, put to work once, described, and stopped."""

from __future__ import annotations

import json
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rotator.cli.exits import Exit
from rotator.cli.output import GOOD, complain, facts, print_json, say

if TYPE_CHECKING:
    from collections.abc import Sequence

EXTRA = "pip install '.[sandbox]'"


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a sandbox begins with: a fleet that works, or nothing; and where it writes (None: a temporary folder)."""

    empty: bool = False
    folder: Path | None = None


def lacking_extra() -> Exit | None:
    """Tell, and return the exit code, when what the sandbox is made of is not installed; None if it is."""
    try:
        import rotator.sandbox.stage  # noqa: F401 - whether they can be imported is all that is asked
    except ModuleNotFoundError as error:
        complain(
            f"the sandbox needs {error.name}, which is not installed",
            f"Install the extra, in a checkout of rotator: {EXTRA}.",
        )
        return Exit.USAGE
    return None


def stay(beginning: Beginning, *, as_json: bool) -> Exit:
    """Run a sandbox until SIGTERM or SIGINT."""
    if (code := lacking_extra()) is not None:
        return code
    from rotator.demo.policies import sandbox_policies
    from rotator.sandbox.lifetimes import FIRST_HOUR, SANDBOX
    from rotator.sandbox.stage import Stage
    from rotator.sandbox.vault_api import BaoError

    stop = threading.Event()
    # A flag, and no exception: that could come between a folder's making and the moment from which it is removed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    try:
        with Stage(
            sandbox_policies(),
            FIRST_HOUR if beginning.empty else SANDBOX,
            empty=beginning.empty,
            folder=beginning.folder,
        ) as stage:
            described = {**stage.describe(), "in_trouble": []}
            if not beginning.empty:
                if not as_json:
                    say("the key pairs are adopted, and the first tokens published ...", error=True)
                described["in_trouble"] = _begin(stage.config, stop)
            if stop.is_set():
                return Exit.INTERRUPTED
            if as_json:
                sys.stdout.write(json.dumps(described) + "\n")
                sys.stdout.flush()
            else:
                _introduce(described, _FIRST_HOUR if beginning.empty else _FLEET)
            stop.wait()
    except OSError as error:
        if beginning.folder is None or str(error.filename) != str(beginning.folder):
            raise
        complain(
            f"{beginning.folder} cannot be used: {error.strerror}",
            "Name an empty folder, or one that is not there in one where you may write; at the end it is as it was.",
        )
        return Exit.USAGE
    except BaoError as error:
        complain(str(error), "Is there room on loopback and in the folder for temporary files?")
        return Exit.PROBLEM
    return Exit.OK


def _begin(config: Path, stop: threading.Event) -> list[str]:
    """Let rotator take over the key pairs that were made by hand, and publish the first tokens."""
    from rotator.app import application
    from rotator.config import load
    from rotator.run.ask import acquaint
    from rotator.run.once import run_to_rest

    with application(load(config)) as app:
        acquaint(app)
        return run_to_rest(app, stop=stop)


def administer(config: Path, metadata: Path, *, as_json: bool) -> Exit:
    """Do in a sandbox that runs what a person does in an org's Setup."""
    if (code := lacking_extra()) is not None:
        return code
    from rotator.sandbox.administrator import administer as do
    from rotator.sandbox.control import ControlError

    try:
        keys = do(config, metadata)
    except (ControlError, OSError) as error:
        complain(
            f"the sandbox of {config} did not take {metadata}: {error}",
            "Does `rotator sandbox` run, and was the folder written by `rotator init`?",
        )
        return Exit.PROBLEM
    if as_json:
        print_json({"config": config, "consumer_keys": keys})
        return Exit.OK
    for app, key in keys.items():
        say(f"{app} is in the org; its consumer key {key[:8]}... is in {config.name}", GOOD)
    return Exit.OK


_FLEET = (
    ("rotator status", "how the credentials stand"),
    ("rotator plan", "what comes next, and when"),
    ("rotator doctor", "does everything work?"),
    ("rotator rotate acme --wait", "replace a key pair now"),
    ("rotator rollback acme --wait", "and go back"),
    ("rotator run", "let the daemon do it"),
)
_FIRST_HOUR = (
    ("rotator init deployer acme --here --directory {folder}/apps", ""),
    ("rotator sandbox --administer {folder}/apps", ""),
    ("rotator run 2> {folder}/rotator.log &", ""),
    ("rotator deployed deployer acme --wait", ""),
    ("rotator rotate acme --wait", ""),
)
"""As docs/tutorial.md explains them."""


def _introduce(described: dict[str, Any], commands: Sequence[tuple[str, str]]) -> None:
    say("A Salesforce org and a Vault server run on this machine, until Ctrl-C.", GOOD)
    salesforce, vault = described["salesforce"], described["vault"]
    facts(
        [
            ("org", str(salesforce["login_url"])),
            ("its knobs", str(salesforce["control_url"])),
            ("Vault", str(vault["address"])),
            ("its root token", str(vault["root_token"])),
            ("configuration", str(described["config"])),
        ]
    )
    say("")
    say('What comes next, in another terminal, or in this one if this runs behind "&":')
    folder = Path(described["config"]).parent
    shown = [(command.format(folder=_short(folder)), what) for command, what in commands]
    width = max(len(command) for command, _what in shown)
    activate = Path(sys.prefix) / "bin" / "activate"
    if (
        activate.is_relative_to(Path.cwd()) and activate.is_file()
    ):  # in a checkout no shell finds the command yet
        say(f"  . {_short(activate)}")
    say(f"  export ROTATOR_CONFIG={_short(folder)}/rotator.yaml")
    for command, what in shown:
        say(f"  {command:<{width}}   {what}".rstrip())


def _short(path: Path) -> Path:
    """Return a path as it is written from here, where that is shorter."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
