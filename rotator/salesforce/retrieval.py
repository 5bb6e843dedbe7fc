"""A file-based retrieve from its start to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from rotator.salesforce import soap
from rotator.salesforce.http import Wire
from rotator.salesforce.rest import Org

FIRST_POLL_SECONDS: Final = 0.2
_LONGEST_POLL_SECONDS: Final = 3.0


def retrieve(
    wire: Wire,
    org: Org,
    members: Mapping[str, Iterable[str]],
    version: str,
    *,
    in_time: Callable[[], None],
    sleep: Callable[[float], None] = time.sleep,
) -> soap.Retrieved:
    """Return the files of components (by type) in the format of an API version.

    Args:
        in_time: called before anything is sent; raises when it is too late for that.
    """
    in_time()
    retrieve_id = soap.start_retrieve(wire, org, members, version)
    pause = FIRST_POLL_SECONDS
    while True:
        in_time()
        found = soap.check_retrieve(wire, org, retrieve_id)
        if found is not None:
            return found
        sleep(pause)
        pause = min(pause * 1.5, _LONGEST_POLL_SECONDS)
