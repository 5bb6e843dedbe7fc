"""Deploys: their life, what they do to an app, and what they are refused for."""

from __future__ import annotations

import io
import re

import pytest

from rotator.sandbox.org.apps import (
    MANAGE_EXTERNAL_CLIENT_APPS,
    MANAGE_PROFILES,
    MODIFY_ALL_DATA,
    MODIFY_METADATA,
)
from rotator.sandbox.org.seed import ACME, DEPLOYER, GLOBEX
from tests.sandbox.client import changed

ECA, GLOBAL = f"externalClientApps/{ACME}.eca", f"extlClntAppGlobalOauthSets/{ACME}_glbloauth.ecaGlblOauth"
OAUTH = f"extlClntAppOauthSettings/{ACME}_oauth.ecaOauth"
CONNECTED = f"connectedApps/{GLOBEX}.connectedApp"


def deployer(sandbox):
    return sandbox.org.users["deployer@acme.example"]


# --- what a deploy does -------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["base64", "pem"])
@pytest.mark.parametrize("app", [ACME, GLOBEX])
def test_a_deploy_puts_the_certificate_into_the_slot_and_the_old_key_out(sandbox, app, form):
    files = sandbox.acme_files if app == ACME else sandbox.globex_files
    result = sandbox.deploy(files(getattr(sandbox.new, form)))
    assert (result["status"], result["done"], result["success"]) == ("Succeeded", True, True), result
    assert (sandbox.takes(sandbox.new, app), sandbox.takes(sandbox.old, app)) == (True, False)


def test_a_package_as_the_salesforce_cli_packs_it_is_taken(sandbox):
    """One folder at the top of the zip, and the options in a part named entity_content."""
    files = {f"zip/{path}": text for path, text in sandbox.globex_files(sandbox.new.base64).items()}
    result = sandbox.deploy(
        files, part="entity_content", ignoreWarnings=False, checkOnly=False, purgeOnDelete=False
    )
    assert result["success"]
    assert {success["fileName"] for success in result["details"]["componentSuccesses"]} == {
        f"zip/{CONNECTED}",
        "zip/package.xml",
    }


def test_check_only_judges_and_writes_nothing(sandbox):
    result = sandbox.deploy(sandbox.acme_files(sandbox.new.base64), checkOnly=True)
    assert (result["success"], result["checkOnly"]) == (True, True)
    assert (sandbox.takes(sandbox.old), sandbox.takes(sandbox.new)) == (True, False)
    assert sandbox.problems(changed(sandbox.acme_files(), GLOBAL, "MII", "XXX"), checkOnly=True)


@pytest.mark.parametrize("app", [ACME, GLOBEX])
def test_a_package_without_the_certificate_clears_it_and_locks_everybody_out(sandbox, app):
    files = sandbox.acme_files() if app == ACME else sandbox.globex_files()
    path = GLOBAL if app == ACME else CONNECTED
    assert sandbox.deploy(changed(files, path, r"<certificate>.*</certificate>", ""))["success"]
    for pair in (sandbox.old, sandbox.new):
        assert sandbox.refusal(sandbox.mint(app, pair.key)) == ("invalid_grant", "invalid assertion")


def test_elements_that_a_deploy_leaves_out_are_gone(sandbox):
    files = changed(sandbox.globex_files(), CONNECTED, r"<description>.*?</description>", "")
    sandbox.deploy(changed(files, CONNECTED, r"<isAdminApproved>true</isAdminApproved>", ""))
    assert "description" not in sandbox.globex_files()[CONNECTED]
    assert sandbox.refusal(sandbox.mint(GLOBEX)) == ("invalid_grant", "user hasn't approved this consumer")


def test_elements_that_a_deploy_keeps_come_back_unchanged(sandbox):
    before = sandbox.acme_files()
    sandbox.deploy(before)
    assert sandbox.acme_files() == before


def test_policies_that_are_not_in_the_package_stay(sandbox):
    sandbox.deploy(sandbox.acme_files(sandbox.new.base64))
    assert sandbox.takes(sandbox.new)


def test_who_may_use_a_connected_app_stays_when_left_out_and_goes_when_empty(sandbox):
    files = sandbox.globex_files()
    assert sandbox.deploy(changed(files, CONNECTED, r"<permissionSetName>.*?</permissionSetName>", ""))[
        "success"
    ]
    assert sandbox.takes(sandbox.old, GLOBEX)
    emptied = changed(files, CONNECTED, r"<permissionSetName>.*?</permissionSetName>", "<permissionSetName/>")
    assert "INSUFFICIENT_ACCESS" in sandbox.problems(emptied)[0]
    deployer(sandbox).permissions |= {MANAGE_PROFILES, MODIFY_ALL_DATA}
    assert sandbox.deploy(emptied)["success"]
    assert sandbox.refusal(sandbox.mint(GLOBEX))[0] == "invalid_app_access"


def test_sessions_outlive_the_certificate_unless_the_knob_says_otherwise(sandbox):
    token, other = sandbox.token(), sandbox.token(GLOBEX)
    sandbox.deploy(sandbox.acme_files(sandbox.new.base64))
    assert sandbox.works(token)
    sandbox.org.set_knobs(swap_kills_sessions=True)
    sandbox.deploy(sandbox.acme_files())
    assert (sandbox.works(token), sandbox.works(other)) == (False, True)


# --- what a deploy is refused for ---------------------------------------------------------------

REFUSED = {
    "global settings alone": (
        lambda files: {
            "package.xml": re.sub(r"<types>(?:(?!</types>).)*(ExternalClient|ExtlClntAppOauthS).*?</types>", "", files["package.xml"], flags=re.DOTALL),
            GLOBAL: files[GLOBAL],
        },
        "doesn't have a valid OAuth settings configuration",
    ),
    "a consumer key that is not the app's": (
        lambda files: changed(files, GLOBAL, "<consumerKey>.*?<", "<consumerKey>3MVG9other<"),
        "You cannot provide a Consumer Key",
    ),
    "a new consumer key asked for": (
        lambda files: changed(files, GLOBAL, "Key>false", "Key>true"),
        "replaces the consumer credentials",
    ),
    "a certificate that is none": (lambda files: changed(files, GLOBAL, "MII", "MIJ"), "Invalid certificate"),
    "an unknown element": (
        lambda files: changed(files, GLOBAL, "<label>", "<lable>x</lable><label>"),
        "lable invalid at this location",
    ),
    "an element twice": (lambda files: changed(files, GLOBAL, "<label>", "<label>x</label><label>"), "duplicated"),
    "a required element missing": (lambda files: changed(files, GLOBAL, "<label>.*</label>", ""), "Required field is missing: label"),
    "no namespace": (lambda files: changed(files, ECA, ' xmlns="[^"]*"', ""), "invalid at this location"),
    "an external entity": (
        lambda files: changed(files, ECA, r"\?>", '?><!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>'),
        "Error parsing file",
    ),
    "another org's app": (lambda files: changed(files, ECA, ">00D[^:]*:", ">00D000000000001AAA:"), "orgScopedExternalApp"),
    "an app of another name": (
        lambda files: changed(files, OAUTH, f"Application>{ACME}<", "Application>Other<"),
        "no ExternalClientApplication named Other found",
    ),
    "an unknown scope": (lambda files: changed(files, OAUTH, "Api,", "Apii,"), "'Apii' is not a valid value"),
    "a component not named": (
        lambda files: changed(files, "package.xml", "<members>Rotator_Acme_oauth</members>", ""),
        "is not named in package.xml",
    ),
    "a component named but missing": (
        lambda files: {path: text for path, text in files.items() if path != OAUTH},
        "was not found in zipped directory",
    ),
    "a type that is not there": (
        lambda files: changed(files, "package.xml", "<types>", "<types><members>A</members><name>ApexClas</name></types><types>"),
        "Unknown type name 'ApexClas'",
    ),
    "a type of the manifest with two names": (
        lambda files: changed(files, "package.xml", "</name>", "</name><name>ConnectedApp</name>"),
        "Element name is duplicated at this location in type PackageTypeMembers",
    ),
    "an unknown element of the manifest": (
        lambda files: changed(files, "package.xml", "<types>", "<tpyes/><types>"),
        "tpyes invalid at this location in type Package",
    ),
    "no manifest": (
        lambda files: {path: text for path, text in files.items() if path != "package.xml"},
        "No package.xml found",
    ),
    "a version to come": (lambda files: changed(files, "package.xml", "68.0", "99.0"), "invalid version"),
    "a child of another name": (
        lambda files: changed(
            {path.replace("_oauth.", "_other."): text for path, text in files.items()},
            "package.xml",
            "Rotator_Acme_oauth<",
            "Rotator_Acme_other<",
        ),
        "already has a component of type ExtlClntAppOauthSettings",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_package_with_a_fault_fails_and_changes_nothing(sandbox, case):
    spoil, expected = REFUSED[case]
    problems = sandbox.problems(spoil(sandbox.acme_files(sandbox.new.base64)))
    assert any(expected in problem for problem in problems), problems
    assert (sandbox.takes(sandbox.old), sandbox.takes(sandbox.new)) == (True, False)


def test_a_connected_app_takes_no_consumer_key_after_its_creation(sandbox):
    """A retrieve gives it, so a package made of one must lose it again."""
    files = sandbox.retrieve([("ConnectedApp", GLOBEX)], sandbox.deployer)
    assert "<consumerKey>" in files[CONNECTED]
    assert sandbox.problems(files) == ["You cannot provide a Consumer Key"]


def test_without_rollback_the_good_apps_of_a_package_are_written(sandbox):
    files = sandbox.acme_files(sandbox.new.base64)
    good = sandbox.globex_files(sandbox.new.base64)
    manifest = changed(
        files,
        "package.xml",
        "<types>",
        f"<types><members>{GLOBEX}</members><name>ConnectedApp</name></types><types>",
    )
    both = changed(
        files | {CONNECTED: good[CONNECTED]} | {"package.xml": manifest["package.xml"]}, GLOBAL, "MII", "X"
    )
    assert sandbox.deploy(both, rollbackOnError=True)["status"] == "Failed"
    assert sandbox.takes(sandbox.old, GLOBEX)
    assert sandbox.deploy(both, rollbackOnError=False)["status"] == "SucceededPartial"
    assert (sandbox.takes(sandbox.new, GLOBEX), sandbox.takes(sandbox.old)) == (True, True)


def test_rotating_the_consumer_key_needs_warnings_ignored_and_then_happens(sandbox):
    before = sandbox.org.app(ACME).consumer_key
    sandbox.org.set_knobs(seed=sandbox.org.knobs.seed)
    files = changed(sandbox.acme_files(), GLOBAL, "Key>false", "Key>true")
    assert sandbox.deploy(files, ignoreWarnings=True)["success"]
    assert sandbox.org.app(ACME).consumer_key != before
    assert sandbox.refusal(sandbox.mint(iss=before)) == ("invalid_client_id", "client identifier invalid")


# --- new apps -----------------------------------------------------------------------------------


def test_an_external_client_app_is_created_by_its_five_files_and_gets_a_consumer_key(sandbox):
    result = sandbox.deploy(sandbox.fresh_app_files())
    assert all(success["created"] for success in result["details"]["componentSuccesses"][:-1])
    key = sandbox.org.app("Fresh").consumer_key
    assert key.startswith("3MVG9")
    assert key != sandbox.org.app(ACME).consumer_key
    assert sandbox.mint(iss=key).status_code == 200
    shown = sandbox.retrieve([("ExtlClntAppGlobalOauthSettings", "Fresh_glbloauth")], sandbox.deployer)
    assert (
        f"<consumerKey>{key}</consumerKey>"
        in shown["extlClntAppGlobalOauthSets/Fresh_glbloauth.ecaGlblOauth"]
    )


def test_an_external_client_app_without_policies_is_not_pre_authorised(sandbox):
    files = {path: text for path, text in sandbox.fresh_app_files().items() if "lcy" not in path}
    named = r"<types>(?:(?!</types>).)*ConfigurablePolicies</name>\s*</types>"
    sandbox.deploy(files | {"package.xml": re.sub(named, "", files["package.xml"], flags=re.DOTALL)})
    key = sandbox.org.app("Fresh").consumer_key
    assert sandbox.refusal(sandbox.mint(iss=key)) == ("invalid_grant", "user hasn't approved this consumer")


def test_a_permission_set_that_is_not_there_is_refused(sandbox):
    files = sandbox.fresh_app_files()
    path = "extlClntAppOauthPolicies/Fresh_oauthPlcy.ecaOauthPlcy"
    problems = sandbox.problems(changed(files, path, "Rotator_Integration", "Nobody"))
    assert problems == ["In field: permissionSetName - no PermissionSet named Nobody found"]


@pytest.mark.parametrize("allowed", [False, True])
def test_a_connected_app_is_created_only_where_salesforce_allows_it(sandbox, allowed):
    sandbox.org.set_knobs(allow_new_connected_apps=allowed)
    deployer(sandbox).permissions |= {MANAGE_PROFILES, MODIFY_ALL_DATA}
    files = {
        path.replace(GLOBEX, "Fresh"): text.replace(GLOBEX, "Fresh")
        for path, text in sandbox.globex_files().items()
    }
    path = "connectedApps/Fresh.connectedApp"
    result = sandbox.deploy(
        changed(files, path, "<callback", "<consumerKey>3MVG9chosen</consumerKey><callback")
    )
    assert result["success"] is allowed
    assert (("ConnectedApp", "Fresh") in sandbox.org.apps) is allowed
    if allowed:
        assert sandbox.mint(GLOBEX, iss="3MVG9chosen").status_code == 200
    else:
        assert "You can't create a connected app" in result["details"]["componentFailures"][0]["problem"]


# --- permissions --------------------------------------------------------------------------------


def test_without_modify_metadata_nothing_of_the_metadata_api_answers(sandbox):
    token = sandbox.token()
    for reply in (
        sandbox.post_deploy({}, token=token),
        sandbox.call("GET", "/services/data/v68.0/metadata/deployRequest/0Af000000000001AAA", token=token),
    ):
        assert (reply.status_code, reply.json[0]["errorCode"]) == (403, "INSUFFICIENT_ACCESS")
    assert sandbox.soap("<describeMetadata/>", token).status_code == 500
    assert (
        sandbox.query("SELECT Id FROM DeployRequest", token, tooling=True).json[0]["errorCode"]
        == "INVALID_TYPE"
    )


def test_the_knob_that_denies_metadata_denies_the_deployer_too(sandbox):
    sandbox.org.set_knobs(deny_metadata=True)
    assert sandbox.post_deploy({}).status_code == 403


def test_an_app_whose_permissions_the_deployer_lacks_fails_as_a_component(sandbox):
    files = sandbox.acme_files(sandbox.new.base64)
    deployer(sandbox).permissions -= {MANAGE_EXTERNAL_CLIENT_APPS}
    assert all("INSUFFICIENT_ACCESS" in problem for problem in sandbox.problems(files))
    deployer(sandbox).permissions -= {MODIFY_METADATA}
    assert sandbox.post_deploy(files).status_code == 403


# --- the life of a deploy -----------------------------------------------------------------------


def begin(sandbox, **options):
    sandbox.org.set_knobs(deploy_seconds=100)
    return sandbox.post_deploy(sandbox.acme_files(sandbox.new.base64), **options).json["id"]


def status(sandbox, deploy_id):
    return sandbox.deploy_result(deploy_id)["status"]


def patch(sandbox, deploy_id, body=None):
    body = body or {"deployResult": {"status": "Canceling"}}
    return sandbox.call(
        "PATCH", f"/services/data/v68.0/metadata/deployRequest/{deploy_id}", json=body, token=sandbox.deployer
    )


def test_a_deploy_goes_through_its_states_and_takes_effect_at_its_end(sandbox):
    deploy_id = begin(sandbox)
    seen = [status(sandbox, deploy_id)]
    for _ in range(10):
        sandbox.clock.pass_seconds(10)
        seen.append(status(sandbox, deploy_id))
        assert sandbox.takes(sandbox.new) is (seen[-1] == "Succeeded")
    assert list(dict.fromkeys(seen)) == ["Pending", "InProgress", "FinalizingDeploy", "Succeeded"]


def test_deploys_wait_for_each_other(sandbox):
    first, second = begin(sandbox), begin(sandbox)
    sandbox.clock.pass_seconds(100)
    assert (status(sandbox, first), status(sandbox, second)) == ("Succeeded", "Pending")
    sandbox.clock.pass_seconds(100)
    assert status(sandbox, second) == "Succeeded"


def test_a_cancelled_deploy_ends_as_canceled_and_changes_nothing(sandbox):
    deploy_id = begin(sandbox)
    sandbox.clock.pass_seconds(50)
    reply = patch(sandbox, deploy_id)
    assert (reply.status_code, reply.json["deployResult"]["status"]) == (202, "Canceling")
    sandbox.clock.pass_seconds(200)
    assert status(sandbox, deploy_id) == "Canceled"
    assert sandbox.takes(sandbox.old)


@pytest.mark.parametrize("seconds", [95, 100])
def test_a_deploy_that_is_finalizing_or_over_can_not_be_cancelled(sandbox, seconds):
    deploy_id = begin(sandbox)
    sandbox.clock.pass_seconds(seconds)
    assert patch(sandbox, deploy_id).status_code == 400
    sandbox.clock.pass_seconds(100)
    assert status(sandbox, deploy_id) == "Succeeded"


def test_below_version_65_a_cancelled_deploy_may_be_committed_all_the_same(sandbox):
    landed = set()
    for number in range(10):
        deploy_id = begin(sandbox, version="64.0")
        patch(sandbox, deploy_id)
        sandbox.clock.pass_seconds(200)
        assert status(sandbox, deploy_id) == "Canceled"
        landed.add(sandbox.takes(sandbox.new))
        sandbox.org.set_knobs(deploy_seconds=0, seed=number)
        sandbox.deploy(sandbox.acme_files())
    assert landed == {True, False}


@pytest.mark.parametrize(
    ("seconds", "meanwhile", "afterwards"),
    [(50, "Canceling", "Canceled"), (95, "FinalizingDeploy", "Succeeded")],
)
def test_a_deploy_that_is_stalled_ends_only_when_the_knob_is_unset(sandbox, seconds, meanwhile, afterwards):
    deploy_id = begin(sandbox)
    sandbox.org.set_knobs(stall_deploys=True)
    sandbox.clock.pass_seconds(seconds)
    patch(sandbox, deploy_id)
    sandbox.clock.pass_seconds(10_000)
    assert status(sandbox, deploy_id) == meanwhile
    assert sandbox.takes(sandbox.old)
    sandbox.org.set_knobs(stall_deploys=False)
    sandbox.clock.pass_seconds(1)
    assert status(sandbox, deploy_id) == afterwards
    assert sandbox.takes(sandbox.new) is (afterwards == "Succeeded")


def test_a_late_deploy_tells_of_failure_and_lands_afterwards(sandbox):
    sandbox.org.set_knobs(late_deploy_seconds=300)
    deploy_id = begin(sandbox)
    sandbox.clock.pass_seconds(100)
    assert status(sandbox, deploy_id) == "Failed"
    assert sandbox.takes(sandbox.old)
    sandbox.clock.pass_seconds(300)
    assert (sandbox.takes(sandbox.old), sandbox.takes(sandbox.new)) == (False, True)


def test_deploys_that_the_knob_spoils_fail_once_each_and_validations_do_not_use_them_up(sandbox):
    sandbox.org.set_knobs(fail_deploys=1)
    files = sandbox.acme_files(sandbox.new.base64)
    assert sandbox.deploy(files, checkOnly=True)["success"]
    result = sandbox.deploy(files)
    assert (result["status"], len(result["details"]["componentFailures"])) == ("Failed", 3)
    assert sandbox.takes(sandbox.old)
    assert sandbox.deploy(files)["success"]


def test_a_deploy_whose_answer_is_lost_is_found_among_the_deploy_requests(sandbox):
    sandbox.org.set_knobs(lose_deploy_answer=1)
    with pytest.raises(ConnectionResetError):
        sandbox.post_deploy(sandbox.acme_files(sandbox.new.base64))
    rows = sandbox.query(
        "SELECT Id, Status, CheckOnly FROM DeployRequest WHERE CreatedDate >= 2026-11-01T12:00:00Z ORDER BY CreatedDate DESC",
        sandbox.deployer,
        tooling=True,
    ).json["records"]
    assert [(row["Status"], row["CheckOnly"]) for row in rows] == [("Succeeded", False)]
    assert sandbox.deploy_result(rows[0]["Id"])["success"]
    assert sandbox.takes(sandbox.new)


@pytest.mark.parametrize(
    ("path", "body"),
    [("0Af000000000001AAA", None), ("nonsense", None)],
)
def test_a_deploy_that_is_not_there_is_404(sandbox, path, body):
    assert patch(sandbox, path, body).status_code == 404


def test_a_patch_can_do_nothing_but_cancel(sandbox):
    assert patch(sandbox, begin(sandbox), {"deployResult": {"status": "Succeeded"}}).status_code == 400


@pytest.mark.parametrize("options", [{"checkOnli": True}, {"checkOnly": "yes"}, {"testLevel": "Some"}])
def test_unknown_deploy_options_are_refused(sandbox, options):
    reply = sandbox.post_deploy(sandbox.acme_files(), **options)
    assert (reply.status_code, reply.json[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")


def test_a_body_that_is_not_multipart_or_has_no_zip_is_refused(sandbox):
    path, options = "/services/data/v68.0/metadata/deployRequest", '{"deployOptions": {}}'
    assert sandbox.call("POST", path, token=sandbox.deployer, json={"deployOptions": {}}).status_code == 415
    for parts in ({"json": options}, {"file": (io.BytesIO(b"x"), "a.zip", "application/zip")}):
        reply = sandbox.call(
            "POST", path, token=sandbox.deployer, data=parts, content_type="multipart/form-data"
        )
        assert (reply.status_code, reply.json[0]["errorCode"]) == (400, "INVALID_MULTIPART_REQUEST")


def test_a_file_that_is_no_zip_is_accepted_and_fails(sandbox):
    path, options = (
        "/services/data/v68.0/metadata/deployRequest",
        '{"deployOptions": {"singlePackage": true}}',
    )
    parts = {"json": options, "file": (io.BytesIO(b"PK but not really"), "a.zip", "application/zip")}
    reply = sandbox.call("POST", path, token=sandbox.deployer, data=parts)
    result = sandbox.deploy_result(reply.json["id"])
    assert (result["status"], result["numberComponentErrors"]) == ("Failed", 1)


def test_the_certificate_of_the_deployer_itself_can_be_changed(sandbox):
    files = sandbox.retrieve([("ConnectedApp", DEPLOYER)], sandbox.deployer)
    files = {path: re.sub(r"\s*<consumerKey>.*?</consumerKey>", "", text).replace(sandbox.old.base64, sandbox.new.pem) for path, text in files.items()}  # fmt: skip
    token = sandbox.deployer
    assert sandbox.post_deploy(files, token=token).status_code == 201
    assert sandbox.takes(sandbox.new, DEPLOYER)
