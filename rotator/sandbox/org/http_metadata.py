"""The REST face of the Metadata API: deployRequest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, g, request

from rotator.sandbox.org.answers import ApiError, answer, date_text
from rotator.sandbox.org.deploys import (
    TERMINAL,
    BadRequest,
    Deploy,
    cancel,
    checked_options,
    require_metadata,
    submit,
)
from rotator.sandbox.org.identifiers import normal_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from rotator.sandbox.org.changes import FileResult
    from rotator.sandbox.org.model import Org


def metadata_routes(org: Org, routes: Blueprint) -> None:
    """Add the deployRequest resources to the routes below /services/data."""

    @routes.errorhandler(BadRequest)
    def refuse(bad: BadRequest) -> Response:
        org.counts[f"refused: {bad.code}"] += 1
        return answer([{"message": bad.message, "errorCode": bad.code}], bad.status)

    @routes.post("/<version>/metadata/deployRequest")
    def begin() -> Response:
        archive, options = _parts()
        deploy = submit(org, g.user, archive, checked_options(options), g.version)
        if not deploy.check_only and org.knobs.take("lose_deploy_answer"):
            request.environ["org.cut"] = True
        body = {"validatedDeployRequestId": None, "deployOptions": deploy.options}
        return answer(
            {"id": deploy.id, **body, "deployResult": deploy_result(org, deploy, details=False)}, 201
        )

    @routes.get("/<version>/metadata/deployRequest/<deploy_id>")
    def status(deploy_id: str) -> Response:
        deploy = find_deploy(org, deploy_id)
        details = request.args.get("includeDetails") == "true"
        url = f"{org.instance_url}/services/data/v{g.version}.0/metadata/deployRequest/{deploy.id}"
        return answer(
            {"id": deploy.id, "url": url, "deployResult": deploy_result(org, deploy, details=details)}
        )

    @routes.patch("/<version>/metadata/deployRequest/<deploy_id>")
    def change(deploy_id: str) -> Response:
        deploy = find_deploy(org, deploy_id)
        wanted = _json(request.get_data(as_text=True)).get("deployResult")
        if not isinstance(wanted, dict) or wanted.get("status") != "Canceling":
            raise ApiError(400, "JSON_PARSER_ERROR", "deployResult.status must be Canceling")
        cancel(org, deploy, g.user)
        return answer({"id": deploy.id, "deployResult": deploy_result(org, deploy, details=False)}, 202)

    def find_deploy(org: Org, deploy_id: str) -> Deploy:
        require_metadata(org, g.user)
        deploy = org.deploys.get(normal_id(deploy_id) or "")
        if deploy is None:
            raise ApiError(404, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        return deploy


def _parts() -> tuple[bytes, dict[str, Any]]:
    """The zip and the deploy options of a multipart body. The official samples name the JSON part
    `json`, the Salesforce CLI names it `entity_content`. Raises ApiError.
    """
    if request.mimetype != "multipart/form-data":
        raise ApiError(415, "UNSUPPORTED_MEDIA_TYPE", "multipart/form-data expected")
    archive = request.files.get("file")
    if archive is None or archive.mimetype not in {"application/zip", "application/octet-stream"}:
        raise ApiError(400, "INVALID_MULTIPART_REQUEST", "The part file of type application/zip is missing")
    texts = [request.form.get(name) or _file_text(name) for name in ("json", "entity_content")]
    given = [text for text in texts if text]
    if len(given) != 1:
        raise ApiError(400, "INVALID_MULTIPART_REQUEST", "One JSON part with deployOptions is needed")
    options = _json(given[0]).get("deployOptions")
    if not isinstance(options, dict):
        raise ApiError(400, "JSON_PARSER_ERROR", "deployOptions is missing")
    return archive.read(), options


def _file_text(name: str) -> str:
    part = request.files.get(name)
    return part.read().decode("utf-8", "replace") if part else ""


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ApiError(400, "JSON_PARSER_ERROR", "The HTTP entity body is not a JSON object")
    return value


def deploy_result(
    org: Org, deploy: Deploy, *, details: bool, date_text: Callable[[datetime], str] = date_text
) -> dict[str, Any]:
    """A `deployResult`, as REST and SOAP both tell it; they write dates differently."""

    def date(moment: float) -> str:
        return date_text(org.clock.wall_at(moment))

    now = org.elapsed()
    status = deploy.status(now)
    done = status in TERMINAL
    failures = len(deploy.failures) + len(deploy.problems) if done else 0
    last = date(deploy.created if deploy.ended is None else deploy.ended)
    user = deploy.user
    result: dict[str, Any] = {
        "id": deploy.id, "status": status, "done": done, "success": status == "Succeeded",
        "checkOnly": deploy.check_only, "ignoreWarnings": deploy.options["ignoreWarnings"],
        "rollbackOnError": deploy.options["rollbackOnError"],
        "numberComponentsTotal": len(deploy.outcome.results) + len(deploy.problems) if done else 0,
        "numberComponentsDeployed": len(deploy.successes) if done else 0,
        "numberComponentErrors": failures, "numberTestsTotal": 0, "numberTestsCompleted": 0, "numberTestErrors": 0,
        "runTestsEnabled": False, "createdBy": user.user_id[:15], "createdByName": user.name,
        "createdDate": date(deploy.created),
        "lastModifiedDate": last,
    }  # fmt: skip
    if now >= deploy.starts:
        result["startDate"] = date(deploy.starts)
    if deploy.ended is not None:
        result["completedDate"] = last
    if deploy.cancelled_by:
        result["canceledBy"] = deploy.cancelled_by[:15]
    if details:
        result["details"] = _details(deploy, last, done=done)
    return result


def _details(deploy: Deploy, date: str, *, done: bool) -> dict[str, Any]:
    failures = [_message(each, date) for each in deploy.failures]
    failures += [_manifest_message(path, date, problem) for path, problem in deploy.problems]
    successes = [_message(each, date) for each in deploy.successes]
    if done and not failures and successes:
        successes.append(_manifest_message(deploy.manifest_path, date, ""))
    return {
        "componentSuccesses": successes if done else [],
        "componentFailures": failures if done else [],
        "runTestResult": {
            "numFailures": 0,
            "numTestsRun": 0,
            "totalTime": 0.0,
            "successes": [],
            "failures": [],
        },
    }


def _message(result: FileResult, date: str) -> dict[str, Any]:
    message = _manifest_message(result.file.path, date, result.problem, warning=result.is_warning)
    message |= {"componentType": result.file.kind.name, "fullName": result.file.full_name}
    if not result.problem:
        message |= {"id": result.record_id, "created": result.created, "changed": not result.created}
    return message


def _manifest_message(path: str, date: str, problem: str, *, warning: bool = False) -> dict[str, Any]:
    message: dict[str, Any] = {
        "changed": False, "componentType": "", "created": False, "createdDate": date, "deleted": False,
        "fileName": path, "fullName": path.rpartition("/")[2], "success": not problem, "warning": warning,
    }  # fmt: skip
    if problem:
        message |= {
            "problem": problem,
            "problemType": "Warning" if warning else "Error",
            "lineNumber": 1,
            "columnNumber": 1,
        }
    return message
