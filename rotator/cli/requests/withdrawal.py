"""How a request that nobody has answered is taken back."""

from __future__ import annotations

from rotator.cli.exits import Exit
from rotator.cli.output import complain, print_json, say
from rotator.cli.settings import Settings
from rotator.core.model import Request
from rotator.errors import RotatorError
from rotator.run.ask import unanswered
from rotator.vault.refusals import PERMISSION_DENIED


def withdraw_request(settings: Settings, name: str, *, as_json: bool) -> Exit:
    """Take back what waits for a credential. Raises RotatorError.

    Whoever may read requests takes back the very one that was seen, and none that was answered. An operator may
    delete and not read: what the daemon answers in this very moment goes on all the same.
    """
    with settings.application([name]) as (app, _problems):
        try:
            request = unanswered(app.documents, name)
        except RotatorError as error:
            if error.code != PERMISSION_DENIED:
                raise
            app.documents.withdraw_request(name)
            return _tell(
                name, None, f"if a request waited, it is taken back; see `rotator status {name}`", as_json
            )
        if request is None:
            complain(f"{name}: no request waits for an answer", f"See what goes on: rotator status {name}.")
            return Exit.PROBLEM
        app.documents.delete_request(name, request.id)
    return _tell(name, request, f"the request to {request.ask} is taken back", as_json)


def _tell(name: str, request: Request | None, sentence: str, as_json: bool) -> Exit:
    if as_json:
        print_json({"credential": name, "request": request})
    else:
        say(f"{name}: {sentence}")
    return Exit.OK
