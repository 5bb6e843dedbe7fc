"""The pages, made on the server: what there is to see without a script."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from http import HTTPStatus
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from rotator import __version__
from rotator.show.times import relative, span
from rotator.standing import runbook_of
from rotator.web.answer import Answer
from rotator.web.choice import Choice
from rotator.web.rows import Row, row_of
from rotator.web.seen import Seen
from rotator.web.summary import summary
from rotator.web.wishes import has

HTML: Final = "text/html; charset=utf-8"
_KINDS: Final = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}

_environment = Environment(
    loader=PackageLoader("rotator.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.globals |= {"version": __version__, "machine": platform.node(), "runbook_of": runbook_of}


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _minute(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%MZ}"


_environment.filters |= {
    "stamp": _stamp,
    "minute": _minute,
    "relative": relative,
    "span": span,
    "words": lambda text: str(text).replace("_", " "),
}


class Static:
    """Files that pages need. A browser may keep them, and asks each time whether they are still the same."""

    def __init__(self) -> None:
        folder = files("rotator.web") / "static"
        self._answers = {name: _tagged((folder / name).read_bytes(), kind) for name, kind in _KINDS.items()}

    def find(self, name: str, if_none_match: str) -> Answer | None:
        """Return a file, or that the client has it already; None where there is none of that name."""
        answer = self._answers.get(name)
        if answer is not None and has(if_none_match, answer.headers["ETag"]):
            return replace(answer, body=b"", status=HTTPStatus.NOT_MODIFIED)
        return answer


def _tagged(body: bytes, kind: str) -> Answer:
    tag = f'"{sha256(body).hexdigest()[:16]}"'
    return Answer(body, kind, headers={"ETag": tag, "Cache-Control": "no-cache"})


def fleet_page(seen: Seen, every: Sequence[Row], query: str, *, alive: bool) -> Answer:
    """Return the page of all credentials, of which ``query`` chooses some."""
    choice = Choice.read(query)
    wanted = choice.rows(every)
    shown, page, pages = choice.part(wanted)
    return _page(
        "fleet.html",
        seen=seen,
        now=seen.at,
        choice=choice,
        every=every,
        wanted=wanted,
        shown=shown,
        page=page,
        pages=pages,
        summary=summary(seen, every, alive=alive),
    )


def credential_page(seen: Seen, name: str) -> Answer | None:
    """Return the page of one credential; None if there is none of that name."""
    row = row_of(seen, name)
    if row is None:
        return None
    station = seen.stations.get(name)
    record = station.record if station is not None and row.standing is not None else None
    history: Sequence[Any] = tuple(reversed(record.history)) if record is not None else ()
    return _page(
        "credential.html", seen=seen, now=seen.at, row=row, station=station, record=record, history=history
    )


def said_page(sentence: str, status: HTTPStatus, headers: dict[str, str] | None = None) -> Answer:
    """Return a page of one sentence."""
    return _page("said.html", status, headers, sentence=sentence, title=status.phrase)


def _page(
    template: str,
    status: HTTPStatus = HTTPStatus.OK,
    headers: dict[str, str] | None = None,
    **shown: Any,
) -> Answer:
    text = _environment.get_template(template).render(**shown)
    return Answer(text.encode("utf-8", "replace"), HTML, status, headers or {})
