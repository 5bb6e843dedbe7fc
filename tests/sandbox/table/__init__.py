"""The table of refusals: what is sent, what the sandbox answers, whence that is known, and how well."""

from __future__ import annotations

from tests.sandbox.table.assertions import ASSERTIONS
from tests.sandbox.table.logins import LOGINS
from tests.sandbox.table.requests import FORMS, METADATA, REST

GROUPS = {
    "Logins": LOGINS,
    "Assertions": ASSERTIONS,
    "Forms": FORMS,
    "REST": REST,
    "Metadata API": METADATA,
}
TABLE = {name: row for rows in GROUPS.values() for name, row in rows.items()}
