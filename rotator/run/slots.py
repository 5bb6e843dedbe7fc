"""The slots for certificates that change hands: an app has one, and two credentials must not both change it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from urllib.parse import urlsplit

from rotator.app import app_of
from rotator.config import CredentialConfig

Slot = tuple[str, ...]


def slots_of(config: CredentialConfig) -> frozenset[Slot]:
    """Return by what the slot of a credential is known: the consumer key of its app, and where that app is."""
    app = app_of(config)
    place: Slot = (urlsplit(config.login_url).netloc, app.kind, app.name)
    return frozenset({place} if config.consumer_key is None else {place, (config.consumer_key,)})


def leaves_slot(config: CredentialConfig, wanted: CredentialConfig) -> bool:
    """Tell whether a credential that has other settings from now on has another slot than before.

    Without a consumer key it had none yet.
    """
    return config.consumer_key is not None and not slots_of(config) <= slots_of(wanted)


class Leaving:
    """The slots that are about to be left, and by whom. Not for many threads at a time."""

    def __init__(self) -> None:
        self._holders: defaultdict[Slot, set[str]] = defaultdict(set)

    def clear(self) -> None:
        """Know of nobody."""
        self._holders.clear()

    def hold(self, name: str, config: CredentialConfig) -> None:
        """Keep the slot of a credential from others until it is released."""
        for slot in slots_of(config):
            self._holders[slot].add(name)

    def release(self, name: str, config: CredentialConfig) -> bool:
        """Let others have a slot, and return whether it was kept from them."""
        held = [slot for slot in slots_of(config) if name in self._holders.get(slot, ())]
        for slot in held:
            self._holders[slot].discard(name)
        return bool(held)

    def lets(self, name: str, slots: Iterable[Slot]) -> bool:
        """Tell whether a credential may have a slot, which it has not yet."""
        return not any(self._holders.get(slot, set()) - {name} for slot in slots)
