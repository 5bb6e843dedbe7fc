"""The SOAP face of the Metadata API."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from defusedxml import ElementTree, common
from flask import Blueprint, Response, g, request

from rotator.sandbox.org.answers import living_session, may_call_api, xsd_date_text
from rotator.sandbox.org.apps import Document, Stamp
from rotator.sandbox.org.changes import commit, weigh
from rotator.sandbox.org.components import (
    CONNECTED_APP,
    TYPES,
    component_file,
    flag,
    inner_xml,
    local_name,
    text_of,
    xml_of,
)
from rotator.sandbox.org.deploys import (
    BadRequest,
    cancel,
    checked_options,
    decode_archive,
    require_metadata,
    submit,
)
from rotator.sandbox.org.http_metadata import deploy_result
from rotator.sandbox.org.identifiers import normal_id
from rotator.sandbox.org.packages import NEWEST_VERSION, OLDEST_VERSION, PackageFile, manifest_members
from rotator.sandbox.org.retrieves import begin, documents, shown
from rotator.sandbox.org.schema import METADATA_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Callable
    from xml.etree.ElementTree import Element

    from rotator.sandbox.org.model import Org

SOAP_NAMESPACE = "http://schemas.xmlsoap.org/soap/envelope/"
_HEAD = (
    f'<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="{SOAP_NAMESPACE}"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)
JWT_ACCEPTED_FROM = 68
"""SOAP takes JWT-format access tokens from this version on."""
MOST_QUERIES, MOST_NAMES = 3, 10
_TIMEOUTS = {
    900: "FifteenMinutes", 1800: "ThirtyMinutes", 3600: "SixtyMinutes", 5400: "NinetyMinutes", 7200: "TwoHours",
    14_400: "FourHours", 28_800: "EightHours", 43_200: "TwelveHours", 86_400: "TwentyFourHours",
}  # fmt: skip
"""What an org's session timeout can be (seconds), and its name in SecuritySettings."""


class Fault(Exception):
    """An answer with status 500. Codes of the API stand before their message, those of SOAP 1.1 do not."""

    def __init__(self, code: str, message: str, *, of_soap: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.name = f"{'soapenv' if of_soap else 'sf'}:{code}"
        self.text = message if of_soap else f"{code}: {message}"


def soap_routes(org: Org) -> Blueprint:
    routes = Blueprint("soap", __name__, url_prefix="/services/Soap")
    operations: dict[str, Callable[[Org, Element], str]] = {
        "describeMetadata": _describe_metadata, "listMetadata": _list_metadata, "readMetadata": _read_metadata,
        "updateMetadata": _update_metadata, "retrieve": _retrieve, "checkRetrieveStatus": _check_retrieve_status,
        "deploy": _deploy, "checkDeployStatus": _check_deploy_status, "cancelDeploy": _cancel_deploy,
    }  # fmt: skip

    @routes.errorhandler(Fault)
    def fault(fault: Fault) -> Response:
        org.counts[f"refused: {fault.code}"] += 1
        body = (
            f'{_HEAD} xmlns:sf="{METADATA_NAMESPACE}"><soapenv:Body><soapenv:Fault><faultcode>{fault.name}</faultcode>'
            f"<faultstring>{escape(fault.text)}</faultstring></soapenv:Fault></soapenv:Body></soapenv:Envelope>"
        )
        return Response(body, 500, content_type="text/xml;charset=UTF-8")

    @routes.errorhandler(BadRequest)
    def refused(bad: BadRequest) -> Response:
        return fault(Fault(bad.code, bad.message))

    @routes.post("/m/<version>")
    def call(version: str) -> Response:
        org.counts["SOAP calls"] += 1
        g.version = _version_number(version)
        session_id, operation = _envelope(request.get_data())
        _admit(org, session_id)
        run = operations.get(_plain(operation).tag)
        if run is None:
            raise _no_such_operation(f"{{{METADATA_NAMESPACE}}}{operation.tag}")
        body = (
            f'{_HEAD} xmlns="{METADATA_NAMESPACE}"><soapenv:Body><{operation.tag}Response>{run(org, operation)}'
            f"</{operation.tag}Response></soapenv:Body></soapenv:Envelope>"
        )
        return Response(body, 200, content_type="text/xml;charset=UTF-8")

    return routes


def _version_number(text: str) -> int:
    number = text.removesuffix(".0")
    if number.isdecimal() and int(number) < OLDEST_VERSION:
        raise Fault(
            "UNSUPPORTED_API_VERSION",
            f"The API version that was specified ({number}.0) is below the minimum supported ({OLDEST_VERSION}.0)."
            " Change the version number and run the request again.",
        )
    if not number.isdecimal() or int(number) > NEWEST_VERSION:
        raise Fault("UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL")
    return int(number)


def _envelope(content: bytes) -> tuple[str, Element]:
    """The session id and the operation of a SOAP request. Raises Fault."""
    if request.mimetype != "text/xml" or "SOAPAction" not in request.headers:
        raise Fault("INVALID_SOAP_HEADER", "Content-Type text/xml and a SOAPAction header are required")
    try:
        root: Element = ElementTree.fromstring(content)
    except (ElementTree.ParseError, common.DefusedXmlException, ValueError):
        raise Fault("INVALID_XML", "the request is not well-formed XML") from None
    if local_name(root.tag) == "Envelope" and root.tag != f"{{{SOAP_NAMESPACE}}}Envelope":
        # SOAP 1.1, section 4.4.1; SOAP 1.2 has a namespace of its own.
        raise Fault("VersionMismatch", f"the Envelope is not of {SOAP_NAMESPACE}", of_soap=True)
    body = root.find(f"{{{SOAP_NAMESPACE}}}Body")
    if root.tag != f"{{{SOAP_NAMESPACE}}}Envelope" or body is None or len(body) != 1:
        raise Fault("INVALID_SOAP_BODY", "an Envelope with one operation in its Body is required")
    session = (
        f"{{{SOAP_NAMESPACE}}}Header/{{{METADATA_NAMESPACE}}}SessionHeader/{{{METADATA_NAMESPACE}}}sessionId"
    )
    return text_of(root, session), body[0]


def _plain(operation: Element) -> Element:
    """The operation, tags without namespace. Raises Fault where one is not that of the Metadata API."""
    for element in operation.iter():
        if not element.tag.startswith(f"{{{METADATA_NAMESPACE}}}"):
            if element is operation:
                raise _no_such_operation(element.tag)
            raise Fault("Client", f"Element {element.tag} invalid at this location", of_soap=True)
        element.tag = local_name(element.tag)
    return operation


def _no_such_operation(tag: str) -> Fault:
    return Fault(
        "Client",
        f"No operation available for request {tag}, please check the WSDL for the service.",
        of_soap=True,
    )


def _admit(org: Org, session_id: str) -> None:
    session = living_session(org, session_id, request.remote_addr or "")
    if session is None or (session.is_jwt and g.version < JWT_ACCEPTED_FROM):
        raise Fault("INVALID_SESSION_ID", "Invalid Session ID found in SessionHeader: Illegal Session")
    g.user = org.users[session.username]
    if not may_call_api(g.user, session):
        raise Fault("API_DISABLED_FOR_ORG", "API is not enabled for this Organization or Partner")
    require_metadata(org, g.user)


# --- operations ---------------------------------------------------------------------------------


def _describe_metadata(_org: Org, _operation: Element) -> str:
    objects = [
        {
            "directoryName": kind.folder,
            "inFolder": False,
            "metaFile": False,
            "suffix": kind.suffix,
            "xmlName": kind.name,
        }
        for kind in TYPES.values()
    ]
    result = {
        "metadataObjects": objects,
        "organizationNamespace": "",
        "partialSaveAllowed": True,
        "testRequired": False,
    }
    return xml_of({"result": result})


def _list_metadata(org: Org, operation: Element) -> str:
    queries = operation.findall("queries")
    if not 1 <= len(queries) <= MOST_QUERIES:
        raise Fault("INVALID_TYPE", f"one to {MOST_QUERIES} queries are allowed in a call")
    results = []
    for query in queries:
        type_name = text_of(query, "type")
        if type_name not in TYPES:
            raise Fault("INVALID_TYPE", f"Unknown type: {type_name}")
        kind = TYPES[type_name]
        results += [
            _of_document(org, f"{kind.folder}/{document.full_name}.{kind.suffix}", type_name, document)
            for _, document in documents(org, type_name)
        ]
    return xml_of({"result": results})


def _properties(  # noqa: PLR0917 - the columns of FileProperties
    org: Org, path: str, type_name: str, full_name: str, record_id: str, made: Stamp, changed: Stamp
) -> dict[str, object]:
    return {
        "createdById": made.user_id, "createdByName": made.user_name, "createdDate": _date(org, made.at),
        "fileName": path, "fullName": full_name, "id": record_id,
        "lastModifiedById": changed.user_id, "lastModifiedByName": changed.user_name,
        "lastModifiedDate": _date(org, changed.at), "manageableState": "unmanaged", "type": type_name,
    }  # fmt: skip


def _of_document(org: Org, path: str, type_name: str, document: Document) -> dict[str, object]:
    return _properties(
        org, path, type_name, document.full_name, document.record_id, document.created, document.modified
    )


def _date(org: Org, moment: float) -> str:
    return xsd_date_text(org.clock.wall_at(moment))


def _read_metadata(org: Org, operation: Element) -> str:
    """Connected Apps and security settings. External Client Apps are read by retrieve only."""
    type_name = text_of(operation, "type")
    names = [(element.text or "").strip() for element in operation.findall("fullNames")]
    if not 1 <= len(names) <= MOST_NAMES:
        raise Fault("LIMIT_EXCEEDED", f"one to {MOST_NAMES} names are allowed in a call")
    if type_name == "SecuritySettings":
        records = "".join(_security_settings(org) for _ in names)
    elif type_name == CONNECTED_APP:
        found = {document.full_name: app for app, document in documents(org, CONNECTED_APP)}
        kind = TYPES[CONNECTED_APP]
        records = "".join(
            f'<records xsi:type="ConnectedApp"><fullName>{escape(name)}</fullName>'
            f"{inner_xml(shown(org, g.user, found[name], kind, g.version))}</records>"
            if name in found
            else '<records xsi:nil="true"/>'
            for name in names
        )
    else:
        raise Fault("INVALID_TYPE", f"readMetadata is not supported for type: {type_name}")
    return f"<result>{records}</result>"


def _security_settings(org: Org) -> str:
    # A knob may be set to a time that no org can have; the next longer that one can is told.
    longer = [name for seconds, name in _TIMEOUTS.items() if seconds >= org.knobs.session_timeout_seconds]
    settings = {
        "enforceIpRangesEveryRequest": False, "lockSessionsToDomain": True,
        "lockSessionsToIp": org.knobs.lock_sessions_to_ip, "sessionTimeout": longer[0] if longer else "TwentyFourHours",
    }  # fmt: skip
    return f'<records xsi:type="SecuritySettings"><fullName>Security</fullName>{xml_of({"sessionSettings": settings})}</records>'


def _update_metadata(org: Org, operation: Element) -> str:
    """Declarative like a deploy, one component after the other."""
    results = []
    for element in operation.findall("metadata"):
        kind_name = next(
            (local_name(value) for name, value in element.attrib.items() if name.endswith("}type")), ""
        )
        kind_name = kind_name.rpartition(":")[2]
        full_name = text_of(element, "fullName")
        if kind_name != CONNECTED_APP or (CONNECTED_APP, full_name) not in org.apps:
            raise Fault(
                "INVALID_CROSS_REFERENCE_KEY", f"no {kind_name or 'component'} named {full_name} found"
            )
        for name in element.findall("fullName"):
            element.remove(name)
        kind = TYPES[CONNECTED_APP]
        file = PackageFile(
            f"{kind.folder}/{full_name}.{kind.suffix}", kind, full_name, component_file(kind, element)
        )
        outcome = weigh(org, g.user, [file], ignore_warnings=False)
        problem = outcome.results[0].problem
        if not problem:
            commit(org, outcome, org.elapsed())
        errors = {"message": problem, "statusCode": "FIELD_INTEGRITY_EXCEPTION"} if problem else None
        results.append({"errors": errors, "fullName": full_name, "success": not problem})
    return xml_of({"result": results})


def _retrieve(org: Org, operation: Element) -> str:
    # The WSDL calls the one parameter `retrieveRequest`, jsforce calls it `request`.
    asked = operation[0] if len(operation) == 1 else operation
    unpackaged = asked.find("unpackaged")
    if asked.tag not in {"retrieveRequest", "request"} or unpackaged is None:
        raise Fault("INVALID_PACKAGE", "retrieveRequest with an unpackaged manifest is required")
    version = text_of(asked, "apiVersion") or text_of(unpackaged, "version")
    number = version.removesuffix(".0")
    if not number.isdecimal() or not OLDEST_VERSION <= int(number) <= NEWEST_VERSION:
        raise Fault("INVALID_VALUE", f"apiVersion {version or 'none'} is not valid")
    single = flag(asked, "singlePackage")
    retrieve = begin(
        org, g.user, manifest_members(unpackaged), single_package=single, api_version=int(number)
    )
    return xml_of({"result": {"done": False, "id": retrieve.id, "state": "Queued"}})


def _check_retrieve_status(org: Org, operation: Element) -> str:
    retrieve = org.retrieves.get(normal_id(text_of(operation, "asyncProcessId")) or "")
    if retrieve is None or retrieve.username != g.user.username:
        raise Fault("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    if org.elapsed() < retrieve.ends:
        return xml_of(
            {"result": {"done": False, "id": retrieve.id, "status": "InProgress", "success": False}}
        )
    files = [_of_document(org, path, kind.name, document) for path, kind, document in retrieve.files]
    # The manifest is told like the components, without an id.
    manifest, now = retrieve.manifest_path, Stamp(org.elapsed(), g.user.user_id, g.user.name)
    result = {
        "done": True,
        "fileProperties": [*files, _properties(org, manifest, "Package", manifest, "", now, now)],
        "id": retrieve.id,
        "messages": [{"fileName": path, "problem": problem} for path, problem in retrieve.messages],
        "status": "Succeeded",
        "success": True,
    }
    if text_of(operation, "includeZip") != "false":
        result["zipFile"] = base64.b64encode(retrieve.archive).decode("ascii")
        # A zip that was fetched is gone, as in Salesforce.
        del org.retrieves[retrieve.id]
    return xml_of({"result": result})


def _deploy(org: Org, operation: Element) -> str:
    options: dict[str, object] = {}
    for element in operation.findall("DeployOptions/*"):
        text = (element.text or "").strip()
        options[element.tag] = {"true": True, "false": False}.get(text, text)
    if tests := [text_of(element, ".") for element in operation.findall("DeployOptions/runTests")]:
        options["runTests"] = tests
    archive = decode_archive(text_of(operation, "ZipFile"))
    deploy = submit(org, g.user, archive, checked_options(options), g.version)
    if not deploy.check_only and org.knobs.take("lose_deploy_answer"):
        request.environ["org.cut"] = True
    return xml_of({"result": {"done": False, "id": deploy.id, "state": "Queued"}})


def _check_deploy_status(org: Org, operation: Element) -> str:
    deploy = org.deploys.get(normal_id(text_of(operation, "asyncProcessId")) or "")
    if deploy is None:
        raise Fault("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    details = text_of(operation, "includeDetails") == "true"
    result = deploy_result(org, deploy, details=details, date_text=xsd_date_text)
    return xml_of({"result": _in_order(result)})


def _in_order(value: Any) -> Any:
    """Elements in the order of the WSDL, which is alphabetical."""
    if isinstance(value, dict):
        return {name: _in_order(value[name]) for name in sorted(value)}
    return [_in_order(each) for each in value] if isinstance(value, list) else value


def _cancel_deploy(org: Org, operation: Element) -> str:
    # `String` in the WSDL, `id` in jsforce.
    deploy = org.deploys.get(normal_id(text_of(operation, "String") or text_of(operation, "id")) or "")
    if deploy is None:
        raise Fault("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    cancel(org, deploy, g.user)
    return xml_of({"result": {"done": False, "id": deploy.id}})
