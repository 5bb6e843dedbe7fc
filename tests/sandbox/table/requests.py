"""Refusals of requests: the form at the token endpoint, REST, SOAP, deploys."""

from __future__ import annotations

from rotator.sandbox.org.seed import DEPLOYER, seed_org
from tests.sandbox.client import JWT_BEARER, NAMESPACE
from tests.sandbox.table.logins import USER, knobs, user
from tests.sandbox.table.row import CODES, HOUR, Row, after

RFC_6749 = "RFC 6749 section 3.2 (the text is ours)"
DEAD = "Session expired or invalid"
NOT_THERE = "The requested resource does not exist"
ILLEGAL = "INVALID_SESSION_ID: Invalid Session ID found in SessionHeader: Illegal Session"
OPERATION = "please check the WSDL for the service."
API_OFF = "The REST API is not enabled for this Organization."
RETIRED = "api_rest api_rest_eol: “410:GONE” (the text is ours)"
ERROR_CODES = "SE 212976; api_rest errorcodes"
LIMITS = "/services/data/v68.0/limits"
TOKEN, INTROSPECT = "/services/oauth2/token", "/services/oauth2/introspect"
LIST = (
    "<listMetadata><queries><type>ConnectedApp</type></queries><asOfVersion>68.0</asOfVersion></listMetadata>"
)
SOQL_ADVICE = "Please reference your WSDL or the describe call for the appropriate names."


def form(method="POST", encoding="data", content_type=None, **changed):
    """A token request with some of it changed; None leaves a field out."""

    def send(box):
        fields = {"grant_type": JWT_BEARER, "assertion": box.assertion()} | changed
        fields = {name: value(box) if callable(value) else value for name, value in fields.items()}
        fields = {name: value for name, value in fields.items() if value is not None}
        more = {"content_type": content_type} if content_type else {}
        return box.call(method, TOKEN, **{encoding: fields}, **more)

    return send


def holder(path, **changed):
    """A request of somebody who shows the app's secret."""

    def send(box):
        app = box.org.app("Rotator_Acme")
        fields = {"client_id": app.consumer_key, "client_secret": app.consumer_secret, "token": "x"} | changed
        return box.call("POST", path, data=fields)

    return send


def get(path, **more):
    return lambda box: box.call("GET", path, token=box.token(), **more)


def header(value):
    return lambda box: box.call("GET", LIMITS, headers={"Authorization": value})


def query(text):
    return lambda box: box.query(text, box.token())


def with_token(*deeds, mint=lambda box: box.token(), path=LIMITS, **more):
    """Mint a token, do something, and call with the token."""

    def send(box):
        token = mint(box)
        for deed in deeds:
            deed(box, token)
        return box.call("GET", path, token=token, **more)

    return send


def pass_hours(hours):
    return lambda box, _token: box.clock.pass_seconds(hours * HOUR)


def soap(operation=LIST, version="68.0", mint=lambda box: box.deployer, **more):
    return lambda box: box.soap(operation, mint(box), version, **more)


def raw_soap(body="<a/>", **headers):
    return lambda box: box.call("POST", "/services/Soap/m/68.0", data=body, headers=headers)


def other_instance(box):
    """The session of one org shown to another."""
    other = type(box)(
        seed_org({"Rotator_Acme": box.old.pem}, name="Other", clock_source=box.clock),
        box.clock,
        box.old,
        box.new,
    )
    return other.call("GET", LIMITS, token=box.token())


FORMS = {
    "no grant type": Row(
        form(grant_type=None), 400, "unsupported_grant_type", "grant type not supported", "sf-jwt-token #1", "P"
    ),
    "another grant type": Row(
        form(grant_type="password"), 400, "unsupported_grant_type", "grant type not supported", CODES, "P"
    ),
    "the grant type in capitals": Row(
        form(grant_type=JWT_BEARER.upper()), 400, "unsupported_grant_type", "grant type not supported", RFC_6749, "I"
    ),
    "no assertion": Row(
        form(assertion=None), 400, "invalid_request", "missing required parameter: assertion", RFC_6749, "I"
    ),
    "an empty assertion": Row(
        form(assertion=""), 400, "invalid_request", "missing required parameter: assertion", RFC_6749, "I"
    ),
    "an assertion twice": Row(
        form(assertion=lambda box: [box.assertion(), box.assertion()]),
        400, "invalid_request", "a parameter is repeated", RFC_6749, "I",
    ),
    "the form as JSON": Row(
        form(encoding="json"), 400, "unsupported_grant_type", "grant type not supported", "sf-jwt-token #1", "P"
    ),
    "the form as plain text": Row(
        form(content_type="text/plain"), 400, "unsupported_grant_type", "grant type not supported", "sf-jwt-token #1", "P"
    ),
    "the form in parts": Row(
        form(content_type="multipart/form-data"),
        400, "unsupported_grant_type", "grant type not supported", "sf-jwt-token #1", "I",
    ),
    "the form in the URL": Row(
        form(encoding="query_string"), 400, "unsupported_grant_type", "grant type not supported", RFC_6749, "I"
    ),
    "a GET": Row(
        form("GET", "query_string"), 400, "invalid_request", "must use HTTP POST", "field reports", "P"
    ),
    "a PUT": Row(form("PUT"), 400, "invalid_request", "must use HTTP POST", "as for GET", "I"),
    "a scope that the app has not": Row(
        form(scope="full"), 400, "invalid_scope", "the requested scope is not allowed", CODES + " (the text is ours)", "D"
    ),
    "introspection without the secret": Row(
        holder(INTROSPECT, client_secret=""), 400, "invalid_client", "invalid client credentials",
        "help remoteaccess_oidc_token_introspection_endpoint", "P",
    ),
    "introspection with the wrong secret": Row(
        holder(INTROSPECT, client_secret="wrong"), 400, "invalid_client", "invalid client credentials",
        "help remoteaccess_oidc_token_introspection_endpoint", "P",
    ),
    "introspection of a refresh token": Row(
        holder(INTROSPECT, token_type_hint="refresh_token"),
        400, "unsupported_token_type", "this token type is not supported", CODES + " (the text is ours)", "D",
    ),
    "a revocation of what is no token": Row(
        holder("/services/oauth2/revoke"), 400, "invalid_token", "invalid token", CODES + " (the text is ours)", "D"
    ),
    "userinfo with what is no token": Row(
        lambda box: box.call("GET", "/services/oauth2/userinfo", token="00Dnothing"),
        403, "Bad_OAuth_Token", "", "field reports", "P",
    ),
}  # fmt: skip

REST = {
    "no token": Row(header(""), 401, "INVALID_SESSION_ID", DEAD, ERROR_CODES, "C"),
    "a token that never was": Row(header("Bearer 00Dxx!AQnothing"), 401, "INVALID_SESSION_ID", DEAD, ERROR_CODES, "C"),
    "a session that has run out": Row(
        with_token(pass_hours(2)), 401, "INVALID_SESSION_ID", DEAD, ERROR_CODES, "C"
    ),
    "a session that was revoked": Row(
        with_token(lambda box, token: box.call("POST", "/services/oauth2/revoke", data={"token": token})),
        401, "INVALID_SESSION_ID", DEAD, f"{ERROR_CODES}; DarthVaderRC vault plugin, client.go", "C",
    ),
    "a session that an administrator ended": Row(
        with_token(lambda box, _token: box.org.sessions.end(username=USER)),
        401, "INVALID_SESSION_ID", DEAD, ERROR_CODES, "C",
    ),
    "a session of a user who was frozen": Row(
        with_token(lambda box, _token: user(active=False)(box)), 401, "INVALID_SESSION_ID", DEAD, ERROR_CODES, "I"
    ),
    "a session of another instance": Row(other_instance, 401, "INVALID_SESSION_ID", DEAD, "SE 18039", "P"),
    "a session locked to another address": Row(
        with_token(lambda box, _token: knobs(lock_sessions_to_ip=True)(box), address="127.0.0.2"),
        401, "INVALID_SESSION_ID", DEAD, "help shr_session_settings (the code is inferred)", "I",
    ),
    "a JWT-format token that has run out": Row(
        with_token(pass_hours(1), mint=lambda box: knobs(jwt_tokens=True)(box) or box.token()),
        401, "INVALID_SESSION_ID", DEAD, ERROR_CODES, "I",
    ),
    "a JWT-format token that was changed": Row(
        lambda box: knobs(jwt_tokens=True)(box) or box.call("GET", LIMITS, token=box.token()[:-4]),
        401, "INVALID_SESSION_ID", DEAD, ERROR_CODES, "I",
    ),
    "a token that is neither kind": Row(
        header("Bearer eyJhbGciOi"), 401, "INVALID_JWT_FORMAT", "Invalid JWT format", "airbyte #71024", "P"
    ),
    "another kind of Authorization": Row(
        header("Basic abc"), 401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE", "airbyte #71024", "P"
    ),
    "Authorization without a token": Row(
        header("Bearer"), 401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE", "airbyte #71024", "P"
    ),
    "a user without API Enabled": Row(
        lambda box: box.org.users[USER].permissions.discard("ApiEnabled") or get(LIMITS)(box),
        403, "API_DISABLED_FOR_ORG", API_OFF, "api_rest errorcodes", "C",
    ),
    "more calls than a day allows": Row(
        after(knobs(daily_api_requests=0), get(LIMITS)),
        403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", "api_rest errorcodes", "C",
    ),
    "a call in maintenance": Row(
        after(knobs(maintenance=True), header("Bearer x")), 503, "text/html", "", "api_rest errorcodes (503)", "P"
    ),
    "version 20.0": Row(
        get("/services/data/v20.0/limits"), 410, "GONE", "The API version 20.0 is retired", RETIRED, "P"
    ),
    "version 30.0": Row(
        get("/services/data/v30.0/limits"), 410, "GONE", "The API version 30.0 is retired", RETIRED, "P"
    ),
    "a version to come": Row(
        get("/services/data/v69.0/limits"), 404, "NOT_FOUND", NOT_THERE, "api_rest errorcodes", "I"
    ),
    "a resource that is not there": Row(
        get("/services/data/v68.0/nothing"), 404, "NOT_FOUND", NOT_THERE, "api_rest errorcodes", "C"
    ),
    "a method that a resource does not take": Row(
        lambda box: box.call("DELETE", "/services/oauth2/userinfo"),
        405, "METHOD_NOT_ALLOWED", "HTTP Method not allowed for this resource", "api_rest errorcodes", "P",
    ),
    "no query": Row(
        get("/services/data/v68.0/query"), 400, "MALFORMED_QUERY", "A query string has to be specified",
        "api_rest errorcodes", "P",
    ),
    "a query that is no SOQL": Row(
        query("SELECT Id FORM Account"), 400, "MALFORMED_QUERY", "…unexpected token: 'FORM'", "api_rest errorcodes", "P"
    ),
    "a query of an object that is not there, or not for this user": Row(
        query("SELECT Id FROM Acount"), 400, "INVALID_TYPE", f"…{SOQL_ADVICE}", "api_rest errorcodes", "C"
    ),
    "a query of a field that is not there": Row(
        query("SELECT Nmae FROM Account"), 400, "INVALID_FIELD", f"…{SOQL_ADVICE}", "api_rest errorcodes", "C"
    ),
    "the next page of no query": Row(
        get("/services/data/v68.0/query/01g000000000001AAA-2000"),
        400, "INVALID_QUERY_LOCATOR", "invalid query locator", "api_rest errorcodes", "P",
    ),
}  # fmt: skip

METADATA = {
    "SOAP with a dead session": Row(
        soap(mint=lambda _box: "00Dnothing"), 500, "sf:INVALID_SESSION_ID", ILLEGAL, "field reports", "P"
    ),
    "SOAP 67.0 with a JWT-format token": Row(
        soap(version="67.0", mint=lambda box: knobs(jwt_tokens=True)(box) or box.token(DEPLOYER)),
        500, "sf:INVALID_SESSION_ID", ILLEGAL, "jsforce #1817; source-deploy-retrieve #1835", "P",
    ),
    "SOAP with a session locked to another address": Row(
        lambda box: knobs(lock_sessions_to_ip=True)(box) or soap(mint=lambda box: box.mint(DEPLOYER, address="10.0.0.1").json["access_token"])(box),
        500, "sf:INVALID_SESSION_ID", ILLEGAL, "help shr_session_settings (the code is inferred)", "I",
    ),
    "an envelope of SOAP 1.2": Row(
        soap(envelope="http://www.w3.org/2003/05/soap-envelope"),
        500, "soapenv:VersionMismatch", "the Envelope is not of http://schemas.xmlsoap.org/soap/envelope/",
        "SOAP 1.1 section 4.4.1 (the text is ours)", "D",
    ),
    "an operation of another namespace": Row(
        soap('<listMetadata xmlns="urn:partner.soap.sforce.com"/>'),
        500, "soapenv:Client", f"No operation available for request {{urn:partner.soap.sforce.com}}listMetadata, {OPERATION}",
        "field reports", "P",
    ),
    "an operation of no namespace": Row(
        soap('<listMetadata xmlns=""/>'),
        500, "soapenv:Client", f"No operation available for request listMetadata, {OPERATION}", "field reports", "I",
    ),
    "an operation that is not there": Row(
        soap("<dance/>"), 500, "soapenv:Client", f"No operation available for request {{{NAMESPACE}}}dance, {OPERATION}",
        "field reports", "P",
    ),
    "an element of another namespace within an operation": Row(
        soap('<listMetadata><queries xmlns="urn:other"><type>ConnectedApp</type></queries></listMetadata>'),
        500, "soapenv:Client", "Element {urn:other}queries invalid at this location", "as in metadata files", "I",
    ),
    "a SessionHeader of another namespace": Row(
        soap(LIST.replace("<listMetadata>", f'<listMetadata xmlns="{NAMESPACE}">'), namespace="urn:other"),
        500, "sf:INVALID_SESSION_ID", ILLEGAL, "as without a session", "I",
    ),
    "two operations": Row(
        soap("<a/><b/>"), 500, "sf:INVALID_SOAP_BODY",
        "INVALID_SOAP_BODY: an Envelope with one operation in its Body is required", "SOAP 1.1 section 4.3 (the text is ours)", "D",
    ),
    "SOAP that is no XML": Row(
        soap("<a>"), 500, "sf:INVALID_XML", "INVALID_XML: the request is not well-formed XML", "the text is ours", "D"
    ),
    "SOAP without a SOAPAction": Row(
        raw_soap(**{"Content-Type": "text/xml"}), 500, "sf:INVALID_SOAP_HEADER",
        "INVALID_SOAP_HEADER: Content-Type text/xml and a SOAPAction header are required",
        "SOAP 1.1 section 6.1.1 (the text is ours)", "D",
    ),
    "SOAP as JSON": Row(
        raw_soap(**{"Content-Type": "application/json", "SOAPAction": '""'}), 500, "sf:INVALID_SOAP_HEADER",
        "INVALID_SOAP_HEADER: Content-Type text/xml and a SOAPAction header are required",
        "SOAP 1.1 section 6 (the text is ours)", "D",
    ),
    "SOAP 30.0": Row(
        soap(version="30.0"), 500, "sf:UNSUPPORTED_API_VERSION",
        "UNSUPPORTED_API_VERSION: The API version that was specified (30.0) is below the minimum supported (31.0)."
        " Change the version number and run the request again.",
        "SalesforceLabs/Milestones-PM #156", "P",
    ),
    "SOAP 69.0": Row(
        soap(version="69.0"), 500, "sf:UNSUPPORTED_API_VERSION",
        "UNSUPPORTED_API_VERSION: Invalid Api version specified on URL", "StevenMMortimer/salesforcer #24", "P",
    ),
    "SOAP in the name of a user without API Enabled": Row(
        lambda box: box.org.users["deployer@acme.example"].permissions.discard("ApiEnabled") or soap()(box),
        500, "sf:API_DISABLED_FOR_ORG", "API_DISABLED_FOR_ORG: API is not enabled for this Organization or Partner",
        "field reports", "P",
    ),
    "a type of metadata that is not there": Row(
        soap(LIST.replace("ConnectedApp", "ConectedApp")),
        500, "sf:INVALID_TYPE", "INVALID_TYPE: Unknown type: ConectedApp", "api_meta listMetadata (the text is ours)", "I",
    ),
    "a deploy in the name of a user without Modify Metadata": Row(
        lambda box: box.post_deploy({}, token=box.token()), 403, "INSUFFICIENT_ACCESS",
        "use of the Metadata API requires a user with the ModifyAllData or ModifyMetadata permissions",
        "tooling_deployrequest", "P",
    ),
    "a deploy that is not multipart": Row(
        lambda box: box.call(
            "POST", "/services/data/v68.0/metadata/deployRequest", token=box.deployer, json={"deployOptions": {}}
        ),
        415, "UNSUPPORTED_MEDIA_TYPE", "multipart/form-data expected", "api_rest errorcodes (the text is ours)", "I",
    ),
    "a deploy with an option that is not there": Row(
        lambda box: box.post_deploy({}, checkOnli=True),
        400, "JSON_PARSER_ERROR", "Unrecognized field or value: checkOnli", "meta_rest_deploy (the text is ours)", "I",
    ),
    "the status of a deploy that is not there": Row(
        lambda box: box.call(
            "GET", "/services/data/v68.0/metadata/deployRequest/0Af000000000001AAA", token=box.deployer
        ),
        404, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", "meta_rest_deploy_checkstatus (the code is inferred)", "I",
    ),
}  # fmt: skip
