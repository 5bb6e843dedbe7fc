"""The variables of a collection, in the format of Postman's environments."""

from __future__ import annotations

import json
from dataclasses import dataclass

from rotator.postman.collection import identifier
from rotator.salesforce.oauth import Login
from rotator.secret import Secret

_NOTHING = Secret("")


@dataclass(frozen=True, slots=True)
class Given:
    """The secrets that an operator asked for.

    Attributes:
        private_key: PEM, not encrypted.
        assertion: signed, and good for some minutes.
    """

    private_key: Secret = _NOTHING
    assertion: Secret = _NOTHING


def environment(
    credential: str, login: Login, *, soql: str, api_version: str | None, given: Given = Given()
) -> Secret:
    """Return the environment for one user of a credential as JSON. It holds no secret but those that are given.

    Args:
        api_version: such as ``66.0``; None: the newest that the org offers, which the collection finds out.
    """
    shown = {
        "login_url": login.login_url,
        "audience": login.audience,
        "consumer_key": login.consumer_key,
        "username": login.username,
        "api_version": api_version or "",
        "soql": soql,
        "instance_url": "",
    }
    hidden = {
        "private_key": given.private_key.reveal(),
        "assertion": given.assertion.reveal(),
        "client_secret": "",
        "access_token": "",
    }
    document = {
        "id": identifier("environment", credential, login.username),
        "name": f"rotator {credential}: {login.username}",
        "values": [
            {"key": key, "value": value, "type": kind, "enabled": True}
            for kind, values in (("default", shown), ("secret", hidden))
            for key, value in values.items()
        ],
        "_postman_variable_scope": "environment",
    }
    return Secret(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def without_assertion(environment: bytes) -> object:
    """Return what an environment says apart from its assertion, which is another one each time it is made."""
    try:
        document = json.loads(environment)
        for value in document["values"]:
            if value["key"] == "assertion":
                value["value"] = ""
    except (ValueError, LookupError, TypeError, RecursionError):
        return environment
    return document
