"""A token minted before the eyes of the operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rotator.app import Application
from rotator.cli.output import facts, print_json, say
from rotator.core.slot import signers
from rotator.salesforce.assertion import LONGEST_SECONDS
from rotator.salesforce.rest import query_accounts
from rotator.show.times import when

if TYPE_CHECKING:
    from rich.text import Text


def mint_and_tell(app: Application, name: str, user: str, *, show_secrets: bool, as_json: bool) -> None:
    """Mint as a user, query Accounts, and show request, answer and result. Raises RotatorError."""
    station = app.driver.stations[name]
    app.driver.refresh(station)
    now = app.tools.clock()
    serials = signers(station.record, station.terms, app.tools.clock())
    grant, serial = app.tools.mint_first(station, user, serials, fresh=True)
    org = app.tools.org(station, grant)
    rows = query_accounts(app.tools.wires(), org, station.config.proof.query)
    login = station.login(user)
    secret = grant.access_token.reveal() if show_secrets else str(grant.access_token)
    told: dict[str, Any] = {
        "credential": name,
        "key_serial": serial,
        "endpoint": f"{login.login_url.rstrip('/')}/services/oauth2/token",
        "claims": {
            "iss": login.consumer_key,
            "sub": login.username,
            "aud": login.audience,
            "exp_within_seconds": LONGEST_SECONDS,
        },
        "answer": {
            "access_token": secret,
            "token_type": grant.token_type,
            "instance_url": grant.instance_url,
            "org_id": grant.org_id,
            "user_id": grant.user_id,
            "scope": grant.scope,
            "expires_at": grant.expires_at,
        },
        "query": {"api_version": org.api_version, "soql": station.config.proof.query, "rows": rows},
    }
    if as_json:
        print_json(told)
        return
    claims, answer = told["claims"], told["answer"]
    lines: list[tuple[str, Text | str]] = [
        ("signed with", f"key pair {serial}, RS256"),
        ("sent to", told["endpoint"]),
        ("iss", claims["iss"]),
        ("sub", claims["sub"]),
        ("aud", claims["aud"]),
        ("exp", f"within {LONGEST_SECONDS} s"),
        ("access_token", secret),
        ("token_type", answer["token_type"]),
        ("instance_url", answer["instance_url"]),
        ("org", answer["org_id"] or "-"),
        ("user", answer["user_id"] or "-"),
        ("scope", answer["scope"] or "-"),
        ("expires", when(grant.expires_at, now) if grant.expires_at else "the answer does not say"),
        (
            "query",
            f"{station.config.proof.query}: {rows} row{'' if rows == 1 else 's'} (API {org.api_version})",
        ),
    ]
    say(f"{name}: the org gives {user} an access token", "bold")
    facts(lines)
