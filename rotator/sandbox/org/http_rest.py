"""The REST API: versions, queries, sobjects, limits."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from flask import Blueprint, Response, g, request

from rotator.sandbox.org.answers import ApiError, answer, caller, date_text, error_answer, may_call_api
from rotator.sandbox.org.apps import VIEW_SETUP
from rotator.sandbox.org.data import table_finder
from rotator.sandbox.org.describe import in_brief, in_full
from rotator.sandbox.org.identifiers import SHORT, normal_id
from rotator.sandbox.org.login import identity_url
from rotator.sandbox.org.packages import NEWEST_VERSION, OLDEST_VERSION
from rotator.sandbox.org.soql import Column, Result, Row, SoqlError, Table, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rotator.sandbox.org.model import Org

FIRST_RETIRED = 20  # with it REST began
LARGEST_BATCH, SMALLEST_BATCH = 2000, 200
MOST_LOCATORS = 50
_SEASONS = ("Spring", "Summer", "Winter")


def version_list() -> list[dict[str, str]]:
    versions = []
    for number in range(OLDEST_VERSION, NEWEST_VERSION + 1):
        # 66 is Spring '26; a Winter release bears the next year's number.
        season, year = (number - 66) % 3, 26 + (number - 66) // 3
        label = f"{_SEASONS[season]} '{year + (season == 2)}"  # noqa: PLR2004 - Winter
        versions.append({"label": label, "url": f"/services/data/v{number}.0", "version": f"{number}.0"})
    return versions


def rest_routes(org: Org) -> Blueprint:
    """Everything below /services/data. Whatever names a version needs a session."""
    routes = Blueprint("rest", __name__, url_prefix="/services/data")

    @routes.get("", strict_slashes=False)
    def versions() -> Response:
        return answer(version_list())

    _admission(org, routes)

    @routes.errorhandler(ApiError)
    def refuse(error: ApiError) -> Response:
        org.counts[f"refused: {error.code}"] += 1
        return error_answer(error)

    @routes.errorhandler(SoqlError)
    def bad_query(error: SoqlError) -> Response:
        return error_answer(ApiError(400, error.code, error.message))

    @routes.get("/<version>", strict_slashes=False)
    def resources() -> Response:
        base = f"/services/data/v{g.version}.0"
        names = ("limits", "metadata", "query", "sobjects", "tooling")
        own = {name: f"{base}/{name}" for name in names}
        return answer({**own, "identity": identity_url(org, g.user)})

    @routes.get("/<version>/query", strict_slashes=False)
    def query() -> Response:
        return _query(org, tooling=False)

    @routes.get("/<version>/tooling/query", strict_slashes=False)
    def tooling_query() -> Response:
        return _query(org, tooling=True)

    @routes.get("/<version>/query/<locator>")
    def query_more(locator: str) -> Response:
        return _query_more(org, locator)

    @routes.get("/<version>/limits", strict_slashes=False)
    def limits() -> Response:
        if VIEW_SETUP not in g.user.permissions:  # api_rest resources_limits
            raise ApiError(403, "INSUFFICIENT_ACCESS", "View Setup and Configuration is required")
        most = org.knobs.daily_api_requests
        return answer({
            "DailyApiRequests": {"Max": most, "Remaining": max(0, most - len(org.api_calls))},
            "DataStorageMB": {"Max": 1024, "Remaining": 1023},
            "FileStorageMB": {"Max": 1024, "Remaining": 1023},
        })  # fmt: skip

    _sobject_routes(org, routes)
    return routes


def _admission(org: Org, routes: Blueprint) -> None:
    """Who may call at all, counted against the daily allocation."""

    @routes.before_request
    def admit() -> None:
        org.counts["REST calls"] += 1
        version = (request.view_args or {}).pop("version", None)
        if version is not None:
            g.version = _version_number(version)
            g.session, g.user = caller(org)
            if not may_call_api(g.user, g.session):
                raise ApiError(
                    403, "API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization."
                )
            if not org.count_api_call():
                raise ApiError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")

    @routes.after_request
    def tell_limit(response: Response) -> Response:
        if "user" in g:
            response.headers["Sforce-Limit-Info"] = (
                f"api-usage={len(org.api_calls)}/{org.knobs.daily_api_requests}"
            )
        return response


def close_routes(routes: Blueprint) -> None:
    """The last of the routes below /services/data: whatever nothing else answers."""

    @routes.route("/<version>/<path:rest>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def nothing(rest: str) -> Response:  # noqa: ARG001 - the route names it
        raise ApiError(404, "NOT_FOUND", "The requested resource does not exist")


def _version_number(text: str) -> int:
    found = re.fullmatch(r"v(\d{1,3})\.0", text)
    number = int(found[1]) if found else 0
    if FIRST_RETIRED <= number < OLDEST_VERSION:
        raise ApiError(410, "GONE", f"The API version {number}.0 is retired")
    if not OLDEST_VERSION <= number <= NEWEST_VERSION:
        raise ApiError(404, "NOT_FOUND", "The requested resource does not exist")
    return number


# --- queries ------------------------------------------------------------------------------------


def _query(org: Org, *, tooling: bool) -> Response:
    text = request.args.get("q", "")
    if not text:
        raise ApiError(400, "MALFORMED_QUERY", "A query string has to be specified")
    result = run(text, table_finder(org, g.user, g.session, tooling=tooling))
    if request.args.get("columns") == "true":
        return answer(_column_metadata(result))
    if result.count is not None:
        return answer({"totalSize": result.count, "done": True, "records": []})
    return _page(org, result, 0, org.ids.next("01g"), tooling=tooling)


def _query_more(org: Org, locator: str) -> Response:
    query_id, _, start = locator.partition("-")
    result = org.query_locators.get(query_id)
    if result is None or result.owner != g.user.username or not start.isdecimal():
        raise ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    return _page(org, result, int(start), query_id, tooling=False)


def _page(org: Org, result: Result, start: int, query_id: str, *, tooling: bool) -> Response:
    wanted = re.fullmatch(
        r"batchSize=(\d+)", request.headers.get("Sforce-Query-Options", "").strip(), re.IGNORECASE
    )
    size = min(max(int(wanted[1]), SMALLEST_BATCH), LARGEST_BATCH) if wanted else LARGEST_BATCH
    end = start + size
    body: dict[str, object] = {"totalSize": len(result.rows), "done": end >= len(result.rows)}
    base = f"/services/data/v{g.version}.0"
    if end < len(result.rows):
        body["nextRecordsUrl"] = f"{base}/query/{query_id}-{end}"
        while len(org.query_locators) >= MOST_LOCATORS:
            del org.query_locators[next(iter(org.query_locators))]
        org.query_locators[query_id] = Result(
            result.table, result.columns, result.rows, owner=g.user.username
        )
    where = f"{base}/tooling" if tooling else base
    body["records"] = [_record(where, result.table, result.columns, row) for row in result.rows[start:end]]
    return answer(body)


def _record(base: str, table: Table, columns: Sequence[Column], row: Row) -> dict[str, object]:
    attributes = {"type": table.name, "url": f"{base}/sobjects/{table.name}/{row.get('Id')}"}
    return {"attributes": attributes} | {column.name: _plain(row.get(column.name)) for column in columns}


def _plain(value: object) -> object:
    return date_text(value) if isinstance(value, datetime) else value


def _column_metadata(result: Result) -> dict[str, object]:
    """What `columns=true` gives: the Salesforce CLI names its columns by it."""
    return {
        "columnMetadata": [
            {
                "aggregate": False, "apexType": "Id" if column.kind == "id" else column.kind.capitalize(),
                "booleanType": column.kind == "boolean", "columnName": column.name, "custom": False,
                "displayName": column.name, "foreignKeyName": None, "insertable": False, "joinColumns": [],
                "numberType": column.kind == "int", "textType": column.kind == "string", "updatable": False,
            }
            for column in result.columns
        ],
        "entityName": result.table.name, "groupBy": False, "keyPrefix": result.table.key_prefix,
        "idSelected": any(column.name == "Id" for column in result.columns),
    }  # fmt: skip


# --- sobjects -----------------------------------------------------------------------------------


def _sobject_routes(org: Org, routes: Blueprint) -> None:
    def table(name: str) -> Table:
        found = table_finder(org, g.user, g.session, tooling=False)(name)
        if found is None:
            raise ApiError(404, "NOT_FOUND", "The requested resource does not exist")
        return found

    @routes.get("/<version>/sobjects", strict_slashes=False)
    def sobjects() -> Response:
        found = table_finder(org, g.user, g.session, tooling=False)
        tables = [
            each for name in ("Account", "AuthSession", "Organization", "User") if (each := found(name))
        ]
        return answer(
            {
                "encoding": "UTF-8",
                "maxBatchSize": 200,
                "sobjects": [in_brief(each, g.version) for each in tables],
            }
        )

    @routes.get("/<version>/sobjects/<name>", strict_slashes=False)
    def sobject(name: str) -> Response:
        found = table(name)
        recent = [
            _record(f"/services/data/v{g.version}.0", found, found.columns[:2], row)
            for row in found.rows()[:5]
        ]
        return answer({"objectDescribe": in_brief(found, g.version), "recentItems": recent})

    @routes.get("/<version>/sobjects/<name>/describe")
    def describe(name: str) -> Response:
        return answer(in_full(table(name), g.version))

    @routes.get("/<version>/sobjects/<name>/<record_id>")
    def record(name: str, record_id: str) -> Response:
        found = table(name)
        wanted = normal_id(record_id)
        if wanted is None:
            raise ApiError(
                404,
                "NOT_FOUND",
                f"Provided external ID field does not exist or is not accessible: {record_id}",
            )
        row = next((row for row in found.rows() if str(row["Id"])[:SHORT] == wanted[:SHORT]), None)
        if row is None:
            raise ApiError(404, "NOT_FOUND", "The requested resource does not exist")
        names = [name for name in request.args.get("fields", "").split(",") if name]
        unknown = [name for name in names if found.column(name) is None]
        if unknown:
            raise ApiError(
                400, "INVALID_FIELD", f"No such column '{unknown[0]}' on sobject of type {found.name}"
            )
        columns = [column for column in map(found.column, names) if column] or found.columns
        return answer(_record(f"/services/data/v{g.version}.0", found, columns, row))
