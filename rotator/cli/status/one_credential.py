"""What is told of one credential: what goes on, what is wrong, what mends it; in detail all that is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text

from rotator.cli.output import BAD, DOUBTFUL, FAINT, grid, hanging, indented, pieces, styled
from rotator.cli.status.look import Look
from rotator.core.model import Change, PauseKind, Phase, Request
from rotator.show.times import when
from rotator.standing import Standing


def remarks(one: Standing, look: Look, *, in_detail: bool) -> Iterator[RenderableType]:
    """Yield what does not fit into the table of all.

    Args:
        in_detail: tell all that is known.
    """
    name = f"{one.credential}: "
    if in_detail and (details := _details(one, look.at)):
        yield Text(one.credential, "bold")
        yield indented(grid([(styled(label, FAINT), value) for label, value in details]), 2)
    for text, style in _goings_on(one, (look.requests or {}).get(one.credential), look.at):
        yield hanging(name, text, style)
    for hint, messages in _troubles(one).items():
        for message, since in messages.items():
            said = message.removeprefix(f"{one.credential} ")
            yield hanging(name, f"{said}, since {when(since, look.at)}", BAD)
        if hint:
            yield hanging("  mend: ", hint)
    cure = look.cures.get(one.credential)
    if cure is not None:
        yield from _cure(one, cure, in_detail=in_detail)


def _troubles(one: Standing) -> dict[str, dict[str, datetime]]:
    """Return for each mend what it mends, each once, with the time since when: one cause troubles many."""
    found: dict[str, dict[str, datetime]] = {}
    for trouble in one.troubles:
        of_hint = found.setdefault(trouble.hint, {})
        of_hint[trouble.message] = min(trouble.since, of_hint.get(trouble.message, trouble.since))
    return found


def _cure(one: Standing, steps: Sequence[str], *, in_detail: bool) -> Iterator[RenderableType]:
    change = one.under_way.change if one.under_way is not None else None
    which = f"of key pair {change.target} " if change is not None else ""
    if not in_detail:
        yield hanging(
            "  mend: ",
            f"bring the certificate {which}into the app: `rotator status {one.credential}` tells the steps, "
            f"`rotator certificate {one.credential}` prints it",
        )
        return
    yield hanging("  mend: ", f"bring the certificate {which}into the app by hand:")
    for label, step in pieces("\n".join(steps)):
        yield hanging(f"  {label}", step)


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
        rows.append(
            ("last change", f"{last.reason} to key pair {last.target} {last.outcome.words} {ended}{why}")
        )
    return rows


def _goings_on(one: Standing, request: Request | None, now: datetime) -> Iterator[tuple[str, str]]:
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
        mend = "" if bad else f"; `rotator resume {one.credential}` lets it go on"
        yield f"paused since {when(one.paused.since, now)}: {one.paused.why}{mend}", BAD if bad else DOUBTFUL
    if one.next_rotation is not None and one.next_rotation.held is not None:
        yield one.next_rotation.held, DOUBTFUL
    if request is not None:
        by = f" of {request.by}" if request.by else ""
        since = when(request.made_at, now)
        mend = f"`rotator withdraw {one.credential}` takes it back"
        yield f"the request{by} to {request.ask} waits for the daemon since {since}; {mend}", DOUBTFUL
