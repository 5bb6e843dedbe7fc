"""How a credential stands, where `status`, the status page and a run to rest go by it."""

from __future__ import annotations

from datetime import timedelta

from rotator.core.model import Phase
from rotator.standing import progress, waits_for_person
from tests.core.given import NOW, changing, terms


def test_who_has_just_said_that_a_certificate_is_in_is_not_waited_for_until_slow_servers_had_their_time():
    by_hand = terms(by_hand=True)
    asked = changing(Phase.PROVING)
    said = changing(Phase.PROVING, nudged_at=NOW - by_hand.slow_servers + timedelta(seconds=1))
    long_ago = changing(Phase.PROVING, nudged_at=NOW - by_hand.slow_servers)
    assert [waits_for_person(record, by_hand, NOW) for record in (asked, said, long_ago)] == [
        True,
        False,
        True,
    ]
    assert "a person brings the certificate in" in progress(asked, by_hand, NOW)
    assert "a person" not in progress(said, by_hand, NOW)
