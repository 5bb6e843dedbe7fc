"""What health checks are told. That Salesforce is away makes nobody unhealthy, for no restart would mend it."""

from __future__ import annotations

from typing import Any

from rotator.show.plain import plain
from rotator.web.seen import Seen


def why_not_ready(seen: Seen | None) -> str | None:
    """Return why a daemon cannot do its work, in a few words that tell strangers nothing; None if it can."""
    if seen is None:
        return "no configuration is loaded"
    if not seen.vault_serves:
        return "Vault cannot be used"
    return None


def readiness(seen: Seen, name: str) -> tuple[bool, dict[str, Any]] | None:
    """Return whether a credential is served as it should be, and how it stands; None if there is no such credential."""
    station = seen.stations.get(name)
    if station is None:
        wrong = seen.aside.get(name)
        return (
            None
            if wrong is None
            else (False, {"credential": name, "ready": False, "set_aside": wrong.message})
        )
    standing = seen.standing(station)
    ready = standing is not None and standing.current is not None and not standing.troubles
    said = {"credential": name} if standing is None else plain(standing)
    return ready, {"at": plain(seen.at), "ready": ready, **said, "sentence": station.sentence}
