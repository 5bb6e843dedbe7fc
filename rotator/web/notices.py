"""What concerns all credentials, or many of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from rotator import events
from rotator.show.times import span
from rotator.standing import Level
from rotator.web.seen import Seen
from rotator.wording import some

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that is to be known.

    Attributes:
        sentence: without a full stop; may stand on top of the page.
        detail: what else is known of it; empty: nothing.
        mend: empty where nothing is to be done.
        runbook: section of the runbook; empty: none.
        since: None where that is not known.
    """

    level: Level
    sentence: str
    detail: str = ""
    mend: str = ""
    runbook: str = ""
    since: datetime | None = None


def notices(seen: Seen, *, alive: bool) -> list[Notice]:
    """Return all that there is, the worst first."""
    found = (*_of_daemon(seen, alive=alive), *_of_configuration(seen), *_of_clocks(seen))
    return sorted(found, key=lambda notice: notice.level)


def _of_daemon(seen: Seen, *, alive: bool) -> Iterator[Notice]:
    if not alive:
        mend = "Its log says what it was at; a restart loses nothing."
        yield Notice(Level.LOST, "The daemon does not move", "", mend, events.HEARTBEAT_LATE.runbook)
    if (wrong := seen.vault_trouble) is not None:
        sentence = f"Vault does not serve: {wrong.message}"
        yield Notice(Level.LOST, sentence, "", wrong.hint, "vault-down", wrong.since)
    elif not seen.vault_serves:
        yield Notice(Level.BUSY, "The daemon is not logged in to Vault yet")
    if braked := seen.driver.braked():
        sentence = f"No rotation begins, for those of {some(braked, _NAMED)} failed"
        yield Notice(
            Level.TROUBLE, sentence, "", "Mend what the first of them tells.", events.BRAKE_ON.runbook
        )


def _of_configuration(seen: Seen) -> Iterator[Notice]:
    if (wrong := seen.refusal) is not None:
        sentence = f"The configuration is refused, and that of {seen.loaded_at:%Y-%m-%d %H:%MZ} is in force"
        yield Notice(
            Level.TROUBLE,
            sentence,
            wrong.message,
            wrong.hint,
            events.CONFIGURATION_REFUSED.runbook,
            wrong.since,
        )
    for wrong in seen.refused.values():
        yield Notice(
            Level.TROUBLE,
            "A part of the configuration is refused",
            wrong.message,
            wrong.hint,
            events.CONFIGURATION_FILE_REFUSED.runbook,
            wrong.since,
        )


def _of_clocks(seen: Seen) -> Iterator[Notice]:
    """Yield whose clock differs from ours: where it is that of Vault, no certificate is deployed anywhere."""
    if not seen.skews:
        return
    told = [
        f"{peer} {span(timedelta(seconds=seconds))} {'ahead' if seconds > 0 else 'behind'}"
        for peer, seconds in sorted(seen.skews.items(), key=lambda skew: skew[0] != "Vault")
    ]
    where = "" if "Vault" in seen.skews else f" to {some(sorted(seen.skews), _NAMED)}"
    yield Notice(
        Level.TROUBLE,
        f"Nothing is deployed{where}, for clocks differ",
        f"By our clock: {some(told, _NAMED)}",
        "See to the time synchronisation of this machine first: `timedatectl timesync-status`.",
        events.CLOCK_SKEWED.runbook,
    )
