"""The log: one line for each event, JSON for machines, sentences on a terminal, no secret in either.

Every line, also of libraries, warnings and uncaught exceptions, takes the same way: ``logging`` carries it, structlog
shapes it, the redactor sees it last. Before :func:`configure` nothing is written.
"""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Final, Literal, TextIO

import structlog

from rotator import events
from rotator.events import Event
from rotator.show import journal
from rotator.show.reading import reading_on
from rotator.show.redact import Redactor

Format = Literal["auto", "json", "journal", "console"]

redactor: Final = Redactor()
"""What the log goes through. Tell it the secrets that have no shape of their own: ``redactor.remember(value)``."""

_own: Final = logging.getLogger("rotator")
_own.addHandler(logging.NullHandler())
_LEVELS: Final = {name.lower(): number for name, number in logging.getLevelNamesMapping().items()}
_log: Final[structlog.stdlib.BoundLogger] = structlog.wrap_logger(
    _own,
    wrapper_class=structlog.stdlib.BoundLogger,
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
)


Listener = Callable[[Event, Mapping[str, object]], None]
"""Is told of every event with its fields, whatever its level."""

_listeners: Final[list[Listener]] = []


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Tell a listener of all events meanwhile. It must be quick, for whoever emits waits, and raise nothing."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def emit(event: Event, /, *, exc_info: bool | BaseException = False, **fields: object) -> None:
    """Log an event of the catalogue with its fields; ``exc_info`` adds a traceback.

    A field that the catalogue does not name is a mistake of ours: a warning (in tests an error), never a lost line.
    """
    if unknown := fields.keys() - event.fields:
        warnings.warn(
            f"{event.name} carries {sorted(unknown)}, not in the catalogue", RuntimeWarning, stacklevel=2
        )
    for listener in tuple(_listeners):
        listener(event, fields)
    level = _LEVELS[event.level]
    if not _own.isEnabledFor(level):
        return
    if event.alert:
        fields |= {"alert": True, "runbook": event.runbook}
    _log.log(level, event.name, exc_info=exc_info or None, **fields)


def configure(*, format: Format = "auto", level: str = "info", stream: TextIO | None = None) -> None:  # noqa: A002 - the name of the setting
    """Write the log of the whole process to ``stream`` (standard error), from ``level`` on.

    ``journal`` is ``json`` with the level before each line, as the journal of systemd wants it. ``auto`` is ``console``
    on a terminal, ``journal`` where that listens, and ``json`` elsewhere. Libraries speak from ``warning`` on. Uncaught
    exceptions of any thread become :data:`rotator.events.CRASHED`.

    Raises:
        KeyError: there is no such level.
    """
    stream = stream or sys.stderr
    threshold = logging.getLevelNamesMapping()[level.upper()]
    root = logging.getLogger()
    before = [handler for handler in root.handlers if isinstance(handler, _Handler)]
    # The same one is kept: between two of them a line of another thread would be lost.
    handler = next((one for one in before if one.stream is stream), None) or _Handler(stream)
    handler.setFormatter(_formatter(*_renderers(format, stream)))
    root.addHandler(handler)  # once, however often it is added
    for old in before:
        if old is not handler:
            root.removeHandler(old)
    root.setLevel(max(threshold, logging.WARNING))
    _own.setLevel(threshold)
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    threading.excepthook = _uncaught_in_thread


@contextmanager
def capture() -> Iterator[list[dict[str, Any]]]:
    """Collect, for a test, what is logged meanwhile, redacted: ``event``, ``level`` and the fields of each line."""
    collector = _Collector()
    root, own_level = logging.getLogger(), _own.level
    root.addHandler(collector)
    _own.setLevel(logging.DEBUG)
    try:
        yield collector.lines
    finally:
        root.removeHandler(collector)
        _own.setLevel(own_level)


def _formatter(*renderer: structlog.typing.Processor) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.contextvars.merge_contextvars, structlog.stdlib.add_logger_name],
        processors=[*_SHAPING, *renderer],
    )


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []
        self.setFormatter(_formatter(self._collect))

    def emit(self, record: logging.LogRecord) -> None:
        self.format(record)

    def _collect(self, _logger: object, _method: str, event: structlog.typing.EventDict) -> str:
        self.lines.append(dict(event))
        return ""


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name that logging gives it
        """Say that a line is lost, and no more: what logging would print here is not redacted."""
        with suppress(OSError, ValueError):
            self.stream.write(f"a log line of {record.name} could not be written\n")


def _order(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Put first what a reader looks for first."""
    first = {name: event[name] for name in ("timestamp", "level", "event") if name in event}
    return {**first, **event}


_SHAPING: Final[Sequence[structlog.typing.Processor]] = (
    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
    _order,
    redactor,
)


def _renderers(format: Format, stream: TextIO) -> Sequence[structlog.typing.Processor]:  # noqa: A002 - as above
    if format == "auto":
        format = "console" if stream.isatty() else "journal" if journal.listens(stream) else "json"  # noqa: A001 - as above
    if format == "console":
        return [reading_on(stream)]
    return [_for_journal] if format == "journal" else [_json]


_json: Final = structlog.processors.JSONRenderer()


def _for_journal(logger: Any, method: str, event: structlog.typing.EventDict) -> str:
    return journal.marked(str(_json(logger, method, event)), event["level"])


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    emit(events.CRASHED, thread=threading.current_thread().name, error=kind.__name__, exc_info=error)


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        name = args.thread.name if args.thread else "unknown"
        emit(events.CRASHED, thread=name, error=args.exc_type.__name__, exc_info=args.exc_value)


def _unraisable(args: sys.UnraisableHookArgs) -> None:
    _own.error("exception ignored: %s", args.err_msg or args.exc_type.__name__, exc_info=args.exc_value)
