"""How credentials stand, laid out for people: the troubled first, what each one needs, and a summary."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from rich.console import Console, RenderableType
from rich.text import Text

from rotator.cli.looking import Look
from rotator.cli.output import BAD, DOUBTFUL, GOOD, grid, hanging, has_shapes, styled
from rotator.cli.remarks import remarks
from rotator.core.model import Phase
from rotator.show.times import briefly, relative, span
from rotator.standing import Level, NextRotation, Standing
from rotator.wording import some

ROOMY: Final = 120  # columns of a terminal that has room for dates and fingerprints
MOST_NAMES: Final = 5  # that the summary names; the table has all

HEAD: Final = ("CREDENTIAL", "PHASE", "KEY", "CERT ENDS", "ROTATES", "TOKENS")
HEAD_IF_ROOMY: Final = (
    "CREDENTIAL", "PHASE", "KEY", "FINGERPRINT", "CERTIFICATE ENDS", "NEXT ROTATION", "TOKENS PROVED",
)  # fmt: skip


STYLES: Final = {
    Level.LOST: BAD,
    Level.TROUBLE: BAD,
    Level.HELD: DOUBTFUL,
    Level.BUSY: DOUBTFUL,
    Level.WELL: GOOD,
}
SHAPES: Final = {BAD: ("✖", "!"), DOUBTFUL: ("●", "*"), GOOD: ("✔", "-")}
"""What stands before a phase of each style; the second on a terminal that has no such shapes."""


def overview(look: Look, console: Console, *, in_detail: bool) -> Iterator[RenderableType]:
    """Yield what there is to print: a table, what does not fit into it, and the summary.

    Args:
        console: where it is shown: its width says how much fits, and its marks are those that it can show.
        in_detail: tell all that is known of each credential.
    """
    shown = sorted(look.shown, key=lambda one: one.level)
    if shown:
        is_roomy = console.width >= ROOMY
        row = _roomy_row if is_roomy else _row
        marks = _marks(console)
        yield grid(
            [row(one, marks[one.level], look.at) for one in shown], HEAD_IF_ROOMY if is_roomy else HEAD
        )
    told = [told for one in shown for told in remarks(one, look, in_detail=in_detail)]
    told += [hanging("set aside: ", str(problem), BAD) for problem in look.aside]
    if shown and told:
        yield Text()
    yield from told
    if shown or told:
        yield Text()
    yield summary(look)


def _marks(console: Console) -> dict[Level, str]:
    """Return what stands before a phase: nothing in a pipe, where words are searched for."""
    if not console.is_terminal:
        return dict.fromkeys(Level, "")
    which = 0 if has_shapes(console) else 1
    return {level: f"{SHAPES[style][which]} " for level, style in STYLES.items()}


def _row(one: Standing, mark: str, now: datetime) -> list[Text | str]:
    ends = one.current.not_after if one.current else None
    return [
        one.credential,
        _phase(one, mark),
        str(one.current.serial) if one.current else "-",
        relative(ends, now) if ends else "-",
        _rotation(one, now),
        _tokens(one, now),
    ]


def _roomy_row(one: Standing, mark: str, now: datetime) -> list[Text | str]:
    key = one.current
    proved = _tokens(one, now)
    several = one.tokens is not None and len(one.tokens) > 1
    return [
        one.credential,
        _phase(one, mark),
        str(key.serial) if key else "-",
        key.fingerprint[:8] if key else "-",
        briefly(key.not_after if key else None, now),
        _next(one.next_rotation, now),
        f"{proved} (first of {len(one.tokens or ())})" if several else proved,
    ]


def _phase(one: Standing, mark: str) -> Text:
    said = one.phase.words
    if one.paused is not None:
        said = "paused" if one.phase is Phase.STEADY else f"{said}, paused"
    return styled(mark + said, STYLES[one.level])


def _rotation(one: Standing, now: datetime) -> str:
    if one.under_way is not None:
        return "under way"
    rotation = one.next_rotation
    if rotation is None:
        return "-"
    return "held" if rotation.begins_at is None else relative(rotation.begins_at, now)


def _next(rotation: NextRotation | None, now: datetime) -> str:
    if rotation is None:
        return "-"
    return briefly(rotation.begins_at, now) if rotation.begins_at is not None else "held"


def _tokens(one: Standing, now: datetime) -> str:
    """Return for how long the tokens are proved: the one that runs out first."""
    if not one.publishes:
        return "not published"
    if one.tokens is None:
        return "not readable"
    if not one.tokens:
        return "none"
    first = min(token.expires_at for token in one.tokens)
    return f"for {span(first - now)}" if first > now else f"ended {relative(first, now)}"


def summary(look: Look) -> Text:
    """Return in one line whether all is well, and what comes next."""
    aside = sorted({str(one.credential or one.key) for one in look.aside})
    need = [one.credential for one in look.troubled] + aside
    count = len(look.standings) + len(aside)
    said = f"{count} credential{'' if count == 1 else 's'}"
    if need:
        verb = "needs" if len(need) == 1 else "need"
        return Text(f"{len(need)} of {said} {verb} you: {some(need, MOST_NAMES)}", BAD)
    parts = [f"{said}, all well"]
    going = sum(one.under_way is not None for one in look.standings)
    if going:
        parts.append(f"{going} change{'s are' if going > 1 else ' is'} under way")
    nexts = [
        (one.next_rotation.begins_at, one.credential)
        for one in look.standings
        if one.next_rotation is not None and one.next_rotation.begins_at is not None
    ]
    if nexts:
        at, name = min(nexts)
        parts.append(f"next rotation: {name} {relative(at, look.at)}")
    return Text("; ".join(parts), GOOD)
