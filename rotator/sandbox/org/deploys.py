"""The life of a deploy: accepted, waiting, in progress, finalizing, and how it ends."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rotator.sandbox.org.apps import User, may_use_metadata
from rotator.sandbox.org.changes import FileResult, Outcome, commit, weigh
from rotator.sandbox.org.packages import BadPackage, read_package

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from rotator.sandbox.org.model import Org

TERMINAL = frozenset({"Succeeded", "Failed", "Canceled", "SucceededPartial"})
FINALIZING_SHARE = 0.1
"""Share of a deploy's time, at its end, in which it can't be cancelled any more."""
STALLED_SECONDS = 0.1
"""How often a deploy that is stalled tries to get on."""
CANCEL_CERTAIN_FROM = 65
"""Below this API version a cancelled deploy may still be committed (meta_rest_deploy_cancel)."""
OPTIONS = {
    "allowMissingFiles": False, "autoUpdatePackage": False, "checkOnly": False, "ignoreWarnings": False,
    "performRetrieve": False, "purgeOnDelete": False, "rollbackOnError": False, "singlePackage": False,
}  # fmt: skip
TEST_LEVELS = frozenset(
    {"NoTestRun", "RunSpecifiedTests", "RunLocalTests", "RunAllTestsInOrg", "RunRelevantTests"}
)


class BadRequest(Exception):
    """A request that the Metadata API refuses, with its error code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass(slots=True)
class Deploy:
    """One deploy. Times are elapsed seconds of the org's clock."""

    id: str
    user: User
    archive: bytes = field(repr=False)
    options: dict[str, object]
    api_version: int
    created: float
    starts: float
    ends: float
    ended: float | None = None
    final: str = ""
    cancelled_by: str = ""
    cancelling: bool = False
    outcome: Outcome = field(default_factory=Outcome)
    problems: list[tuple[str, str]] = field(default_factory=list)
    """(file, problem) of failures that belong to no component."""
    manifest_path: str = "package.xml"
    created_at: datetime | None = None

    @property
    def check_only(self) -> bool:
        return bool(self.options["checkOnly"])

    def status(self, now: float) -> str:
        if self.final:
            return self.final
        if self.cancelling:
            return "Canceling"
        if now <= self.starts:
            return "Pending"
        finalizing = self.ends - FINALIZING_SHARE * (self.ends - self.starts)
        return "FinalizingDeploy" if not self.check_only and now >= finalizing else "InProgress"

    @property
    def successes(self) -> list[FileResult]:
        return [result for result in self.outcome.results if not result.problem]

    @property
    def failures(self) -> list[FileResult]:
        return [result for result in self.outcome.results if result.problem]


def checked_options(given: Mapping[str, object]) -> dict[str, object]:
    """Deploy options with their defaults. Raises BadRequest."""
    options: dict[str, object] = dict(OPTIONS)
    for name, value in given.items():
        known = (
            (name in OPTIONS and isinstance(value, bool))
            or (name == "testLevel" and value in TEST_LEVELS)
            or (name == "runTests" and isinstance(value, list))
        )
        if known:
            options[name] = value
        elif value is not None:
            raise BadRequest(400, "JSON_PARSER_ERROR", f"Unrecognized field or value: {name}")
    return options


def require_metadata(org: Org, user: User) -> None:
    """Raises BadRequest when the user may not use the Metadata API."""
    if org.knobs.deny_metadata or not may_use_metadata(user):
        raise BadRequest(
            403,
            "INSUFFICIENT_ACCESS",
            "use of the Metadata API requires a user with the ModifyAllData or ModifyMetadata permissions",
        )


def submit(org: Org, user: User, archive: bytes, options: dict[str, object], api_version: int) -> Deploy:
    """Accept a deploy. One runs at a time in an org; others wait. Raises BadRequest."""
    require_metadata(org, user)
    now = org.elapsed()
    busy_until = max((deploy.ends for deploy in org.deploys.values() if not deploy.final), default=now)
    starts = max(now, busy_until)
    deploy = Deploy(
        org.ids.next("0Af"), user, archive, options, api_version, now, starts, starts + org.knobs.deploy_seconds,
        created_at=org.clock.wall(),
    )  # fmt: skip
    org.deploys[deploy.id] = deploy
    org.counts["deploys"] += 1
    _once_it_moves(org, deploy, deploy.ends, _finish)
    return deploy


def cancel(org: Org, deploy: Deploy, user: User) -> None:
    """Ask for the end of a deploy. Raises BadRequest where it is too late for that."""
    now = org.elapsed()
    status = deploy.status(now)
    if status in TERMINAL or status == "FinalizingDeploy":
        raise BadRequest(400, "INVALID_ID_FIELD", f"Cannot cancel deploy {deploy.id}: its status is {status}")
    if deploy.cancelling:
        return
    deploy.cancelling, deploy.cancelled_by = True, user.user_id
    _once_it_moves(org, deploy, now + FINALIZING_SHARE * org.knobs.deploy_seconds, _canceled)


def _once_it_moves(
    org: Org, deploy: Deploy, moment: float, happening: Callable[[Org, Deploy, float], None]
) -> None:
    """Let something happen to a deploy at `moment`, or as soon as deploys are not stalled any more."""

    def look(then: float) -> None:
        if org.knobs.stall_deploys and not deploy.check_only:
            org.at(org.elapsed() + STALLED_SECONDS, look)
        else:
            happening(org, deploy, then)

    org.at(moment, look)


def _canceled(org: Org, deploy: Deploy, moment: float) -> None:
    deploy.final, deploy.ended = "Canceled", moment
    old_api = deploy.api_version < CANCEL_CERTAIN_FROM and org.random("cancel").choice((True, False))
    if not deploy.check_only and (org.knobs.late_deploy_seconds or old_api):
        _commit_later(org, deploy, moment + org.knobs.late_deploy_seconds)


def _finish(org: Org, deploy: Deploy, moment: float) -> None:
    if deploy.final or deploy.cancelling:
        return
    deploy.ended = moment
    _weigh(org, deploy)
    if not deploy.check_only and not _failed(deploy):
        if org.knobs.take("fail_deploys"):
            _spoil(
                deploy,
                "UNKNOWN_EXCEPTION: An unexpected error occurred. Please include this ErrorId if you contact support",
            )
        elif org.knobs.late_deploy_seconds:
            _spoil(deploy, "The deploy did not finish in time")
            _commit_later(org, deploy, moment + org.knobs.late_deploy_seconds)
    partial = not deploy.options["rollbackOnError"] and deploy.successes and not deploy.problems
    if not _failed(deploy):
        deploy.final = "Succeeded"
    else:
        deploy.final = "SucceededPartial" if partial else "Failed"
    if deploy.final != "Failed" and not deploy.check_only:
        commit(org, deploy.outcome, moment)


def _weigh(org: Org, deploy: Deploy) -> None:
    options = deploy.options
    try:
        package = read_package(
            deploy.archive,
            single_package=bool(options["singlePackage"]),
            allow_missing=bool(options["allowMissingFiles"]),
        )
    except BadPackage as bad:
        deploy.problems = [("package.xml", str(bad))]
        return
    deploy.manifest_path, deploy.problems = package.manifest_path, list(package.problems)
    deploy.outcome = weigh(org, deploy.user, package.files, ignore_warnings=bool(options["ignoreWarnings"]))


def _failed(deploy: Deploy) -> bool:
    return deploy.outcome.failed or bool(deploy.problems)


def _spoil(deploy: Deploy, problem: str) -> None:
    """Make a deploy that would succeed fail, as if its components were to blame."""
    for result in deploy.outcome.results:
        result.problem = problem
    if not deploy.outcome.results:
        deploy.problems = [(deploy.manifest_path, problem)]
    deploy.outcome.spoilt |= set(deploy.outcome.drafts)


def _commit_later(org: Org, deploy: Deploy, moment: float) -> None:
    def land(landing: float) -> None:
        # Judged anew: what it overwrites is the org as it is then.
        late = replace(deploy, outcome=Outcome(), problems=[])
        _weigh(org, late)
        if not _failed(late):
            commit(org, late.outcome, landing)
            org.counts["deploys landed late"] += 1

    org.at(moment, land)


def decode_archive(text: str) -> bytes:
    """The zip of a SOAP deploy. Raises BadRequest."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        raise BadRequest(500, "INVALID_TYPE", "ZipFile is not base64") from None
