"""How a change ends: what is stored, and what it means."""

from __future__ import annotations

from rotator.core.outcome import OUTCOMES, Outcome


def test_what_stands_in_records_is_not_renamed():
    assert [outcome.value for outcome in Outcome] == [
        "promoted",
        "rehearsed",
        "restored",
        "found",
        "failed",
        "refused",
        "given_up",
        "aborted",
        "locked_out",
    ]


def test_every_outcome_has_words_and_a_meaning():
    assert list(OUTCOMES) == list(Outcome)
    assert Outcome.GIVEN_UP.words == "given up"


def test_a_change_that_arrived_has_its_proofs_and_one_that_mended_did_not_arrive():
    assert [outcome.value for outcome in Outcome if outcome.arrived] == ["promoted", "rehearsed"]
    assert [outcome.value for outcome in Outcome if outcome.by_proofs and not outcome.arrived] == [
        "restored",
        "found",
    ]
