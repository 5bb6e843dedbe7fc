"""The deploys of an org, as its Metadata API tells of them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime

from tests.simulate.keys import fingerprint_of

KIND = "ExternalClientApplication"
_SINCE = re.compile(r"CreatedDate (>=|<=) (\S+)")


@dataclass
class Deploy:
    """One deploy. ``commits_late``: so many seconds after it ended otherwise it takes effect all the same."""

    id: str
    app: str
    pem: str
    accepted: datetime
    check_only: bool
    status: str = "InProgress"
    commits_late: float = 0.0

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.pem)

    def told(self) -> bytes:
        row = {"componentType": KIND, "fullName": self.app}
        failed = self.status == "Failed"
        details = (
            {"componentFailures": [{**row, "problem": "is not to be changed"}]}
            if failed
            else {"componentSuccesses": [row]}
        )
        done = self.status not in ("InProgress", "Canceling")
        return json.dumps(
            {"deployResult": {"status": self.status, "done": done, "details": details}}
        ).encode()


class Deploys:
    """All deploys, and how the next ones end.

    Attributes:
        refused: deploys fail, and so do their checks.
        stuck: none comes to its end.
        commits_late: deploys that are cancelled, or fail, take effect so many seconds later.
    """

    def __init__(self) -> None:
        self.known: dict[str, Deploy] = {}
        self.refused = False
        self.stuck = False
        self.commits_late = 0.0
        self._accepted = 0

    def accept(self, app: str, pem: str, at: datetime, *, check_only: bool) -> Deploy:
        self._accepted += 1
        deploy = Deploy(f"0Af{self._accepted:012}", app, pem, at, check_only)
        self.known[deploy.id] = deploy
        if len(self.known) > 200:
            del self.known[next(iter(self.known))]
        return deploy

    def under_way(self) -> list[Deploy]:
        """Return the deploys that may still bring their certificate in."""
        return [
            one
            for one in self.known.values()
            if one.status in ("InProgress", "Canceling") and not one.check_only
        ]

    def cancel(self, deploy: Deploy) -> None:
        if deploy.status == "InProgress":
            deploy.status = "Canceling"
            deploy.commits_late = self.commits_late

    def end(self, deploy: Deploy) -> bool:
        """Bring a deploy to its end; tell whether its certificate comes into the org now."""
        if deploy.status == "Canceling":
            deploy.status = "Canceled"
        elif self.refused:
            deploy.status, deploy.commits_late = "Failed", self.commits_late
        else:
            deploy.status = "Succeeded"
        return deploy.status == "Succeeded" and not deploy.check_only

    def listed(self, _now: datetime, query: str) -> bytes:
        """Answer the query for deploys, newest first."""
        bounds = {sign: datetime.fromisoformat(at) for sign, at in _SINCE.findall(query)}
        rows = [
            {"Id": one.id, "CreatedDate": one.accepted.strftime("%Y-%m-%dT%H:%M:%S.000+0000")}
            for one in reversed(self.known.values())
            if (f"'{one.id}'" in query or "Id = " not in query)
            and not one.check_only
            and bounds.get(">=", one.accepted) <= one.accepted <= bounds.get("<=", one.accepted)
        ]
        return json.dumps({"done": True, "records": rows}).encode()
