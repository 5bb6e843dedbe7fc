"""Is this the org and the app that the record is bound to?

A record is bound to org id, consumer key and app at the first token or proof. Users may come and go: the certificate
slot belongs to the app, and the token of each user stands at a path of its own.

- Another org or consumer key: no token is published, nothing is deployed, the credential is paused.
- Another app name, where rotator deploys the app by its name: nothing is deployed, the credential is paused; tokens go
  on, for consumer key and org show that they are the right ones.
"""

from __future__ import annotations

from datetime import datetime

from rotator.core.effects import Answer, Kind
from rotator.core.model import Identity
from rotator.performer.station import Station
from rotator.salesforce.oauth import Grant


def rebind_hint(name: str) -> str:
    """Return how a person ends a mismatch."""
    return (
        "Correct login_url, consumer_key or app in the configuration; or leave them, if this is meant (a refreshed "
        f"sandbox, an app made anew or renamed). Then `rotator resume {name}` binds the record to what is found."
    )


def identity_of(station: Station, grant: Grant) -> Identity:
    """Return what a record is bound to, as this grant shows it."""
    consumer_key = station.config.consumer_key or ""
    return Identity(grant.org_id, consumer_key, station.app.name, station.terms.users)


def mismatch(station: Station, org_id: str) -> str | None:
    """Return how org or consumer key differ from those that the record is bound to; None if they do not."""
    return other_org(station, org_id) or _other_consumer_key(station)


def other_org(station: Station, org_id: str) -> str | None:
    """Return how an org differs from the one that the record is bound to; None if it does not."""
    bound = station.record.identity
    if bound is None or not bound.org_id or org_id in ("", bound.org_id):
        return None
    return f"the org is {org_id}, and the record is bound to {bound.org_id}"


def other_app(station: Station) -> str | None:
    """Return how the app that would be deployed differs from the bound one; None if it does not."""
    bound = station.record.identity
    by_name = station.config.deploy.publisher == "metadata"
    if bound is not None and by_name and bound.app not in ("", station.app.name):
        return f"the app is named {station.app.name}, and the record is bound to {bound.app}"
    return _other_consumer_key(station)


def _other_consumer_key(station: Station) -> str | None:
    bound = station.record.identity
    if bound is None or bound.consumer_key in ("", station.config.consumer_key):
        return None
    return "the consumer key is not the one that the record is bound to"


def stopped(station: Station, differs: str, at: datetime) -> Answer:
    """Return the answer that pauses a credential before anything is done in a foreign org or app."""
    return Answer(
        Kind.MISMATCH, at, code="identity.mismatch", message=differs, hint=rebind_hint(station.name)
    )
