"""The sandbox as a command: started, put to work once, described, and stopped."""

from __future__ import annotations

import json
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from rotator.cli.exits import Exit
from rotator.cli.output import GOOD, complain, facts, say

if TYPE_CHECKING:
    from pathlib import Path

EXTRA = "pip install '.[sandbox]'"


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


def stay(folder: Path | None, *, as_json: bool) -> Exit:
    """Run a sandbox until SIGTERM or SIGINT, with its files in a folder or in one that it makes."""
    if (code := lacking_extra()) is not None:
        return code
    from rotator.demo.policies import sandbox_policies
    from rotator.sandbox.stage import Stage
    from rotator.sandbox.vault_api import BaoError

    stop = threading.Event()
    # A flag, and no exception: that could come between a folder's making and the moment from which it is removed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    try:
        with Stage(sandbox_policies(), folder=folder) as stage:
            if not as_json:
                say("the key pairs are adopted, and the first tokens published ...", error=True)
            troubled = _begin(stage.config, stop)
            if stop.is_set():
                return Exit.INTERRUPTED
            described = {**stage.describe(), "in_trouble": troubled}
            if as_json:
                sys.stdout.write(json.dumps(described) + "\n")
                sys.stdout.flush()
            else:
                _introduce(described)
            stop.wait()
    except BaoError as error:
        complain(str(error), "Is there room on loopback and in the folder for temporary files?")
        return Exit.PROBLEM
    except (FileExistsError, PermissionError) as error:
        complain(str(error), "Name an empty folder, or one that can be made, that is yours.")
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


def _introduce(described: dict[str, Any]) -> None:
    say("A Salesforce org and a Vault server run on this machine, until Ctrl-C.", GOOD)
    salesforce, vault = described["salesforce"], described["vault"]
    facts(
        [
            ("org", str(salesforce["login_url"])),
            ("its knobs", str(salesforce["control_url"])),
            ("Vault", f"{vault['address']} (root token {vault['root_token']})"),
            ("configuration", str(described["config"])),
        ]
    )
    say("")
    say("In another terminal:")
    say(f"  export ROTATOR_CONFIG={described['config']}")
    for command, what in (
        ("rotator status", "how the credentials stand"),
        ("rotator plan", "what comes next, and when"),
        ("rotator doctor", "does everything work?"),
        ("rotator rotate acme --wait", "replace a key pair now"),
        ("rotator rollback acme --wait", "and go back"),
        ("rotator run", "let the daemon do it"),
    ):
        say(f"  {command:<30} {what}")
