"""What health checks are told. That Salesforce is away makes nobody unhealthy, for no restart would mend it."""

from __future__ import annotations

from typing import Any

from rotator.show.plain import plain
from rotator.standing import Standing
from rotator.web.seen import Seen


def why_not_ready(seen: Seen | None) -> str | None:
    """Return why a daemon cannot do its work, in a few words that tell strangers nothing; None if it can."""
    if seen is None:
        return "no configuration is loaded"
    if not seen.vault_serves:
        return "Vault cannot be used"
    return None


def readiness(seen: Seen, name: str) -> tuple[bool, dict[str, Any]] | None:
    """Return whether a credential is served as it should be, and how it stands; None if there is no such credential.

    One that is served with former settings is ready, for its consumers are; what is wrong with the new ones is said.
    """
    station, wrong = seen.stations.get(name), seen.aside.get(name)
    if station is None:
        if wrong is None:
            return None
        return False, {"credential": name, "ready": False, "set_aside": wrong.message}
    standing = seen.standing(station)
    ready = standing is not None and _serves(standing)
    said = {"credential": name} if standing is None else plain(standing)
    kept = {} if wrong is None else {"former_settings": wrong.message}
    return ready, {"at": plain(seen.at), "ready": ready, **said, **kept, "sentence": station.sentence}


def _serves(standing: Standing) -> bool:
    """Tell whether a key signs and nothing is wrong. A pause by an operator is not; another org that answers is."""
    return standing.current is not None and not standing.level.is_problem
