"""The administrator of an org, who may do everything and is in no hurry: what is deployed here is there at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.sandbox.org.apps import PERMISSIONS, User
from rotator.sandbox.org.changes import commit, weigh
from rotator.sandbox.org.packages import BadPackage, read_package

if TYPE_CHECKING:
    from rotator.sandbox.org.model import Org

NAME = "administrator@org.example"


def deploy_by_hand(org: Org, archive: bytes) -> dict[str, str]:
    """Deploy the zip of a package, all or nothing, and return the consumer keys of its apps by name.

    The certificates spread over the servers of the org as those of any other deploy. Raises BadPackage.
    """
    package = read_package(archive, single_package=True)
    user = User(NAME, org.ids.next("005"), "administrator", permissions=set(PERMISSIONS))
    outcome = weigh(org, user, package.files, ignore_warnings=False)
    problems = [*package.problems, *((one.file.path, one.problem) for one in outcome.results if one.problem)]
    if problems:
        raise BadPackage("; ".join(f"{path}: {problem}" for path, problem in problems))
    commit(org, outcome, org.elapsed())
    return {name: org.apps[kind, name].consumer_key for kind, name in outcome.drafts}
