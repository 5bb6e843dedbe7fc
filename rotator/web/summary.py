"""One sentence that says whether all is well, and what is wrong first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rotator.standing import Level
from rotator.web.notices import Notice, notices
from rotator.web.rows import Row
from rotator.web.seen import Seen
from rotator.wording import some


@dataclass(frozen=True, slots=True)
class Summary:
    """What stands on top.

    Attributes:
        sentence: ends without a full stop.
        notice: what the sentence is about, if it is not about credentials.
        others: what else is to be known, the worst first.
        first: the row that is worst; None where no credential is.
        phases: how many credentials are in each phase.
    """

    level: Level
    sentence: str
    notice: Notice | None
    others: Sequence[Notice]
    first: Row | None
    problems: int
    phases: Sequence[tuple[str, int]]


def summary(seen: Seen, every: Sequence[Row], *, alive: bool) -> Summary:
    """Return what is to be said of a fleet first.

    What concerns all credentials comes before what concerns one, unless that one is worse off.
    """
    troubled = sorted((row for row in every if row.level.is_problem), key=lambda row: (row.level, row.name))
    phases = sorted(Counter(row.phase.partition(",")[0] for row in every).items())
    found = notices(seen, alive=alive)
    level, sentence = _of_credentials(every, troubled)
    notice = None
    if found and (found[0].level <= level or not troubled):
        (notice, *found) = found
        level, sentence = notice.level, notice.sentence
    return Summary(level, sentence, notice, found, troubled[0] if troubled else None, len(troubled), phases)


def _of_credentials(every: Sequence[Row], troubled: Sequence[Row]) -> tuple[Level, str]:
    if troubled:
        which = f"{len(troubled)} of {len(every)} credentials" if len(every) > 1 else troubled[0].name
        return troubled[0].level, f"{which} {'need' if len(troubled) > 1 else 'needs'} a look"
    if not every:
        return Level.BUSY, "No credential is served yet"
    unread = [row for row in every if row.standing is None]
    if unread:
        return Level.BUSY, f"{len(unread)} of {len(every)} credentials not read yet"
    held = [row for row in every if row.level is Level.HELD]
    if held:
        return Level.HELD, f"Nothing is wrong; waiting: {some([row.name for row in held], 1)}"
    if len(every) == 1:
        return Level.WELL, f"{every[0].name} is well"
    return Level.WELL, f"All {len(every)} credentials are well"
