"""One org accepts every call and does not answer, while hundreds of other credentials have to keep their times."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import quantiles

import pytest

from tests.world.consumer import query_until_useful
from tests.world.crowd import crowd
from tests.world.daemon import Daemon, Journal
from tests.world.site import FAST

pytestmark = pytest.mark.timeout(500)

OTHERS = 500
ORGS = 4
HANGING = 12  # more than the daemon has workers
LIVES = replace(FAST, session_timeout_seconds=240, refresh_seconds=30, verify_seconds=60)
HANGS_SECONDS = 4 * FAST.read_timeout_seconds
PROVED_SECONDS = 25.0  # of the tokens in the org that hangs
CEILING_SECONDS = 200.0
MAY_WAIT = int(0.75 * OTHERS * HANGS_SECONDS / LIVES.refresh_seconds)
"""So many more may be due and not begun while an org hangs, of those that come due while it holds one call."""


@dataclass(frozen=True)
class Refresh:
    """One refresh of a token: when it was due, asked for and published, and when the token before it ran out."""

    due: datetime
    asked: datetime
    published: datetime
    ran_out: datetime


def test_an_org_that_hangs_on_every_call_keeps_no_other_from_its_refreshes(figures):
    journal = Journal()
    sizes = [OTHERS // ORGS] * ORGS + [HANGING]
    with crowd(sizes, LIVES, ending={ORGS: PROVED_SECONDS}) as here, Daemon(here.config, journal) as daemon:
        *fine, hanging = here.members
        others = [(number, name) for number, names in enumerate(fine) for name in names]
        here.servers[-1].org.set_knobs(slow_seconds=HANGS_SECONDS)
        daemon.start()
        await_all(journal, "token.unproven", hanging)
        await_all(journal, "token.published", [name for _, name in others])
        answers = journal.mark()
        here.servers[-1].org.set_knobs(slow_seconds=0.0)
        await_all(journal, "token.restored", hanging, answers)
        await_all(journal, "token.published", [name for _, name in others], answers)
        daemon.stop()
        seen = {each: list(refreshes(here, journal, *each)) for each in others}
        assert all(one.published < one.ran_out for each in seen.values() for one in each)
        assert all(query_until_useful(here.token(name)).status_code == 200 for _, name in others)
        told = Counter((line["event"], line["credential"]) for line in journal.alerts())
        assert told == {("token.unproven", name): 1 for name in hanging}
        answered = datetime.fromisoformat(journal.lines[answers]["timestamp"])
        all_of_them = [one for each in seen.values() for one in each]
        hung = [one for one in all_of_them if one.published < answered]
        afterwards = [one for one in all_of_them if one.published >= answered]
        waiting = {"while it hung": most_waiting(hung), "afterwards": most_waiting(afterwards)}
        assert waiting["while it hung"] <= waiting["afterwards"] + MAY_WAIT
        figures(
            credentials=OTHERS + HANGING,
            most_that_waited_at_once=waiting,
            seconds_late={"while it hung": lateness(hung), "afterwards": lateness(afterwards)},
        )


def await_all(journal, event, names, since=0):
    for name in names:
        journal.wait_for(event, since, credential=name, within_seconds=CEILING_SECONDS)


def refreshes(here, journal, number, name):
    """Return every refresh of a credential that was told."""
    logins = here.logins(number, name)
    due, ran_out = here.published[name].refresh_after, here.published[name].expires_at
    for line in journal.find("token.published", credential=name):
        published = datetime.fromisoformat(line["timestamp"])
        yield Refresh(due, max(at for at in logins if at <= published), published, ran_out)
        due, ran_out = (datetime.fromisoformat(line[field]) for field in ("refresh_after", "expires_at"))


def most_waiting(found):
    """Return how many refreshes were due, and not asked for, at the worst moment."""
    changes = sorted([(one.due, 1) for one in found] + [(one.asked, -1) for one in found])
    return max(itertools.accumulate(change for _at, change in changes))


def lateness(found):
    """Return how late the org was asked for tokens, and how late they were published: the median, and all but one of 100."""
    asked = quantiles([(one.asked - one.due).total_seconds() for one in found], n=100)
    published = quantiles([(one.published - one.due).total_seconds() for one in found], n=100)
    return {
        "refreshes": len(found),
        "asked": {"p50": round(asked[49], 3), "p99": round(asked[98], 3)},
        "published": {"p50": round(published[49], 3), "p99": round(published[98], 3)},
    }
