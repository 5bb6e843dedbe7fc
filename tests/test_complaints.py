"""What the judge of consumers calls too much."""

from __future__ import annotations

import pytest

from tests.world.consumer import SPOILT_BY_CHANCE, Consumer, complaints

EVERY_SECONDS = 0.5
ANN = "ann@acme.example"


def consumer(*, calls: int = 100, failed: int = 0, spoilt: int = 0) -> Consumer:
    one = Consumer("http://127.0.0.1:1", "s.token", "acme", ANN, call_every_seconds=EVERY_SECONDS)
    one.calls, one.failed, one.spoilt = calls, failed, spoilt
    return one


@pytest.mark.parametrize(
    ("one", "refused_seconds", "unanswered_seconds"),
    [
        (consumer(), {}, 0),
        (consumer(failed=10), {ANN: 5}, 0),
        (consumer(spoilt=SPOILT_BY_CHANCE + 20), {}, 0),
        (consumer(spoilt=SPOILT_BY_CHANCE + 120), {}, 50),
    ],
)
def test_what_was_bound_to_be_is_no_complaint(one, refused_seconds, unanswered_seconds):
    assert list(complaints([one], refused_seconds, unanswered_seconds)) == []


@pytest.mark.parametrize(
    ("one", "refused_seconds", "unanswered_seconds", "said"),
    [
        (consumer(calls=0), {}, 0, "never called"),
        (consumer(failed=1), {}, 0, "refused, more than 0"),
        (consumer(failed=1), {"bob@acme.example": 5}, 0, "refused, more than 0"),
        (consumer(failed=11), {ANN: 5}, 0, "refused, more than 10"),
        (consumer(spoilt=SPOILT_BY_CHANCE + 40), {}, 0, "spoilt, more than"),
        (consumer(spoilt=SPOILT_BY_CHANCE + 160), {}, 50, "spoilt, more than"),
    ],
)
def test_a_consumer_that_did_not_call_or_lost_more_than_that_is_one(
    one, refused_seconds, unanswered_seconds, said
):
    (complaint,) = complaints([one], refused_seconds, unanswered_seconds)
    assert said in complaint
