"""Troubles on the record: what does not work, since when and why. Written on their edges only."""

from __future__ import annotations

from dataclasses import replace

from rotator.core.effects import Answer
from rotator.core.model import Record, Trouble


def troubled(record: Record, trouble: Trouble) -> Record:
    """Put a trouble on record, on its edge: the same code again leaves the first time standing."""
    known = record.trouble_of(trouble.subject)
    if known is not None and known.code == trouble.code and known.lasting == trouble.lasting:
        return record
    since = known.since if known else trouble.since
    others = tuple(other for other in record.trouble if other.subject != trouble.subject)
    return replace(record, trouble=(*others, replace(trouble, since=since)))


def healed(record: Record, *subjects: str) -> Record:
    """Take troubles off the record."""
    left = tuple(trouble for trouble in record.trouble if trouble.subject not in subjects)
    return record if len(left) == len(record.trouble) else replace(record, trouble=left)


def trouble_from(answer: Answer, subject: str, code: str = "") -> Trouble:
    """Return the trouble that an answer tells of."""
    return Trouble(subject, answer.at, code or answer.code, answer.message, answer.hint, answer.lasting)
