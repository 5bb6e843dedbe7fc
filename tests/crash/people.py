"""What people do on a path, acting on what they see. They never learn that a daemon was killed.

Each is a generator that yields while it waits, so that whoever drives it can do something else meanwhile. It returns
when the path has led where it leads; then everything comes to rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rotator.core.model import Ask
from rotator.errors import Conflict
from rotator.run.ask import ask
from rotator.sandbox.pairs import make_pair
from tests.world.ledger import APPS
from tests.world.site import Site

Script = Callable[[Site], Iterator[None]]


def leave(here: Site, what: Ask, name: str = "acme") -> Iterator[None]:
    """Leave a request; wait while another one waits."""
    while True:
        try:
            ask(here.asking, name, what)
        except Conflict:
            yield
        else:
            return


def wait(holds: Callable[[], object]) -> Iterator[None]:
    while not holds():
        yield


def is_signing(here: Site, serial: int, name: str = "acme") -> Callable[[], bool]:
    """Tell whether a key pair is the current one, and nothing is under way."""

    def holds() -> bool:
        record = here.ledger.record(name)
        return record["phase"] == "steady" and record["current"] == serial

    return holds


def ask_for(what: Ask, serial: int, name: str = "acme") -> Script:
    """Ask for a change, and wait until it has made a key pair the current one."""

    def script(here: Site) -> Iterator[None]:
        yield from leave(here, what, name)
        yield from wait(is_signing(here, serial, name))

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
    yield from wait(lambda: last_change(here)["outcome"] == "restored")


def abort(here: Site) -> Iterator[None]:
    """A slow deploy is called off. Its validation lasts long enough to be seen.

    One whose id was lost cannot be told from a stranger's while it is under way, and so is not cancelled: it ends by
    itself, and what it brought in is taken back.
    """
    quick = here.control.knobs()["deploy_seconds"]
    here.control.knobs(deploy_seconds=3)
    yield from leave(here, Ask.ROTATE)
    yield from wait(lambda: (here.ledger.record("acme")["change"] or {}).get("ticket"))
    here.control.knobs(deploy_seconds=20)
    yield from wait(lambda: any(not one["check_only"] for one in here.control.state()["deploys"]))
    here.control.knobs(deploy_seconds=quick)
    yield from leave(here, Ask.ABORT)
    yield from wait(lambda: last_change(here)["reason"] != "adopt")
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


def last_change(here: Site) -> dict[str, Any]:
    return dict(here.ledger.record("acme")["history"][-1])


def answered(here: Site) -> str:
    said = here.ledger.record("acme")["answered"]
    return str(said["sentence"]) if said else ""


def forget_request(here: Site, name: str) -> None:
    here.stage.vault.request("DELETE", f"secret/metadata/salesforce/-/requests/{name}")


def bring_in(here: Site, serial: int) -> None:
    """Put a certificate into the app by hand."""
    document = here.ledger.read(f"secret/data/salesforce/acme/keys/{serial}")["data"]
    here.control.put_certificate(APPS["acme"], document["certificate_pem"])
