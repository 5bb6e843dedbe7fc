"""The Salesforce CLI judges keys and tokens of rotator, and how the sandbox answers logins and queries."""

from __future__ import annotations

import csv
import io
from functools import partial

import pytest

from tests.judges.salesforce_cli import SALESFORCES_OWN

pytestmark = pytest.mark.judge("Salesforce CLI")

USER = "integration@acme.example"
QUERY = "SELECT Id, Name, Phone, NumberOfEmployees, IsDeleted FROM Account ORDER BY Name LIMIT 3"


@pytest.fixture(scope="module")
def acme(sf, rotator):
    """Runs commands of the CLI in the name of acme's first user, logged in with the key that rotator stored."""
    done = sf.login(rotator, "acme")
    assert done.code == 0, done.err
    return partial(sf, SF_TARGET_ORG=USER)


def query(sf, text, *more, **env):
    return sf("data", "query", "--query", text, *more, **env)


def org_id(stage):
    return stage.control.state()["org_id"]


# --- logins --------------------------------------------------------------------------------------


def test_the_key_that_rotator_stored_logs_in(sf_of_its_own, rotator, stage):
    done = sf_of_its_own.login(rotator, "acme")
    assert (done.code, done.out) == (0, f"Successfully authorized {USER} with org ID {org_id(stage)}\n")
    assert sf_of_its_own.beyond_this_machine() == set()


def test_the_audience_may_be_that_of_all_orgs(sf_of_its_own, rotator, stage):
    """Left alone the CLI tries several: the org's URL with a slash at its end is none, login.salesforce.com is one."""
    refusal = "refused: invalid_grant: audience is invalid"
    before = stage.control.state()["counts"].get(refusal, 0)
    done = sf_of_its_own.login(rotator, "globex", "--json", SF_AUDIENCE_URL="")
    assert done.code == 0, done.out
    result = done.json["result"]
    assert (result["username"], result["orgId"]) == ("integration@globex.example", org_id(stage))
    assert stage.control.state()["counts"][refusal] == before + 1
    assert sf_of_its_own.beyond_this_machine() == SALESFORCES_OWN


def test_after_a_rotation_the_new_key_logs_in_and_the_old_one_no_more(sf_of_its_own, rotator):
    sf = sf_of_its_own
    old = rotator.stored_key_pair("acme")["private_key_pem"]
    assert sf.login(rotator, "acme", key=old).code == 0
    rotated = rotator("rotate", "acme", "--wait", "--here")
    assert rotated.code == 0, rotated.err
    refused = sf.login(rotator, "acme", key=old)
    assert refused.code == 1
    assert "Error authenticating with JWT.\nErrors encountered:\ninvalid assertion\n" in refused.err
    told = sf.login(rotator, "acme", "--json", key=old).json
    assert (told["status"], told["name"]) == (1, "JwtGrantError")
    assert "invalid assertion" in told["message"]
    assert sf.login(rotator, "acme").code == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"consumer_key": "3MVG9nothing"}, "client identifier invalid"),
        ({"user": "nobody@acme.example"}, "user hasn't approved this consumer"),
        ({"user": "stranger@acme.example"}, "user is not admin approved to access this app"),
    ],
    ids=["unknown app", "unknown user", "user without the permission set"],
)
def test_a_refused_login_is_told_in_salesforces_words(sf_of_its_own, rotator, stage, change, words):
    stage.control.put_user("stranger@acme.example", permissions=["ApiEnabled"])
    login = {
        "user": USER,
        "consumer_key": rotator.settings()["credentials"]["acme"]["consumer_key"],
        "key": rotator.stored_key_pair("acme")["private_key_pem"],
    }
    refused = sf_of_its_own.login_as(**{**login, **change})
    assert refused.code == 1
    assert f"Errors encountered:\n{words}\n" in refused.err


# --- sessions ------------------------------------------------------------------------------------


def test_a_session_outlives_the_change_of_the_key_and_then_the_old_key_opens_no_other(
    sf_of_its_own, rotator, stage
):
    sf = sf_of_its_own
    user = "integration@globex.example"
    assert sf.login(rotator, "globex").code == 0
    assert rotator("rotate", "globex", "--wait", "--here").code == 0
    granted = stage.control.state()["counts"]["tokens granted"]
    assert query(sf, QUERY, "--target-org", user).code == 0
    assert stage.control.state()["counts"]["tokens granted"] == granted
    stage.control.kill_sessions(user)
    refused = query(sf, QUERY, "--target-org", user)
    assert refused.code == 1
    assert "invalid assertion" in refused.err
    assert sf.login(rotator, "globex").code == 0
    assert query(sf, QUERY, "--target-org", user).code == 0


def test_a_session_that_was_killed_is_replaced_by_a_login_with_the_stored_key(sf, acme, rotator, stage):
    assert sf.login(rotator, "acme").code == 0
    stage.control.kill_sessions(USER)
    granted = stage.control.state()["counts"]["tokens granted"]
    assert query(acme, QUERY).code == 0
    assert stage.control.state()["counts"]["tokens granted"] == granted + 1


def test_the_published_token_serves_without_any_key(sf, stage):
    user = "reports@acme.example"
    published = stage.vault.request("GET", f"secret/data/salesforce/acme/tokens/{user}")["data"]["data"]
    command = ("org", "login", "access-token", "--instance-url", published["instance_url"], "--no-prompt")
    done = sf(*command, "--json", SF_ACCESS_TOKEN=published["access_token"])
    assert done.code == 0, done.out
    assert done.json["result"]["username"] == user
    assert query(sf, QUERY, "--target-org", user).code == 0


def test_the_org_is_displayed_as_connected(acme, rotator, stage):
    told = acme("org", "display", "--json").json
    assert told["status"] == 0
    expected = {
        "id": org_id(stage),
        "apiVersion": "68.0",
        "instanceUrl": stage.org.url,
        "username": USER,
        "clientId": rotator.settings()["credentials"]["acme"]["consumer_key"],
        "connectedStatus": "Connected",
    }
    assert expected.items() <= told["result"].items()
    shown = acme("org", "display")
    assert shown.code == 0
    for value in expected.values():
        assert value in shown.out


# --- queries -------------------------------------------------------------------------------------


def test_rows_come_with_their_attributes_and_values_of_the_right_kind(acme):
    told = query(acme, QUERY, "--json").json
    assert (told["status"], told["result"]["totalSize"], told["result"]["done"]) == (0, 3, True)
    first = told["result"]["records"][0]
    assert first["attributes"] == {
        "type": "Account",
        "url": f"/services/data/v68.0/sobjects/Account/{first['Id']}",
    }
    assert [first[name] for name in ("Name", "Phone", "NumberOfEmployees", "IsDeleted")] == [
        "Account 1",
        None,
        10,
        False,
    ]


def test_columns_have_the_names_that_the_org_gives_them(acme):
    """The CLI asks for them with ``columns=true``: what was asked for in small letters comes out as it should."""
    shown = query(acme, "select id, name, numberofemployees from account limit 2")
    assert shown.code == 0
    lines = shown.out.split("\n")
    assert lines[0].split() == ["ID", "NAME", "NUMBEROFEMPLOYEES"]
    assert "Total number of records retrieved: 2." in shown.out
    made = query(acme, "select id, name, numberofemployees from account limit 2", "--result-format", "csv")
    rows = list(csv.DictReader(io.StringIO(made.out)))
    assert [(row["Name"], row["NumberOfEmployees"]) for row in rows] == [
        ("Account 1", "10"),
        ("Account 2", "20"),
    ]
    assert all(len(row["Id"]) == 18 for row in rows)


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("SELECT Id, Nme FROM Account", "INVALID_FIELD", "No such column 'Nme' on entity 'Account'."),
        ("SELECT Id FROM Acount", "INVALID_TYPE", "sObject type 'Acount' is not supported."),
        ("SELECT Id FROM Account WHERE", "MALFORMED_QUERY", "unexpected token: '<EOF>'"),
    ],
)
def test_a_query_with_a_fault_is_told_with_its_code_and_place(acme, text, code, words):
    told = query(acme, text, "--json").json
    assert (told["status"], told["name"], told["data"]["errorCode"]) == (1, code, code)
    assert told["message"].startswith(f"\n{text}\n")
    assert words in told["message"]


def test_a_query_with_a_fault_is_told_to_people(acme):
    refused = query(acme, "SELECT Id, Nme FROM Account")
    assert refused.code == 1
    assert (
        "\nSELECT Id, Nme FROM Account\n           ^\nERROR at Row:1:Column:12\n"
        "No such column 'Nme' on entity 'Account'." in refused.err
    )


def test_more_rows_than_fit_into_an_answer_are_fetched_page_by_page(acme, stage):
    count = stage.control.add_accounts(3996)
    assert count == 4001
    before = stage.control.state()["counts"]["REST calls"]
    result = query(acme, "SELECT Id, Name FROM Account", "--json").json["result"]
    assert (result["totalSize"], result["done"], len(result["records"])) == (count, True, count)
    assert len({record["Id"] for record in result["records"]}) == count
    # The query, the two pages after the first, and the names of the columns.
    assert stage.control.state()["counts"]["REST calls"] == before + 4


def test_objects_and_their_descriptions_are_listed(acme):
    assert acme("sobject", "list", "--json").json["result"] == ["Account", "Organization", "User"]
    described = acme("sobject", "describe", "--sobject", "Account", "--json").json["result"]
    fields = {field["name"]: field["type"] for field in described["fields"]}
    assert (fields["Id"], fields["Name"], fields["OwnerId"]) == ("id", "string", "reference")


def test_limits_are_told(acme):
    limits = {each["name"]: each for each in acme("org", "list", "limits", "--json").json["result"]}
    assert 0 < limits["DailyApiRequests"]["remaining"] < limits["DailyApiRequests"]["max"]


def test_whoever_may_not_use_the_metadata_api_is_told_so(acme):
    refused = acme("org", "list", "metadata", "--metadata-type", "ConnectedApp")
    assert refused.code == 1
    assert "INSUFFICIENT_ACCESS: use of the Metadata API requires a user with the" in refused.err
