"""What holds in every record, and what is said of one in which it does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rotator.core.model import Entry, Phase, Reason, Record, Retired
from rotator.core.outcome import Outcome
from rotator.core.soundness import MOST_COUNTED, MOST_SERIALS, flaw_of
from tests.core.given import NOW, changing, key, steady

NEVER_MADE = "names a key pair that was never made (newest is the highest serial)"
UNKNOWN = "names a key pair that is not among keys"
PROVING = changing(Phase.PROVING, asked=1)
CREATING = changing(Phase.CREATING, keys=(key(1), key(2)))


def counted(most):
    return f"should be a number from 0 to {most}"


def entry(serial):
    return Entry(serial, Reason.ROTATION, Outcome.PROMOTED, NOW, NOW, deployed=True)


@pytest.mark.parametrize(
    "record",
    [
        Record(),
        steady(),
        CREATING,
        PROVING,
        changing(Phase.LOCKED_OUT, current=None, previous=None, rival=None),
        steady(shredding=2, retired=(Retired(1, NOW, handed_out=True),), history=(entry(1), entry(2))),
        steady(doubts=MOST_COUNTED, failures=MOST_COUNTED),
        replace(PROVING, change=replace(PROVING.change, asked=MOST_COUNTED, proofs=MOST_COUNTED)),
        steady(newest=MOST_SERIALS),
        steady(retired=(Retired(1, NOW, handed_out=True),), keys=(key(2),), previous=None),
    ],
)
def test_records_as_they_are_written_are_sound(record):
    assert flaw_of(record) is None


@pytest.mark.parametrize(
    ("record", "key", "what"),
    [
        (Record(newest=-1), "newest", counted(MOST_SERIALS)),
        (Record(newest=MOST_SERIALS + 1), "newest", counted(MOST_SERIALS)),
        (steady(doubts=-1), "doubts", counted(MOST_COUNTED)),
        (steady(doubts=MOST_COUNTED + 1), "doubts", counted(MOST_COUNTED)),
        (steady(failures=-1), "failures", counted(MOST_COUNTED)),
        (steady(failures=MOST_COUNTED + 1), "failures", counted(MOST_COUNTED)),
        (changing(Phase.PROVING, asked=-1), "change.asked", counted(MOST_COUNTED)),
        (changing(Phase.PROVING, proofs=MOST_COUNTED + 1), "change.proofs", counted(MOST_COUNTED)),
        (steady(keys=(key(1), key(2), key(2))), "keys", "holds a serial twice"),
        (steady(current=3), "current", NEVER_MADE),
        (steady(previous=0), "previous", NEVER_MADE),
        (steady(shredding=3), "shredding", NEVER_MADE),
        (steady(keys=(key(1), key(2), key(3))), "keys", NEVER_MADE),
        (steady(retired=(Retired(3, NOW, handed_out=False),)), "retired", NEVER_MADE),
        (steady(history=(entry(1), entry(3))), "history", NEVER_MADE),
        (changing(Phase.PROVING, target=4), "change.target", NEVER_MADE),
        (changing(Phase.PROVING, rival=4), "change.rival", NEVER_MADE),
        (changing(Phase.PROVING, doubts=-1), "doubts", counted(MOST_COUNTED)),
        (changing(Phase.PROVING, current=4), "current", NEVER_MADE),
        (changing(Phase.PROVING, keys=(key(2), key(3))), "previous", UNKNOWN),
        (steady(keys=(key(1),)), "current", UNKNOWN),
        (steady(keys=(key(2),)), "previous", UNKNOWN),
        (changing(Phase.STAGED, keys=(key(1), key(2))), "change.target", UNKNOWN),
        (replace(PROVING, phase=Phase.STEADY), "change", "is there, which cannot be in phase steady"),
        (replace(steady(), phase=Phase.PROVING), "change", "is missing, which cannot be in phase proving"),
        (replace(steady(), phase=Phase.EMPTY), "current", "is there, which cannot be in phase empty"),
        (Record(phase=Phase.STEADY), "current", "is missing, which cannot be in phase steady"),
    ],
)
def test_what_cannot_be_is_told_with_its_key(record, key, what):
    assert flaw_of(record) == (key, what)
