"""The objects that can be queried, and the rows they have for a user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rotator.sandbox.org.apps import MANAGE_USERS, READ_ACCOUNTS, User, may_use_metadata
from rotator.sandbox.org.soql import Column, Row, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from rotator.sandbox.org.model import Org
    from rotator.sandbox.org.sessions import Session


def _columns(text: str) -> tuple[Column, ...]:
    """Columns from `Name` or `Name:kind` words."""
    return tuple(
        Column(name, kind or "string") for name, _, kind in (word.partition(":") for word in text.split())
    )


ACCOUNT = _columns(
    "Id:id Name Type Industry Phone Website NumberOfEmployees:int IsDeleted:boolean OwnerId:id"
    " CreatedDate:datetime LastModifiedDate:datetime SystemModstamp:datetime"
)
ORGANIZATION = _columns(
    "Id:id Name InstanceName IsSandbox:boolean TrialExpirationDate:datetime NamespacePrefix OrganizationType"
)
USER = _columns("Id:id Username Name Email IsActive:boolean")
AUTH_SESSION = _columns(
    "Id:id UsersId:id CreatedDate:datetime LastModifiedDate:datetime NumSecondsValid:int SourceIp SessionType"
    " IsCurrent:boolean"
)
DEPLOY_REQUEST = _columns(
    "Id:id Status CreatedDate:datetime StartDate:datetime CompletedDate:datetime CreatedById:id CheckOnly:boolean"
    " IgnoreWarnings:boolean RollbackOnError:boolean ErrorMessage NumberComponentErrors:int"
    " NumberComponentsDeployed:int NumberComponentsTotal:int NumberTestErrors:int NumberTestsCompleted:int"
    " NumberTestsTotal:int"
)


def table_finder(org: Org, user: User, session: Session, *, tooling: bool) -> Callable[[str], Table | None]:
    """How a query of this user finds its object: None for one that is not there, or not for this user."""
    tables = (
        [Table("DeployRequest", "0Af", DEPLOY_REQUEST, lambda: _deploys(org))]
        if tooling and may_use_metadata(user)
        else []
    )
    if not tooling:
        tables = [
            Table("Organization", "00D", ORGANIZATION, lambda: _organization(org)),
            Table("User", "005", USER, lambda: _users(org)),
        ]
        if READ_ACCOUNTS in user.permissions:
            tables.append(Table("Account", "001", ACCOUNT, lambda: org.accounts))
        if MANAGE_USERS in user.permissions:
            tables.append(Table("AuthSession", "0Ak", AUTH_SESSION, lambda: _sessions(org, session)))
    by_name = {table.name.lower(): table for table in tables}
    return lambda name: by_name.get(name.lower())


def _organization(org: Org) -> list[Row]:
    kind = "Enterprise Edition" if not org.is_sandbox else "Developer Edition"
    return [
        {
            "Id": org.org_id,
            "Name": org.name,
            "InstanceName": "LOOP1",
            "IsSandbox": org.is_sandbox,
            "OrganizationType": kind,
        }
    ]


def _users(org: Org) -> list[Row]:
    return [
        {
            "Id": user.user_id,
            "Username": user.username,
            "Name": user.name,
            "Email": user.username,
            "IsActive": user.active,
        }
        for user in org.users.values()
    ]


def _sessions(org: Org, current: Session) -> list[Row]:
    return [
        {
            "Id": f"0Ak{number:015d}", "UsersId": org.users[session.username].user_id, "SourceIp": session.address,
            "CreatedDate": org.clock.wall_at(session.began), "LastModifiedDate": org.clock.wall_at(session.active),
            "NumSecondsValid": int(session.timeout_seconds), "SessionType": "Oauth2",
            "IsCurrent": session is current,
        }
        for number, session in enumerate(org.sessions.living(org.elapsed()), 1)
        # A token in JWT format stands for itself: no session is kept for it.
        if session.username in org.users and not session.is_jwt
    ]  # fmt: skip


def _deploys(org: Org) -> list[Row]:
    now = org.elapsed()
    return [
        {
            "Id": deploy.id, "Status": deploy.status(now), "CreatedDate": deploy.created_at, "CreatedById": deploy.user.user_id,
            "StartDate": org.clock.wall_at(deploy.starts) if now >= deploy.starts else None,
            "CompletedDate": org.clock.wall_at(deploy.ended) if deploy.ended is not None else None,
            "CheckOnly": deploy.check_only, "IgnoreWarnings": deploy.options["ignoreWarnings"],
            "RollbackOnError": deploy.options["rollbackOnError"],
            "ErrorMessage": deploy.problems[0][1] if deploy.problems else None,
            "NumberComponentErrors": len(deploy.failures) + len(deploy.problems),
            "NumberComponentsDeployed": len(deploy.successes),
            "NumberComponentsTotal": len(deploy.outcome.results),
            "NumberTestErrors": 0, "NumberTestsCompleted": 0, "NumberTestsTotal": 0,
        }
        for deploy in org.deploys.values()
    ]  # fmt: skip
