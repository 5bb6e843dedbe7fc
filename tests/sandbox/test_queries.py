"""The REST API: queries, sobjects, versions, limits."""

from __future__ import annotations

import pytest

from rotator.sandbox.org.apps import API_ENABLED, MANAGE_USERS, READ_ACCOUNTS, VIEW_SETUP
from rotator.sandbox.org.identifiers import normal_id, with_checksum
from rotator.sandbox.org.seed import ACME, add_accounts


def names(reply):
    assert reply.status_code == 200, reply.text
    return [record["Name"] for record in reply.json["records"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT Id, Name FROM Account LIMIT 1", ["Account 1"]),
        ("select Id,Name from Account", [f"Account {number}" for number in range(1, 6)]),
        ("SELECT Name FROM Account ORDER BY NumberOfEmployees DESC LIMIT 2", ["Account 5", "Account 4"]),
        ("SELECT Name FROM Account ORDER BY Industry, Name DESC LIMIT 1 OFFSET 1", ["Account 4"]),
        ("SELECT Name FROM Account WHERE Name = 'Account 3'", ["Account 3"]),
        ("SELECT Name FROM Account WHERE Name LIKE '%5' OR (NumberOfEmployees < 20 AND Phone = null)", ["Account 1", "Account 5"]),
        ("SELECT Name FROM Account WHERE NOT Name IN ('Account 1', 'Account 2', 'x\\'y') AND IsDeleted = false",
         ["Account 3", "Account 4", "Account 5"]),
        ("SELECT Name FROM Account WHERE CreatedDate >= 2026-10-31T12:00:00Z", ["Account 4", "Account 5"]),
        ("SELECT Name FROM Account WHERE Name = 'nobody'", []),
    ],
)  # fmt: skip
def test_accounts_can_be_queried(sandbox, text, expected):
    assert names(sandbox.query(text, sandbox.token())) == expected


def test_a_record_has_attributes_and_the_fields_asked_for_in_their_own_spelling(sandbox):
    record = sandbox.query("SELECT id, createddate FROM Account LIMIT 1", sandbox.token()).json["records"][0]
    assert record == {
        "attributes": {"type": "Account", "url": f"/services/data/v68.0/sobjects/Account/{record['Id']}"},
        "Id": record["Id"],
        "CreatedDate": "2026-10-28T12:00:00.000+0000",
    }


def test_an_account_is_found_by_its_short_and_its_long_id(sandbox):
    token = sandbox.token()
    record_id = sandbox.query("SELECT Id FROM Account LIMIT 1", token).json["records"][0]["Id"]
    for form in (record_id, record_id[:15]):
        reply = sandbox.call("GET", f"/services/data/v68.0/sobjects/Account/{form}?fields=Name", token=token)
        assert (reply.json["Name"], reply.json["attributes"]["type"]) == ("Account 1", "Account")
    text = "SELECT Name FROM Account WHERE Id = '{}'".format(record_id)  # noqa: S608, UP032 - a query of our own
    assert names(sandbox.query(text, token)) == ["Account 1"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("SELECT Nme FROM Account", "INVALID_FIELD"),
        ("SELECT Id FROM Acount", "INVALID_TYPE"),
        ("SELECT Id FROM ScratchOrgInfo limit 1", "INVALID_TYPE"),
        ("SELECT Id FROM DeployRequest", "INVALID_TYPE"),
        ("SELECT Id FROM AuthSession", "INVALID_TYPE"),
        ("SELECT FROM Account", "MALFORMED_QUERY"),
        ("SELECT Id Account", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account LIMIT some", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account; DROP", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE Name = 5", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE Name", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE Name = 'open", "MALFORMED_QUERY"),
        ("", "MALFORMED_QUERY"),
    ],
)
def test_a_query_with_a_fault_is_an_array_of_one_error(sandbox, text, code):
    reply = sandbox.query(text, sandbox.token())
    assert (reply.status_code, [error["errorCode"] for error in reply.json]) == (400, [code]), reply.text


def test_the_queries_of_the_salesforce_cli_are_answered(sandbox):
    token = sandbox.token()
    text = "SELECT Name, InstanceName, IsSandbox, TrialExpirationDate, NamespacePrefix, OrganizationType FROM Organization"
    record = sandbox.query(text, token).json["records"][0]
    assert (record["Name"], record["IsSandbox"], record["NamespacePrefix"]) == ("Acme", False, None)
    columns = sandbox.query("select Id,Name from Account", token, columns="true").json["columnMetadata"]
    assert [column["columnName"] for column in columns] == ["Id", "Name"]


def test_counting_gives_a_size_and_no_rows(sandbox):
    assert sandbox.query("SELECT COUNT() FROM Account", sandbox.token()).json == {
        "totalSize": 5,
        "done": True,
        "records": [],
    }


def test_more_than_two_thousand_rows_come_in_pages(sandbox):
    add_accounts(sandbox.org, 4996)
    token = sandbox.token()
    pages = [sandbox.query("SELECT Id FROM Account", token).json]
    while not pages[-1]["done"]:
        pages.append(sandbox.call("GET", pages[-1]["nextRecordsUrl"], token=token).json)
    assert [len(page["records"]) for page in pages] == [2000, 2000, 1001]
    assert {page["totalSize"] for page in pages} == {5001}
    assert len({record["Id"] for page in pages for record in page["records"]}) == 5001
    assert "nextRecordsUrl" not in pages[-1]


def test_the_batch_size_can_be_asked_for_within_its_bounds(sandbox):
    add_accounts(sandbox.org, 300)
    headers = {"Sforce-Query-Options": "batchSize=10"}
    reply = sandbox.call(
        "GET", "/services/data/v68.0/query?q=SELECT+Id+FROM+Account", token=sandbox.token(), headers=headers
    )
    assert len(reply.json["records"]) == 200


def test_a_page_is_for_the_user_who_asked_first(sandbox):
    add_accounts(sandbox.org, 2000)
    path = sandbox.query("SELECT Id FROM Account", sandbox.token()).json["nextRecordsUrl"]
    reply = sandbox.call("GET", path, token=sandbox.token(sub="reports@acme.example"))
    assert (reply.status_code, reply.json[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")


def test_the_sobject_resource_describes_and_shows_recent_items(sandbox):
    body = sandbox.call("GET", "/services/data/v68.0/sobjects/Account", token=sandbox.token()).json
    assert body["objectDescribe"]["name"] == "Account"
    assert len(body["recentItems"]) == 5


def test_an_object_is_described_with_its_fields_their_types_and_what_may_be_done_with_them(sandbox):
    described = sandbox.call(
        "GET", "/services/data/v68.0/sobjects/Account/describe", token=sandbox.token()
    ).json
    fields = {field["name"]: field for field in described["fields"]}
    assert {
        name: fields[name]["type"] for name in ("Id", "OwnerId", "Name", "NumberOfEmployees", "CreatedDate")
    } == {
        "Id": "id",
        "OwnerId": "reference",
        "Name": "string",
        "NumberOfEmployees": "int",
        "CreatedDate": "datetime",
    }
    assert fields["OwnerId"]["referenceTo"] == ["User"]
    assert [name for name, field in fields.items() if field["nameField"]] == ["Name"]
    assert (described["queryable"], described["createable"], described["updateable"]) == (True, False, False)
    assert {name: described[name] for name in ("keyPrefix", "urls")} == {
        "keyPrefix": "001",
        "urls": {
            "sobject": "/services/data/v68.0/sobjects/Account",
            "describe": "/services/data/v68.0/sobjects/Account/describe",
            "rowTemplate": "/services/data/v68.0/sobjects/Account/{ID}",
        },
    }


def test_what_the_list_of_objects_says_of_one_its_description_says_too(sandbox):
    listed = sandbox.call("GET", "/services/data/v68.0/sobjects", token=sandbox.token()).json["sobjects"]
    assert [each["name"] for each in listed] == ["Account", "Organization", "User"]
    for brief in listed:
        full = sandbox.call("GET", brief["urls"]["describe"], token=sandbox.token()).json
        assert brief.items() <= full.items()


def test_the_resources_of_a_version_tell_who_is_calling(sandbox):
    resources = sandbox.call("GET", "/services/data/v68.0", token=sandbox.token()).json
    assert resources["identity"] == sandbox.mint().json["id"]
    assert resources["query"] == "/services/data/v68.0/query"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/services/data/v19.0/limits", 404, "NOT_FOUND"),
        ("/services/data/v31.0/limits", 200, None),
        ("/services/data/68.0/limits", 404, "NOT_FOUND"),
        ("/services/data/v68.0/nothing/here", 404, "NOT_FOUND"),
        ("/services/data/v68.0/sobjects/Acount", 404, "NOT_FOUND"),
        ("/services/data/v68.0/sobjects/Account/short", 404, "NOT_FOUND"),
        ("/services/data/v68.0/sobjects/Account/001000000000001AAA", 404, "NOT_FOUND"),
        ("/services/elsewhere", 404, "NOT_FOUND"),
    ],
)
def test_paths_are_answered_with_their_status_and_code(sandbox, path, status, code):
    reply = sandbox.call("GET", path, token=sandbox.token())
    assert reply.status_code == status
    if code:
        assert reply.json[0]["errorCode"] == code


def test_a_wrong_method_is_405(sandbox):
    reply = sandbox.call("DELETE", "/services/oauth2/userinfo")
    assert (reply.status_code, reply.json[0]["errorCode"]) == (405, "METHOD_NOT_ALLOWED")


def test_the_versions_need_no_login_and_run_from_31_to_68(sandbox):
    versions = sandbox.call("GET", "/services/data").json
    assert [versions[0]["version"], versions[-1]["version"]] == ["31.0", "68.0"]
    assert versions[-1] == {"label": "Winter '27", "url": "/services/data/v68.0", "version": "68.0"}
    assert versions[0]["label"] == "Summer '14"


def test_calls_are_counted_and_refused_at_the_daily_limit(sandbox):
    sandbox.org.set_knobs(daily_api_requests=2)
    token = sandbox.token()
    replies = [sandbox.call("GET", "/services/data/v68.0/limits", token=token) for _ in range(3)]
    assert [reply.headers.get("Sforce-Limit-Info") for reply in replies[:2]] == [
        "api-usage=1/2",
        "api-usage=2/2",
    ]
    assert replies[1].json["DailyApiRequests"] == {"Max": 2, "Remaining": 0}
    assert (replies[2].status_code, replies[2].json[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")
    sandbox.clock.pass_seconds(24 * 3600)
    assert sandbox.works(sandbox.token())


def test_rights_decide_what_a_user_sees(sandbox):
    user = sandbox.org.users["integration@acme.example"]
    token = sandbox.token()
    user.permissions -= {READ_ACCOUNTS}
    assert sandbox.query("SELECT Id FROM Account", token).json[0]["errorCode"] == "INVALID_TYPE"
    user.permissions |= {MANAGE_USERS}
    rows = sandbox.query("SELECT LastModifiedDate, NumSecondsValid FROM AuthSession", token).json["records"]
    assert [row["NumSecondsValid"] for row in rows] == [7200]
    own = sandbox.query("SELECT NumSecondsValid FROM AuthSession WHERE IsCurrent = true", token).json[
        "records"
    ]
    others = sandbox.query("SELECT Id FROM AuthSession WHERE IsCurrent = false", token).json["records"]
    assert (len(own), len(others)) == (1, 0)
    sandbox.token(sub="reports@acme.example")
    others = sandbox.query("SELECT Id FROM AuthSession WHERE IsCurrent = false", token).json["records"]
    assert len(others) == 1
    user.permissions -= {VIEW_SETUP}
    reply = sandbox.call("GET", "/services/data/v68.0/limits", token=token)
    assert (reply.status_code, reply.json[0]["errorCode"]) == (403, "INSUFFICIENT_ACCESS")
    user.permissions -= {API_ENABLED}
    assert sandbox.query("SELECT Id FROM User", token).json[0]["errorCode"] == "API_DISABLED_FOR_ORG"


def test_a_scope_without_api_does_not_open_the_rest_api(sandbox):
    settings = sandbox.org.app(ACME).documents["ExtlClntAppOauthSettings"].root
    settings.find("commaSeparatedOauthScopes").text = "OpenID, RefreshToken"
    assert sandbox.query("SELECT Id FROM Account", sandbox.token()).status_code == 403


@pytest.mark.parametrize(
    ("short", "long"), [("001D000000IqhSL", "001D000000IqhSLIAZ"), ("00D000000000001", "00D000000000001EAA")]
)
def test_ids_have_the_checksum_of_salesforce(short, long):
    assert with_checksum(short) == long
    assert (normal_id(short), normal_id(long), normal_id(f"{short}AAC")) == (long, long, None)


def test_the_org_has_an_id_with_a_valid_checksum(sandbox):
    assert normal_id(sandbox.org.org_id) == sandbox.org.org_id
    assert sandbox.org.org_id.startswith("00D")
