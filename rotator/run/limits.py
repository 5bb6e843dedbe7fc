"""How long a step or a round may take at the most, by the time limits of what is called.

Far more than either ever takes: every call within it would have to be answered in the last moment. Whoever exceeds
this hangs. It must not be less: a daemon that is killed because an org is slow comes back to the same slow org.
"""

from __future__ import annotations

from datetime import timedelta

from rotator.config import Configuration
from rotator.core.model import Phase
from rotator.performer import Station
from rotator.performer.toolbox import KEYS_MADE_AT_ONCE

_CALL = 4
"""Of its time limits (to connect, to read), what one call may take: a host has several addresses, of which each may
be tried, and an answer may come in pieces (:mod:`rotator.punctual`)."""

_VAULT_CALLS = (
    16  # of a step beside those for each user and key: request, record, token, login, looks after conflicts
)
_ROUND_CALLS = 12  # a login, a renewal and a list, and a login under way elsewhere that is waited for
_MINT_CALLS = (
    5  # beside one for each key: to end a session, for the version, the query, the life of the token
)
_DEPLOY_CALLS = 10  # of the publisher, beside its logins: list, retrieve, send or ask
_SEARCH_CALLS = 50  # more, one for each deploy that may be ours, when the answer to one was lost
_READING = timedelta(
    minutes=2
)  # for how long the org's metadata may be waited for, and a package be made of it
_ONE_KEY = timedelta(minutes=1)  # to make a large key on a small machine
_GRACE = timedelta(seconds=10)


def longest_round(configuration: Configuration) -> timedelta:
    """Return what a round may take at the most."""
    return _ROUND_CALLS * _CALL * configuration.vault.timeout + _GRACE


def longest_step(configuration: Configuration, station: Station, deployer: Station | None) -> timedelta:
    """Return what a step of a credential may take at the most, the way its record stands.

    ``deployer``: the credential that deploys for it.
    """
    settings = configuration.salesforce
    users, keys = len(station.terms.users), _keys(station)
    org_calls = max(2 * keys + _MINT_CALLS, users * keys)
    longest = _GRACE
    if station.record.change is not None:
        org_calls += 0 if deployer is None else _deploy_calls(station, deployer)
        longest += _making(configuration) + _publishing(station)
    vault_calls = _VAULT_CALLS + users + keys + (0 if deployer is None else _keys(deployer))
    org_call = _CALL * (settings.connect_timeout + settings.read_timeout)
    return longest + org_calls * org_call + vault_calls * _CALL * configuration.vault.timeout


def _keys(station: Station) -> int:
    return max(1, len(station.record.keys))


def _deploy_calls(station: Station, deployer: Station) -> int:
    """Return how many calls a deploy, or a question about one, may take. Its session may have to be made twice."""
    change = station.record.change
    lost = station.record.phase is Phase.DEPLOYING and change is not None and change.ticket is None
    return 2 * (_keys(deployer) + 2) + _DEPLOY_CALLS + (_SEARCH_CALLS if lost else 0)


def _making(configuration: Configuration) -> timedelta:
    """Return how long a new key may be waited for, for few are made at a time."""
    return _ONE_KEY * (1 + configuration.fleet.workers / KEYS_MADE_AT_ONCE)


def _publishing(station: Station) -> timedelta:
    """Return how long the publisher may wait, beside its calls: for the org, or for the operator's program."""
    deploy = station.config.deploy
    return max(deploy.lease, deploy.timeout if deploy.publisher == "command" else _READING)
