"""The log for people: time, level, credential and a sentence on a line, what mends it below."""

from __future__ import annotations

import os
import re
from typing import Final, TextIO

from structlog.typing import EventDict

from rotator.show.sentences import sentence

MARKS: Final = {"debug": "·", "info": "●", "warning": "▲", "error": "✖", "critical": "✖"}
PLAIN_MARKS: Final = {"debug": ".", "info": "-", "warning": "!", "error": "x", "critical": "X"}
COLOURS: Final = {"debug": "2", "info": "32", "warning": "33", "error": "1;31", "critical": "1;97;41"}
BOLD, FAINT = "1", "2"
BELOW: Final = ("steps", "certificate", "exception")
"""Fields of many lines, which stand below the sentence."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
TIME: Final = slice(11, 19)  # of a time stamp in RFC 3339


def reading_on(stream: TextIO) -> Reading:
    """Return what renders for a stream: with colours on a terminal, as ``NO_COLOR`` and ``FORCE_COLOR`` have it."""
    wanted = stream.isatty() and not os.environ.get("NO_COLOR")
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return Reading(
        colours=wanted or bool(os.environ.get("FORCE_COLOR")), unicode=encoding.lower().startswith("utf")
    )


class Reading:
    """Renders an event for people. It gets what was redacted before."""

    def __init__(self, *, colours: bool, unicode: bool) -> None:
        self._colours = colours
        self._marks = MARKS if unicode else PLAIN_MARKS

    def __call__(self, _logger: object, _method: str, event: EventDict) -> str:
        level = str(event.get("level", "info"))
        name = str(event.get("event", ""))
        colour = COLOURS.get(level, COLOURS["info"])
        about = event.get("credential") or event.get("logger")
        parts = [
            self._painted(f"{str(event.get('timestamp', ''))[TIME]}Z", FAINT),
            self._painted(self._marks.get(level, "?"), colour),
            *([self._painted(f"{about}:", BOLD)] if about else []),
            self._painted(sentence(name, event), colour if level in ("error", "critical") else ""),
        ]
        return "\n".join([" ".join(parts), *self._below(event)])

    def _below(self, event: EventDict) -> list[str]:
        """Return what else a person needs: the mend, the runbook, and what has many lines."""
        lines = []
        if event.get("hint"):
            lines.append(self._painted(f"    mend: {event['hint']}", ""))
        if event.get("alert"):
            lines.append(self._painted(f"    runbook: docs/runbook.md#{event.get('runbook', '')}", FAINT))
        for field in BELOW:
            if event.get(field):
                lines += [self._painted(f"    {line}", "") for line in str(event[field]).splitlines()]
        return lines

    def _painted(self, text: str, colour: str) -> str:
        """Return a text in a colour. What others said may neither move the cursor nor paint."""
        shown = _CONTROL.sub("?", text)
        return f"\x1b[{colour}m{shown}\x1b[0m" if self._colours and colour else shown
