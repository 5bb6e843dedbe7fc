"""How credentials stand, laid out for people: the troubled first, what each one needs, and a summary."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import IntEnum
from typing import Final

from rich.console import Console, RenderableType
from rich.text import Text

from rotator.cli.looking import Look, needs_person
from rotator.cli.output import (
    BAD,
    DOUBTFUL,
    FAINT,
    GOOD,
    briefly,
    grid,
    hanging,
    has_shapes,
    indented,
    relative,
    span,
    styled,
    when,
)
from rotator.cli.standing import NextRotation, Standing
from rotator.core.model import Change, PauseKind, Phase, Request

ROOMY: Final = 120  # columns of a terminal that has room for dates and fingerprints
MOST_NAMES: Final = 5  # that the summary names; the table has all

HEAD: Final = ("CREDENTIAL", "PHASE", "KEY", "CERT ENDS", "ROTATES", "TOKENS")
HEAD_IF_ROOMY: Final = (
    "CREDENTIAL", "PHASE", "KEY", "FINGERPRINT", "CERTIFICATE ENDS", "NEXT ROTATION", "TOKENS PROVED",
)  # fmt: skip


class Level(IntEnum):
    """How much a credential wants to be looked at; the first come first."""

    NEEDS_PERSON = 0
    ON_THE_WAY = 1
    WELL = 2


STYLES: Final = {Level.NEEDS_PERSON: BAD, Level.ON_THE_WAY: DOUBTFUL, Level.WELL: GOOD}


def level(one: Standing) -> Level:
    """Return how much a credential wants to be looked at."""
    if needs_person(one):
        return Level.NEEDS_PERSON
    held = one.next_rotation is not None and one.next_rotation.held is not None
    return Level.WELL if one.phase is Phase.STEADY and not one.paused and not held else Level.ON_THE_WAY


def overview(look: Look, console: Console, *, in_detail: bool) -> Iterator[RenderableType]:
    """Yield what there is to print: a table, what does not fit into it, and the summary.

    Args:
        console: where it is shown: its width says how much fits, and its marks are those that it can show.
        in_detail: tell all that is known of each credential.
    """
    shown = sorted(look.shown, key=level)
    if shown:
        is_roomy = console.width >= ROOMY
        row = _roomy_row if is_roomy else _row
        marks = _marks(console)
        yield grid(
            [row(one, marks[level(one)], look.at) for one in shown], HEAD_IF_ROOMY if is_roomy else HEAD
        )
    told = [told for one in shown for told in _told(one, look, in_detail=in_detail)]
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
    shapes = "✖●✔" if has_shapes(console) else "!*-"
    return {each: f"{shape} " for each, shape in zip(Level, shapes, strict=True)}


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
    said = one.phase.value.replace("_", " ")
    if one.paused is not None:
        said = "paused" if one.phase is Phase.STEADY else f"{said}, paused"
    return styled(mark + said, STYLES[level(one)])


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


def _told(one: Standing, look: Look, *, in_detail: bool) -> Iterator[RenderableType]:
    """Yield what does not fit into the table."""
    name = f"{one.credential}: "
    if in_detail:
        yield Text(one.credential, "bold")
        yield indented(grid([(styled(label, FAINT), value) for label, value in _details(one, look.at)]), 2)
    for text, style in _remarks(one, (look.requests or {}).get(one.credential), look.at):
        yield hanging(name, text, style)
    for (message, hint), since in _troubles(one).items():
        yield hanging(name, f"{message}, since {when(since, look.at)}", BAD)
        if hint:
            yield hanging("  mend: ", hint)
    cure = look.cures.get(one.credential)
    if cure is not None:
        yield from _cure(one, cure, in_detail=in_detail)


def _troubles(one: Standing) -> dict[tuple[str, str], datetime]:
    """Return what is wrong and what mends it, each once, with the time since when: one cause troubles many."""
    found: dict[tuple[str, str], datetime] = {}
    for trouble in one.troubles:
        what = trouble.message, trouble.hint
        found[what] = min(trouble.since, found.get(what, trouble.since))
    return found


def _cure(one: Standing, steps: Sequence[str], *, in_detail: bool) -> Iterator[RenderableType]:
    change = one.under_way.change if one.under_way is not None else None
    which = f"of key pair {change.target} " if change is not None else ""
    if not in_detail:
        yield hanging(
            "  cure: ",
            f"bring the certificate {which}into the app: `rotator status {one.credential}` tells the steps, "
            f"`rotator certificate {one.credential}` prints it",
        )
        return
    yield hanging("  cure: ", f"bring the certificate {which}into the app by hand:")
    for step in steps:
        text = step.strip()
        label = "     " if step.startswith(" ") else f"  {text.partition(' ')[0]} "
        yield hanging(label, text if step.startswith(" ") else text.partition(" ")[2])


def _details(one: Standing, now: datetime) -> list[tuple[str, Text | str]]:
    """Return what there is to know of a credential that was asked for by name."""
    rows: list[tuple[str, Text | str]] = []
    if one.identity is not None:
        rows.append(("org", f"{one.identity.org_id}, app {one.identity.app}"))
    if one.current is not None:
        rows.append(("fingerprint", one.current.fingerprint))
        rows.append(("certificate ends", when(one.current.not_after, now)))
    if one.previous is not None:
        rows.append(("previous key", str(one.previous)))
    if one.next_rotation is not None:
        rows.append(("rotation due", when(one.next_rotation.due_at, now)))
        rows.append(("urgent from", when(one.next_rotation.urgent_at, now)))
    for token in one.tokens or ():
        proved = when(token.expires_at, now)
        rows.append(
            ("token", f"{token.user}: proved until {proved}, signed with key pair {token.key_serial}")
        )
    if one.last_change is not None:
        last = one.last_change
        why = f": {last.message}" if last.message else ""
        ended = when(last.ended, now)
        rows.append(("last change", f"{last.reason} to key pair {last.target} {last.outcome} {ended}{why}"))
    return rows


def _remarks(one: Standing, request: Request | None, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield what goes on, with its colour."""
    if one.phase is Phase.EMPTY:
        name = one.credential
        yield f"no key pair yet: `rotator init {name}` makes one, `rotator adopt {name}` takes one", DOUBTFUL
    if one.under_way is not None:
        change: Change = one.under_way.change
        waits = one.under_way.waiting_for
        for trouble in one.troubles:
            waits = waits.removesuffix(f"; {trouble.message}")  # it is told beside its mend
        yield f"{change.reason} since {when(change.began, now)}: {waits}", DOUBTFUL
    if one.paused is not None:
        bad = one.paused.kind is PauseKind.IDENTITY
        yield f"paused since {when(one.paused.since, now)}: {one.paused.why}", BAD if bad else DOUBTFUL
    if one.next_rotation is not None and one.next_rotation.held is not None:
        yield one.next_rotation.held, DOUBTFUL
    if request is not None:
        by = f" of {request.by}" if request.by else ""
        since = when(request.made_at, now)
        mend = f"`rotator withdraw {one.credential}` takes it back"
        yield f"the request{by} to {request.ask} waits for the daemon since {since}; {mend}", DOUBTFUL


def summary(look: Look) -> Text:
    """Return in one line whether all is well, and what comes next."""
    aside = sorted({str(one.credential or one.key) for one in look.aside})
    need = [one.credential for one in look.troubled] + aside
    count = len(look.standings) + len(aside)
    said = f"{count} credential{'' if count == 1 else 's'}"
    if need:
        more = f" and {len(need) - MOST_NAMES} more" if len(need) > MOST_NAMES else ""
        verb = "needs" if len(need) == 1 else "need"
        return Text(f"{len(need)} of {said} {verb} you: {', '.join(need[:MOST_NAMES])}{more}", BAD)
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
