"""The rows of the matrix, and the settings in which they are walked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from rotator.core.model import Ask
from tests.crash import people
from tests.crash.people import Script, ask_for, in_turn
from tests.world.commands import QUICK
from tests.world.ledger import APPS
from tests.world.program import install_program
from tests.world.site import Edit, Site

UNHURRIED = replace(
    QUICK,
    proofs=3,
    proof_span_seconds=0.4,
    proof_retry_seconds=0.2,
    proof_deadline_seconds=300,
    slow_servers_seconds=4,
    deploy_deadline_seconds=300,
    quarantine_seconds=3600,
    lease_seconds=6.5,
    connect_timeout_seconds=1,
    read_timeout_seconds=2,
    reconcile_seconds=0.5,
    deploy_seconds=0.2,
)
"""Nothing comes due by itself, and no deadline runs out while a daemon takes its time to start.

Certificates spread at once, so that every run of a path writes the same; how slow servers are met is tested elsewhere.
"""


@dataclass(frozen=True)
class Path:
    """A row of the matrix.

    Attributes:
        script: what people do, once the path begins.
        before: what they did before that, while the daemon runs undisturbed.
        adopted: key pairs made by hand were taken over before; else the path begins with the first start ever.
        edit: of the configuration. It is told the control port that the operator's program calls.
        restart: the daemon is stopped before the path, which begins with its next start, this edit made.
        names: the credentials that are served.
        may_fail: consumers may have failed calls: sessions are ended on purpose.
        spoilt: people spoil the org on purpose: what must hold at any time is judged at the end alone.
    """

    name: str
    script: Script
    before: Script | None = None
    adopted: bool = True
    edit: Callable[[Site, str], Edit] | None = None
    restart: Edit | None = None
    names: tuple[str, ...] = ("acme", "deployer")
    may_fail: bool = False
    spoilt: bool = False


def runs_program(here: Site, control_url: str) -> Edit:
    command, _log = install_program(here.stage.folder, control_url, APPS["acme"])

    def edit(settings: dict[str, Any]) -> None:
        settings["credentials"]["acme"]["deploy"] = {
            "publisher": "command",
            "command": command,
            "timeout": "5s",
        }

    return edit


def refreshes_often(_here: Site, _control_url: str) -> Edit:
    def edit(settings: dict[str, Any]) -> None:
        settings["credentials"]["acme"]["session"] = {"refresh_every": "2s"}

    return edit


def forgets_soon(settings: dict[str, Any]) -> None:
    settings["defaults"]["rotation"]["quarantine"] = "1s"


ALONE = ("acme",)
ROTATE = ask_for(Ask.ROTATE, 2)
ROTATE_TWICE = in_turn(ROTATE, ask_for(Ask.ROTATE, 3))

PATHS = {
    path.name: path
    for path in (
        Path("first-key", people.first_key, adopted=False, names=ALONE),
        Path("adopt", people.adopt, adopted=False, names=ALONE),
        Path("rotation", ROTATE),
        Path("rollback", ask_for(Ask.ROLLBACK, 1), before=ROTATE),
        Path("locked-out", people.lose_certificate, edit=refreshes_often, spoilt=True),
        Path("manual", people.by_hand, names=ALONE),
        Path("command", ROTATE, edit=runs_program, names=ALONE),
        Path("abort", people.abort),
        Path("deployer", ask_for(Ask.ROTATE, 2, "deployer"), names=("deployer",)),
        Path("pause", people.pause, names=ALONE),
        Path("compromised", ask_for(Ask.COMPROMISED, 2), may_fail=True),
        Path("refresh", people.refresh, edit=refreshes_often, names=ALONE),
        # Any publisher would do for what comes before; this one needs no deployer.
        Path(
            "destruction",
            people.destroyed,
            before=ROTATE_TWICE,
            restart=forgets_soon,
            names=ALONE,
            edit=runs_program,
        ),
    )
}
