"""Commands that look and touch nothing: status, plan, history, certificate."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from rotator.cli.exits import Exit
from rotator.cli.settings import (
    Settings,
    json_option,
    name_argument,
    names_argument,
    on_vault,
    pass_settings,
)
from rotator.cli.teaching import AS_DAEMON, READS, command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from rotator.cli.agenda import Agenda
    from rotator.config import Problem
    from rotator.standing import NextRotation, Standing


@command(
    "Show how the credentials stand.",
    READS,
    "rotator status",
    "rotator status acme --json",
    "rotator status --problems || mail -s rotator ops@example.com",
    exits=[Exit.PROBLEM, Exit.USAGE, Exit.UNAVAILABLE],
)
@names_argument
@click.option("--problems", "only_problems", is_flag=True, help="Show only credentials with a trouble.")
@on_vault
@json_option
@pass_settings
def status(settings: Settings, names: tuple[str, ...], *, only_problems: bool, as_json: bool) -> None:
    """Show how the credentials stand: who signs, until when, what is wrong, what goes on.

    For NAMEs, or for all. How far tokens are proved is shown where the policy lets them be read. Ends with exit code
    1 when any credential has a trouble or is set aside.
    """
    from rotator.cli.output import GOOD, print_json, say
    from rotator.cli.standing import standings

    now = datetime.now(UTC)
    with settings.application(names) as (app, problems):
        found = standings(app, names, now)
    troubled = [one for one in found if one.troubles]
    shown = troubled if only_problems else found
    aside = () if names else problems
    if as_json:
        print_json(
            {
                "at": now,
                "credentials": shown,
                "set_aside": [{"credential": one.credential, "problem": str(one)} for one in aside],
            }
        )
    else:
        _print_standings(shown, now, in_detail=bool(names))
        _print_set_aside(aside)
        if not shown and not aside:
            say("no credential has a trouble", GOOD)
    click.get_current_context().exit(Exit.PROBLEM if troubled or aside else Exit.OK)


def _print_standings(found: Sequence[Standing], now: datetime, *, in_detail: bool) -> None:
    from rotator.cli.output import BAD, FAINT, facts, say, table
    from rotator.show.times import when

    head = ("CREDENTIAL", "PHASE", "KEY", "FINGERPRINT", "CERTIFICATE ENDS", "NEXT ROTATION", "TOKENS PROVED")
    if found:
        table(head, [_row(one, now) for one in found])
    for one in found:
        if in_detail:
            say("")
            say(one.credential, "bold")
            facts(_details(one, now))
        for line, style in _remarks(one, now):
            say(f"{one.credential}: {line}", style)
        for trouble in one.troubles:
            say(f"{one.credential}: {trouble.message} (since {when(trouble.since, now)})", BAD)
            if trouble.hint:
                say(f"  mend: {trouble.hint}", FAINT)


def _row(one: Standing, now: datetime) -> tuple[Text | str, ...]:
    from rotator.cli.output import BAD, DOUBTFUL, GOOD, styled
    from rotator.show.times import briefly

    key = one.current
    phase = one.phase.value.replace("_", " ") + (", paused" if one.paused else "")
    colour = BAD if one.troubles else GOOD if one.phase == "steady" and not one.paused else DOUBTFUL
    return (
        one.credential,
        styled(phase, colour),
        str(key.serial) if key else "-",
        key.fingerprint[:8] if key else "-",
        briefly(key.not_after if key else None, now),
        _next(one.next_rotation, now),
        _tokens(one, now),
    )


def _tokens(one: Standing, now: datetime) -> str:
    """Return until when the tokens are proved: the one that runs out first."""
    from rotator.show.times import relative

    if not one.publishes:
        return "not published"
    if one.tokens is None:
        return "not readable"
    if not one.tokens:
        return "none"
    first = relative(min(token.expires_at for token in one.tokens), now, coarse=True)
    return first if len(one.tokens) == 1 else f"{first} (first of {len(one.tokens)})"


def _details(one: Standing, now: datetime) -> list[tuple[str, Text | str]]:
    """Return what there is to know of a credential that was asked for by name."""
    from rotator.show.times import when

    rows: list[tuple[str, Text | str]] = []
    if one.identity is not None:
        rows.append(("org", f"{one.identity.org_id}, app {one.identity.app}"))
    if one.current is not None:
        rows.append(("fingerprint", one.current.fingerprint))
    if one.previous is not None:
        rows.append(("previous key", str(one.previous)))
    if one.next_rotation is not None:
        rows.append(("due", when(one.next_rotation.due_at, now)))
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


def _next(rotation: NextRotation | None, now: datetime) -> str:
    from rotator.show.times import briefly

    if rotation is None:
        return "-"
    return briefly(rotation.begins_at, now) if rotation.begins_at is not None else "held"


def _remarks(one: Standing, now: datetime) -> list[tuple[str, str]]:
    """Return what does not fit into the table, with its colour."""
    from rotator.cli.output import BAD, DOUBTFUL
    from rotator.show.times import when

    found: list[tuple[str, str]] = []
    if one.under_way is not None:
        change = one.under_way.change
        found.append(
            (f"{change.reason} since {when(change.began, now)}: {one.under_way.waiting_for}", DOUBTFUL)
        )
    if one.paused is not None:
        found.append(
            (
                f"paused since {when(one.paused.since, now)}: {one.paused.why}",
                BAD if one.paused.kind == "identity" else DOUBTFUL,
            )
        )
    if one.next_rotation is not None and one.next_rotation.held is not None:
        found.append((one.next_rotation.held, DOUBTFUL))
    return found


@command(
    "Show what would be done, and when; touch nothing.",
    AS_DAEMON,
    "rotator plan                 # what would `rotator once` do?",
    "rotator plan acme --json",
    exits=[Exit.PROBLEM, Exit.USAGE, Exit.UNAVAILABLE],
)
@names_argument
@on_vault
@json_option
@pass_settings
def plan(settings: Settings, names: tuple[str, ...], *, as_json: bool) -> None:
    """Show what would be done now, what comes next, and when. Touches nothing.

    Decides exactly as the daemon does, from the same documents. Ends with exit code 1 when those of a credential
    cannot be read, or when one is set aside.
    """
    from rotator.cli.agenda import agendas
    from rotator.cli.output import complain, print_json

    now = datetime.now(UTC)
    with settings.application(names) as (app, problems):
        found = agendas(app, names, now)
    if as_json:
        print_json({"at": now, "credentials": found})
    else:
        for one in found:
            _print_agenda(one, now)
    broken = [(one.credential, one.trouble) for one in found if one.trouble is not None]
    for name, trouble in broken:
        complain(f"{name}: {trouble.message}", trouble.hint)
    aside = () if names else problems
    _print_set_aside(aside)
    click.get_current_context().exit(Exit.PROBLEM if broken or aside else Exit.OK)


def _print_set_aside(problems: Sequence[Problem]) -> None:
    from rotator.cli.output import BAD, say

    for problem in problems:
        say(f"set aside: {problem}", BAD, error=True)


def _print_agenda(one: Agenda, now: datetime) -> None:
    from rotator.cli.output import facts, say
    from rotator.show.times import when

    say(f"{one.credential}: {one.phase.value.replace('_', ' ')}", "bold")
    rows: list[tuple[str, Text | str]] = [("now", f"{one.action or 'nothing'}: {one.reason}")]
    rows += [
        ("then", f"{when(step.at, now)}: {f'{step.action}: ' if step.action else ''}{step.reason}")
        for step in one.later
    ]
    rotation = one.next_rotation
    if rotation is not None:
        held = f"; {rotation.held}" if rotation.held else ""
        rows.append(("rotation due", f"{when(rotation.due_at, now)}{held}"))
        if rotation.begins_at != rotation.due_at and rotation.begins_at is not None:
            rows.append(("begins", when(rotation.begins_at, now)))
        rows.append(("urgent from", when(rotation.urgent_at, now)))
    if one.window is not None:
        rows.append(("window", f"{when(one.window.opens, now)} until {when(one.window.closes, now)}"))
    rows += [("next token", f"{token.user}: {when(token.refresh_after, now)}") for token in one.tokens]
    facts(rows)


@command(
    "Show the last changes of a credential.",
    READS,
    "rotator history acme",
    exits=[Exit.USAGE, Exit.UNAVAILABLE],
)
@name_argument
@on_vault
@json_option
@pass_settings
def history(settings: Settings, name: str, *, as_json: bool) -> None:
    """Show the last changes of a credential, the newest at the end: what was brought in, why, and how it ended."""
    from rotator.cli.output import print_json, say, table
    from rotator.show.times import clock, span

    with settings.application([name]) as (app, _problems):
        record, _version = app.documents.read_record(name)
    if as_json:
        print_json({"credential": name, "history": record.history})
    elif not record.history:
        say(f"{name} has been through no change yet")
    else:
        table(
            ("BEGAN", "TOOK", "REASON", "KEY", "OUTCOME", "DEPLOYED", "WHY"),
            [
                (
                    clock(entry.began),
                    span(entry.ended - entry.began),
                    entry.reason.value,
                    str(entry.target),
                    entry.outcome,
                    "yes" if entry.deployed else "no",
                    entry.message or "-",
                )
                for entry in record.history
            ],
        )


@command(
    "Print the certificate of a credential.",
    AS_DAEMON,
    "rotator certificate acme | openssl x509 -noout -subject -enddate",
    "rotator certificate acme --serial 7",
    "rotator certificate acme --csr",
    exits=[Exit.PROBLEM, Exit.USAGE, Exit.UNAVAILABLE],
)
@name_argument
@click.option(
    "--serial",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="Of this key pair. [default: the one that a change brings in, else the one that signs]",
)
@click.option(
    "--csr", is_flag=True, help="Print a certificate signing request (PKCS#10) for the key instead."
)
@on_vault
@json_option
@pass_settings
def certificate(settings: Settings, name: str, *, serial: int | None, csr: bool, as_json: bool) -> None:
    """Print the certificate (PEM) that belongs into the app. It is public; the private key stays in Vault."""
    from rotator.cli.output import print_json
    from rotator.keypairs import make_csr

    with settings.application([name]) as (app, _problems):
        record, _version = app.documents.read_record(name)
        chosen = serial or (record.change.target if record.change else record.current)
        if chosen is None:
            raise click.UsageError(
                f"{name} has no key pair yet. Begin with `rotator init` or `rotator adopt`."
            )
        pair = app.documents.read_key(name, chosen)
    pem = make_csr(pair) if csr else pair.certificate_pem
    if as_json:
        print_json(
            {
                "credential": name,
                **asdict(record.key(chosen) or pair.facts(chosen)),
                "csr" if csr else "certificate": pem,
            }
        )
    else:
        click.echo(pem, nl=False)


COMMANDS = (status, plan, history, certificate)
