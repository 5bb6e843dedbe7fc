"""The paths: what people do, acting on what they see. They never learn that a daemon was killed.

Each is a generator that yields while it waits, so that whoever drives it can do something else meanwhile. It returns
when the path has led where it leads; then everything comes to rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from rotator.core.model import Ask
from rotator.errors import Conflict
from rotator.run.ask import ask
from rotator.sandbox.pairs import make_pair
from tests.world.commands import QUICK
from tests.world.ledger import APPS
from tests.world.program import install_program
from tests.world.site import Edit, Site

Script = Callable[[Site], Iterator[None]]

CALM = replace(
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
        names: the credentials that are served; ``acme`` is the one that the path is about.
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


# -- what people do -------------------------------------------------------------------------------------------------


def leave(here: Site, what: Ask) -> Iterator[None]:
    """Leave a request; wait while another one waits."""
    while True:
        try:
            ask(here.asking, "acme", what)
        except Conflict:
            yield
        else:
            return


def wait(holds: Callable[[], object]) -> Iterator[None]:
    while not holds():
        yield


def is_signing(here: Site, serial: int) -> Callable[[], bool]:
    """Tell whether a key pair is the current one, and nothing is under way."""

    def holds() -> bool:
        record = here.ledger.record("acme")
        return record["phase"] == "steady" and record["current"] == serial

    return holds


def ask_for(what: Ask, serial: int) -> Script:
    """Ask for a change, and wait until it has made a key pair the current one."""

    def script(here: Site) -> Iterator[None]:
        yield from leave(here, what)
        yield from wait(is_signing(here, serial))

    return script


def in_turn(*scripts: Script) -> Script:
    def script(here: Site) -> Iterator[None]:
        for one in scripts:
            yield from one(here)

    return script


def first_key(here: Site) -> Iterator[None]:
    """``init``, and the certificate brought in by hand."""
    forget_request(here, "acme")
    yield from leave(here, Ask.INIT)
    yield from wait(lambda: here.phase("acme") == "proving")
    bring_in(here, 1)
    yield from leave(here, Ask.DEPLOYED)
    yield from wait(lambda: here.phase("acme") == "steady")


def adopt(here: Site) -> Iterator[None]:
    """The request to adopt waits from the beginning."""
    yield from wait(lambda: here.phase("acme") == "steady")


def by_hand(here: Site) -> Iterator[None]:
    yield from leave(here, Ask.ROTATE)
    yield from wait(lambda: here.phase("acme") == "proving")
    bring_in(here, 2)
    yield from leave(here, Ask.DEPLOYED)
    yield from wait(is_signing(here, 2))


def lose_certificate(here: Site) -> Iterator[None]:
    """Somebody puts in a certificate that nobody has a key of. The daemon is locked out, and brings its own back."""
    here.control.put_certificate(APPS["acme"], make_pair("stranger", 3600).certificate)
    yield from wait(lambda: here.phase("acme") == "locked_out")
    yield from wait(is_signing(here, 1))


def abort(here: Site) -> Iterator[None]:
    """A deploy that would never end is called off."""
    here.control.knobs(deploy_seconds=1)
    yield from leave(here, Ask.ROTATE)
    yield from wait(lambda: has_ticket(here, "staged"))
    here.control.knobs(deploy_seconds=3600)
    yield from wait(lambda: has_ticket(here, "deploying"))
    here.control.knobs(deploy_seconds=CALM.deploy_seconds)
    yield from leave(here, Ask.ABORT)
    yield from wait(lambda: here.ledger.record("acme")["history"][-1]["reason"] != "adopt")
    yield from wait(is_signing(here, 1))


def pause(here: Site) -> Iterator[None]:
    """Paused, it takes no rotation; resumed, it would."""
    for what, sentence in ((Ask.PAUSE, "no new change"), (Ask.ROTATE, "paused"), (Ask.RESUME, "resumed")):
        yield from leave(here, what)
        yield from wait(lambda sentence=sentence: answered(here).startswith(sentence))


def refresh(here: Site) -> Iterator[None]:
    """Tokens are minted and published anew, twice."""
    users = here.ledger.published["acme"]
    wanted = {user: here.ledger.token("acme", user)["sequence"] + 2 for user in users}
    for user in users:
        yield from wait(lambda user=user: here.ledger.token("acme", user)["sequence"] >= wanted[user])


def destroyed(here: Site) -> Iterator[None]:
    """The quarantine of the first key pair is over."""
    yield from wait(lambda: not here.ledger.record("acme")["retired"])


# -- what they do it with -------------------------------------------------------------------------------------------


def has_ticket(here: Site, phase: str) -> bool:
    """Tell whether a validation, or a deploy, is under way in the org."""
    record = here.ledger.record("acme")
    return bool(record["phase"] == phase and record["change"]["ticket"])


def answered(here: Site) -> str:
    said = here.ledger.record("acme")["answered"]
    return str(said["sentence"]) if said else ""


def forget_request(here: Site, name: str) -> None:
    here.stage.vault.request("DELETE", f"secret/metadata/salesforce/-/requests/{name}")


def bring_in(here: Site, serial: int) -> None:
    """Put a certificate into the app by hand."""
    document = here.ledger.read(f"secret/data/salesforce/acme/keys/{serial}")["data"]
    here.control.put_certificate(APPS["acme"], document["certificate_pem"])


def runs_program(here: Site, control_url: str) -> Edit:
    program = install_program(here.stage.folder)
    command = [str(program), control_url, APPS["acme"], str(here.stage.folder / "program-log")]

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
        Path("first-key", first_key, adopted=False, names=ALONE),
        Path("adopt", adopt, adopted=False, names=ALONE),
        Path("rotation", ROTATE),
        Path("rollback", ask_for(Ask.ROLLBACK, 1), before=ROTATE),
        Path("locked-out", lose_certificate, edit=refreshes_often, spoilt=True),
        Path("manual", by_hand, names=ALONE),
        Path("command", ROTATE, edit=runs_program, names=ALONE),
        Path("abort", abort),
        Path("pause", pause, names=ALONE),
        Path("compromised", ask_for(Ask.COMPROMISED, 2), may_fail=True),
        Path("refresh", refresh, edit=refreshes_often, names=ALONE),
        Path(
            "destruction",
            destroyed,
            before=ROTATE_TWICE,
            restart=forgets_soon,
            names=ALONE,
            edit=runs_program,
        ),
    )
}
