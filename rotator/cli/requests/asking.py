"""How every request is made, answered, followed and told."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rotator.app import Application
from rotator.cli.aside import concerning
from rotator.cli.exits import Exit
from rotator.cli.history import style_of
from rotator.cli.output import BAD, DOUBTFUL, complain, print_json, say, say_steps, warn
from rotator.cli.requests.advice import besides, instead
from rotator.cli.requests.course import Course, Leg, following
from rotator.cli.settings import Settings
from rotator.config import ConfigurationError, Problem
from rotator.core import timing
from rotator.core.model import Answered, Ask, Entry, Phase, Record, Request, Terms
from rotator.core.outcome import Outcome
from rotator.errors import RotatorError
from rotator.publishers.manual import manual_steps
from rotator.run import ask
from rotator.secret import Secret
from rotator.show.times import span
from rotator.standing import progress, waits_for_person

AT_ONCE = frozenset({Ask.PAUSE, Ask.RESUME})
"""What is done when it is answered."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a request is made.

    Attributes:
        where: ``here``: by this process at once; ``ask``: by the daemon alone; None: by this process if no daemon
            answers, and it may.
        within: how long an answer is waited for.
        wait: stay until the change is over.
    """

    where: str | None = None
    within: timedelta | None = None
    as_json: bool = False
    wait: bool = False


def request(
    settings: Settings, name: str, what: Ask, manner: Manner, payload: dict[str, Secret] | None = None
) -> Exit:
    """Make a request, tell its answer, and follow the change if so wished. Raises RotatorError."""
    with (
        settings.application([name], tells=manner.where != "here") as (app, problems),
        Asking(app, name, manner, problems).session(settings) as asking,
    ):
        answer = asking.answer(what, payload)
        if answer is None:
            return Exit.UNANSWERED
        if not answer.accepted:
            return asking.end(answer, Exit.PROBLEM)
        if not asking.is_here and (what in AT_ONCE or not manner.wait):
            return asking.end(answer, Exit.OK)
        record = asking.follow()
        return asking.end(answer, verdict(what, record, answer.at, wanted_to_wait=manner.wait), record)


def verdict(what: Ask, record: Record, since: datetime, *, wanted_to_wait: bool) -> Exit:
    """Return whether a change that was followed ended, or goes on, as its request meant it."""
    if what in AT_ONCE:
        return Exit.OK
    if not ask.is_over(record):
        return Exit.PROBLEM if wanted_to_wait or record.phase is Phase.LOCKED_OUT else Exit.OK
    entries = ask.ended(record, since)
    if what is Ask.ABORT or (what is Ask.DEPLOYED and not entries):  # all was proved before it was asked
        return Exit.OK
    if not entries:
        return Exit.PROBLEM
    outcome = entries[0].outcome
    # Who brought the current certificate in again by hand meant it to be restored.
    is_meant = outcome.arrived or (what is Ask.DEPLOYED and outcome is Outcome.RESTORED)
    return Exit.OK if is_meant else Exit.PROBLEM


def _is_good(record: Record) -> bool:
    """Tell whether the last change of a record got where it was to go, be it back."""
    return bool(record.history) and record.history[-1].outcome.by_proofs


class Asking:
    """One request of an operator, from the question to the end of the change."""

    def __init__(self, app: Application, name: str, manner: Manner, problems: Sequence[Problem]) -> None:
        self._app, self._name, self._manner = app, name, manner
        self._wrong = concerning(problems, [name])
        self._terms: Terms = app.driver.stations[name].terms
        self._here: Future[list[str]] | None = None
        self._stack = ExitStack()
        self._may_act = False

    @contextmanager
    def session(self, settings: Settings) -> Iterator[Asking]:
        """Work; what runs in this process is stopped at the end.

        A daemon may serve the credential with former settings; this process could not. Raises ConfigurationError.
        """
        if self._wrong and self._manner.where == "here":
            raise ConfigurationError(self._wrong)
        self._may_act = settings.token_file is None and self._manner.where != "ask" and not self._wrong
        with self._stack:
            yield self

    @property
    def is_here(self) -> bool:
        """Whether this process does what a daemon would."""
        return self._here is not None

    def answer(self, what: Ask, payload: dict[str, Secret] | None = None) -> Answered | None:
        """Ask, tell what was said, and return it; None if nobody answered."""
        made = ask.ask(self._app.documents, self._name, what, payload)
        if self._manner.where == "here":
            self._act()
        within = self._manner.within or ask.patience(self._app.configuration.fleet.reconcile_every)
        said = self._await(made, within)
        if said is None and self._may_act and not self.is_here:
            self._tell(f"no daemon answered within {span(within)}, so it is done here")
            self._act()
            # Somebody else's lease may have to end first.
            said = self._await(made, self._terms.lease + within)
        if said is None:
            self._unanswered(made, within)
            return None
        if not said.accepted:
            record, _version = self._app.documents.read_record(self._name)
            complain(f"{self._name}: {said.sentence}", instead(what, record, self._name))
            return said
        if not self._manner.as_json:
            say(f"{self._name}: {said.sentence}")
        if note := besides(what, self._terms):
            warn("note: ", f"{self._name}: {note}", DOUBTFUL)
        return said

    def _await(self, made: Request, within: timedelta) -> Answered | None:
        return ask.await_answer(self._app.documents, self._name, made, within, self._raise_if_broken)

    def _act(self) -> None:
        if self._here is None:
            self._here = self._stack.enter_context(ask.answer_here(self._app, self._name))

    def _unanswered(self, made: Request, within: timedelta) -> None:
        complain(
            f"nobody answered within {span(within)}: no daemon seems to run. The request to {made.ask} waits in Vault",
            f"The next daemon takes it, or `rotator once {self._name}`"
            f"{', once its settings hold' if self._wrong else ''}. To take it back: `rotator withdraw {self._name}`.",
        )
        if self._manner.as_json:
            print_json({"credential": self._name, "request_id": made.id, "ask": made.ask, "answered": None})

    def follow(
        self,
        is_enough: Callable[[Record], bool] = lambda _record: False,
        at_most_seconds: float = math.inf,
    ) -> Record:
        """Tell how the change goes until it is over, needs a person, or has got far enough; return the record then.

        What runs in this process is waited for: it may begin what was due, and must not leave it half-way.
        """
        with following() as course:
            record = self._follow(course, is_enough, time.monotonic() + at_most_seconds)
            course.finish(is_good=_is_good(record) if ask.is_over(record) else is_enough(record) or None)
        return record

    def _follow(self, course: Course, is_enough: Callable[[Record], bool], give_up: float) -> Record:
        idle = self._here is None
        for record in ask.records(self._app.documents, self._name):
            self._raise_if_broken()
            if is_enough(record) or time.monotonic() > give_up:
                return record
            if record.change is None or ask.is_over(record):
                if idle:
                    return record
            else:
                leg = Leg(record.change.reason, record.change.target, record.phase.words)
                course.turn(leg, self._progress(record))
                if self._is_stuck(record) or (idle and self._here is not None):
                    return record
            idle = self._here is None or self._here.done()  # then it is read once more
        raise AssertionError("records never end")

    def _progress(self, record: Record) -> str:
        return progress(record, self._terms, datetime.now(UTC))

    def _is_stuck(self, record: Record) -> bool:
        """Tell whether something went wrong that nobody but a person can mend."""
        return record.phase is Phase.LOCKED_OUT or timing.is_stuck(record, self._terms, datetime.now(UTC))

    def _raise_if_broken(self) -> None:
        if self._here is not None and self._here.done() and (error := self._here.exception()) is not None:
            raise error

    def end(self, answer: Answered, code: Exit, record: Record | None = None) -> Exit:
        """Tell how it ended."""
        entries: tuple[Entry, ...] = ask.ended(record, answer.at) if record is not None else ()
        if self._manner.as_json:
            print_json(
                {
                    "credential": self._name,
                    "request_id": answer.request_id,
                    "accepted": answer.accepted,
                    "sentence": answer.sentence,
                    "phase": record.phase if record else None,
                    "current": record.current if record else None,
                    "changes": entries,
                }
            )
            return code
        for entry in entries:
            why = f": {entry.message}" if entry.message else ""
            what = f"{entry.reason} to key pair {entry.target} {entry.outcome.words}"
            took = span(entry.ended - entry.began)
            say(f"{self._name}: {what} after {took}{why}", style_of(entry.outcome))
        if record is not None and not ask.is_over(record):
            say(f"{self._name}: {self._progress(record)}; see `rotator status {self._name}`", BAD)
            self._tell_steps(record)
        return code

    def _tell_steps(self, record: Record) -> None:
        """Tell a person how to bring the certificate in, where it may be read."""
        if record.change is None or not waits_for_person(record, self._terms, datetime.now(UTC)):
            return
        try:
            pair = self._app.documents.read_key(self._name, record.change.target)
        except RotatorError:
            say("The certificate and the steps are in the daemon's log, in the event change.waiting.")
        else:
            say("")
            app = self._app.driver.stations[self._name].app
            seen_within = timing.seen_within(record.phase, self._terms)
            say_steps(manual_steps(app, pair.certificate_pem, seen_within).rstrip())

    def _tell(self, text: str) -> None:
        say(text, "dim", error=True)
