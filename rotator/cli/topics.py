"""What `rotator help` explains: made from the very tables that rotator works by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import RenderableType

    from rotator.core.machine import Row
    from rotator.events import Event
    from rotator.vault.policies import Holder

SHOWN_MOUNT, SHOWN_BASE = "secret", "salesforce"


@dataclass(frozen=True, slots=True)
class Topic:
    """Something that can be explained."""

    short: str
    pages: Callable[[], Iterator[RenderableType]]


@dataclass(frozen=True, slots=True)
class Told:
    """A row of the state machine in words.

    Attributes:
        does: the action; empty where the record alone changes.
        then: what is recorded before it, and for each kind of answer.
    """

    when: str
    does: str
    then: tuple[str, ...]


def told(row: Row) -> Told:
    """Return a row of the state machine in words: those of the functions in it."""
    from rotator.core.effects import Nothing

    first = [f"first: {_first_line(row.intent)}"] if row.intent else []
    after = [f"{kind}: {_first_line(move)}" for kind, move in row.moves.items()]
    does = "" if row.action is Nothing else row.action.__name__
    return Told(_first_line(row.guard), does, (*first, *after))


def _first_line(function: Callable[..., Any]) -> str:
    return (function.__doc__ or "").strip().splitlines()[0].rstrip(".")


def _states() -> Iterator[RenderableType]:
    from rich.text import Text

    from rotator.cli.output import FAINT, grid, hanging, indented, styled
    from rotator.core.machine import CHANGE, COLLECTION, TOKENS
    from rotator.core.model import PHASES, Phase
    from rotator.core.outcome import OUTCOMES

    yield Text("The phases of a credential\n", "bold")
    yield indented(grid([(phase.words, meaning) for phase, meaning in PHASES.items()]), 2)
    yield Text("\nHow a change ends\n", "bold")
    yield indented(grid([(outcome.words, meaning) for outcome, meaning in OUTCOMES.items()]), 2)
    yield Text("\nWhat is done in each phase", "bold")
    yield Text(
        "The first row that applies is done. Each is recorded before it is done, and what came of it after."
    )
    for title, rows in (
        ("Tokens of each user", TOKENS),
        ("The change", CHANGE),
        ("What is left over", COLLECTION),
    ):
        yield Text(f"\n{title}", "bold")
        for row in rows:
            one = told(row)
            phases = "any phase" if row.phases == frozenset(Phase) else ", ".join(
                phase.words for phase in Phase if phase in row.phases
            )  # fmt: skip
            yield Text()
            yield hanging(styled("  when  ", FAINT), one.when)
            yield hanging(styled("    in  ", FAINT), phases)
            if one.does:
                yield hanging(styled("    do  ", FAINT), one.does)
            for number, then in enumerate(one.then):
                yield hanging(styled("  then  " if number == 0 else "        ", FAINT), then)


def _events() -> Iterator[RenderableType]:
    from rich.text import Text

    from rotator.events import CATALOGUE

    yield Text("What the log may say", "bold")
    yield Text(
        "`rotator events` prints the same, as a table where there is room; with --json also the fields of each."
    )
    yield from described(CATALOGUE)


def described(events: Iterable[Event]) -> Iterator[RenderableType]:
    """Yield events with all that there is to say of them, for a terminal that has no room for a table."""
    for event in events:
        act = f", a person must act: docs/runbook.md#{event.runbook}" if event.alert else ""
        yield from _entry(event.name, f"{event.level}{act}", event.meaning.replace("``", "`"))


def _entry(name: str, kind: str, meaning: str) -> Iterator[RenderableType]:
    """Yield what is said of one thing in a catalogue."""
    from rich.text import Text

    from rotator.cli.output import FAINT, hanging, styled

    yield Text()
    yield Text(name, "bold")
    yield hanging(styled("  "), kind, FAINT)
    yield hanging(styled("  "), meaning)


def _metrics() -> Iterator[RenderableType]:
    from rich.text import Text

    from rotator.metrics import CATALOGUE, NOTES

    yield Text("What /metrics gives, on the port of web.listen", "bold")
    yield Text(NOTES)
    for metric in CATALOGUE:
        labels = f" by {', '.join(metric.labels)}" if metric.labels else ""
        yield from _entry(metric.name, f"{metric.kind}{labels}", metric.meaning)


def _paths() -> Iterator[RenderableType]:
    from rich.text import Text

    from rotator.cli.output import FAINT, hanging, styled
    from rotator.vault import paths
    from rotator.vault.policies import rules

    for part in cleandoc(paths.__doc__ or "").replace("``", "`").split("\n\n"):
        if part != "::":
            yield Text(part if part.startswith(" ") else " ".join(part.split()))
            yield Text()
    holders: tuple[tuple[Holder, str | None], ...] = (
        ("daemon", None), ("operator", None), ("consumer", "acme"),
    )  # fmt: skip
    for holder, credential in holders:
        of = f" (of the credential {credential})" if credential else ""
        yield Text(f"What the {holder}{of} may", "bold")
        for rule in rules(holder, SHOWN_MOUNT, SHOWN_BASE, credential=credential):
            yield Text(f"  {rule.path}")
            yield hanging(styled(f"      {', '.join(rule.capabilities)}: ", FAINT), rule.why)
        yield Text()
    yield Text(f"`rotator vault-policy` prints these for a mount other than {SHOWN_MOUNT}, too.")


def _exit_codes() -> Iterator[RenderableType]:
    from rotator.cli.exits import MEANINGS
    from rotator.cli.output import grid

    yield grid([(str(code.value), meaning) for code, meaning in MEANINGS.items()], ("CODE", "MEANING"))


TOPICS: Final[Mapping[str, Topic]] = {
    "states": Topic("the phases of a credential, what is done in each, and how a change ends", _states),
    "events": Topic("all that the log may say, and when a person must act", _events),
    "metrics": Topic("all that can be measured, as Prometheus reads it", _metrics),
    "paths": Topic("what lives where in Vault, and who may touch it", _paths),
    "exit-codes": Topic("what a script can tell from the exit code", _exit_codes),
}
