"""How credentials stand, laid out for people: the troubled first, what each one needs, and a summary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from rich.console import Console, RenderableType
from rich.text import Text

from rotator.cli.aside import LABEL, not_in_force
from rotator.cli.output import BAD, DOUBTFUL, GOOD, ROOMY, grid, hanging, has_shapes, styled
from rotator.cli.status.look import Look
from rotator.cli.status.one_credential import remarks
from rotator.core.model import Phase
from rotator.show.times import briefly, relative, span
from rotator.standing import Level, Standing
from rotator.wording import some

MOST_NAMES: Final = 5  # that the summary names; the table has all

AWAITED: Final = "wait{s} for you to bring the certificate in"
KEYLESS: Final = "without a key pair yet"
PAUSED: Final = "paused"
HELD_BACK: Final = "due and held back"

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
    """Yield what there is to print: how each stands, and the summary as the last line, where people look first."""
    stand = list(each(look, console, in_detail=in_detail))
    yield from stand
    if stand:
        yield Text()
    yield summary(look)


def each(look: Look, console: Console, *, in_detail: bool) -> Iterator[RenderableType]:
    """Yield how each credential stands: a table, and what does not fit into it.

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
    told += [hanging(LABEL, str(problem), BAD) for problem in not_in_force(look.aside)]
    if shown and told:
        yield Text()
    yield from told


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
        _roomy_rotation(one, now),
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
    if one.next_rotation is None:
        return "-"
    begins = _begins_at(one)
    return relative(begins, now) if begins is not None else "held"


def _roomy_rotation(one: Standing, now: datetime) -> str:
    if one.next_rotation is None:
        return "-"
    begins = _begins_at(one)
    return briefly(begins, now) if begins is not None else "held"


def _begins_at(one: Standing) -> datetime | None:
    """Return when the next rotation begins by itself; None where none does, for whatever reason."""
    if one.next_rotation is None or one.paused is not None:
        return None
    return one.next_rotation.begins_at


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
    aside = {one.credential for one in look.aside if one.credential is not None}
    files = sorted({str(one.file) for one in look.aside if one.credential is None})
    troubled = [one.credential for one in look.troubled]
    need = troubled + sorted(aside.difference(troubled))
    count = len(aside.union(one.credential for one in look.standings))
    said = f"{count} credential{'' if count == 1 else 's'}"
    needed = f"{len(need)} of {said} {'needs' if len(need) == 1 else 'need'} you"
    if need:
        needed += f": {some(need, MOST_NAMES)}"
    held = _held(look.standings)
    if need or files:
        return Text("; ".join([*([_refused(files)] if files else []), needed, *held]), BAD)
    parts = [f"{said}, {'nothing is wrong' if held else 'all well'}", *held]
    going = sum(one.under_way is not None for one in look.standings)
    if going:
        parts.append(f"{going} change{'s are' if going > 1 else ' is'} under way")
    nexts = [(at, one.credential) for one in look.standings if (at := _begins_at(one)) is not None]
    if nexts:
        at, name = min(nexts)
        parts.append(f"next rotation: {name} {relative(at, look.at)}")
    return Text("; ".join(parts), DOUBTFUL if held else GOOD)


def _held(standings: Sequence[Standing]) -> list[str]:
    """Return for what credentials wait with which nothing is wrong: how many, and who they are."""
    found: dict[str, list[str]] = {kind: [] for kind in (AWAITED, KEYLESS, PAUSED, HELD_BACK)}
    for one in standings:
        if one.level is Level.HELD:
            found[_held_by(one)].append(one.credential)
    return [
        f"{len(who)} {kind.format(s='s' if len(who) == 1 else '')}: {some(who, MOST_NAMES)}"
        for kind, who in found.items()
        if who
    ]


def _held_by(one: Standing) -> str:
    if one.under_way is not None and one.under_way.waits_for_person:
        return AWAITED
    if one.paused is not None:
        return PAUSED
    return KEYLESS if one.phase is Phase.EMPTY else HELD_BACK


def _refused(files: list[str]) -> str:
    which = f"1 file of the configuration is refused: {files[0]} (its"
    if len(files) > 1:
        which = f"{len(files)} files of the configuration are refused: {some(files, MOST_NAMES)} (their"
    return f"{which} credentials are not known here)"
