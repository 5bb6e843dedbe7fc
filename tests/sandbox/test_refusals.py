"""Every refusal of the token endpoint, in Salesforce's own words."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

from rotator.sandbox.org.seed import ACME, GLOBEX, seed_org
from tests.sandbox.client import encoded, signed_jwt

INVALID_ASSERTION = ("invalid_grant", "invalid assertion")
NOT_APPROVED = ("invalid_grant", "user hasn't approved this consumer")
HOUR = 3600


def set_text(app, kind, path, text):
    app.documents[kind].root.find(path).text = text


def policy(app, tag, text):
    set_text(app, "ExtlClntAppOauthConfigurablePolicies", tag, text)


def scopes(app, text):
    set_text(app, "ExtlClntAppOauthSettings", "commaSeparatedOauthScopes", text)


# What is done to org or assertion -> the answer.
TABLE = {
    "another key": (lambda box: box.mint(key=box.new.key), INVALID_ASSERTION),
    "exp past": (
        lambda box: box.mint(exp=box.clock.now.timestamp() - 60),
        ("invalid_grant", "expired authorization code"),
    ),
    "a clock that is behind": (
        lambda box: (
            box.org.set_knobs(clock_offset_seconds=HOUR) or box.mint(exp=box.clock.now.timestamp() + 120)
        ),
        ("invalid_grant", "expired authorization code"),
    ),
    "another audience": (
        lambda box: box.mint(aud="https://example.com"),
        ("invalid_grant", "audience is invalid"),
    ),
    "the audience of sandboxes": (
        lambda box: box.mint(aud="https://test.salesforce.com"),
        ("invalid_grant", "audience is invalid"),
    ),
    "an audience with a slash": (
        lambda box: box.mint(aud="https://login.salesforce.com/"),
        ("invalid_grant", "audience is invalid"),
    ),
    "an unknown consumer key": (
        lambda box: box.mint(iss="3MVG9nobody"),
        ("invalid_client_id", "client identifier invalid"),
    ),
    "the consumer key of another org's app": (
        lambda box: box.org.foreign_consumer_keys.add("3MVG9elsewhere") or box.mint(iss="3MVG9elsewhere"),
        ("app_not_found", "External client app is not installed in this org"),
    ),
    "an unknown user": (lambda box: box.mint(sub="nobody@acme.example"), NOT_APPROVED),
    "an app that users must approve": (
        lambda box: policy(box.org.app(ACME), "permittedUsersPolicyType", "AllSelfAuthorized") or box.mint(),
        NOT_APPROVED,
    ),
    "a user without the permission set": (
        lambda box: box.org.users["integration@acme.example"].permission_sets.clear() or box.mint(),
        ("invalid_app_access", "user is not admin approved to access this app"),
    ),
    "a frozen user": (
        lambda box: setattr(box.org.users["integration@acme.example"], "active", False) or box.mint(),
        ("user_authentication_failed", "user authentication failed"),
    ),
    "a login from elsewhere": (
        lambda box: (
            setattr(box.org.users["integration@acme.example"], "login_ip_ranges", ("10.0.0.0/8",))
            or box.mint()
        ),
        ("invalid_grant", "ip restricted"),
    ),
    "an app without scopes": (
        lambda box: scopes(box.org.app(ACME), "") or box.mint(),
        ("invalid_grant", "no valid scopes defined"),
    ),
    "an app with no scope but RefreshToken": (
        lambda box: scopes(box.org.app(ACME), "RefreshToken") or box.mint(),
        ("invalid_grant", "no valid scopes defined"),
    ),
    "an app without the RefreshToken scope": (
        lambda box: scopes(box.org.app(ACME), "Api") or box.mint(),
        ("invalid_request", "refresh_token scope is required"),
    ),
    "a blocked app": (
        lambda box: (
            set_text(box.org.app(ACME), "ExtlClntAppConfigurablePolicies", "isEnabled", "false") or box.mint()
        ),
        ("app_blocked", "this app is blocked by admin"),
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_a_login_is_refused_as_salesforce_refuses_it(sandbox, case):
    act, expected = TABLE[case]
    assert sandbox.refusal(act(sandbox)) == expected


def test_what_the_table_spoils_is_accepted_unspoilt(sandbox):
    reply = sandbox.mint()
    assert reply.status_code == 200
    assert sorted(reply.json) == ["access_token", "id", "instance_url", "scope", "token_type"]
    assert reply.json["access_token"].startswith(f"{sandbox.org.org_id[:15]}!AQ")
    user_id = sandbox.org.users["integration@acme.example"].user_id
    assert reply.json["id"] == f"https://login.salesforce.com/id/{sandbox.org.org_id}/{user_id}"
    assert (reply.json["token_type"], reply.json["scope"]) == ("Bearer", "api refresh_token")


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": "1793539320"},  # as simple-salesforce sends it
        {"exp": 1793538000000},  # milliseconds, as the Salesforce CLI sends them
        {"exp": 1793534400 - 4},  # within the tolerance for skewed clocks
        {"aud": "https://acme.my.salesforce.example"},
        {"aud": "http://localhost"},
        {"iat": 1, "jti": "x"},
    ],
)
def test_what_salesforce_takes_is_taken(sandbox, changed):
    assert sandbox.clock.now.timestamp() == 1793534400
    assert sandbox.mint(**changed).status_code == 200


def test_an_expired_certificate_goes_on_verifying(sandbox):
    """As Salesforce's product management has it; it is no outage and no protection."""
    sandbox.clock.pass_seconds(2 * 365 * 24 * HOUR)
    assert sandbox.mint().status_code == 200


def test_the_login_ranges_of_a_user_let_their_own_addresses_in(sandbox):
    sandbox.org.users["integration@acme.example"].login_ip_ranges = ("10.0.0.0/8",)
    assert sandbox.mint(address="10.1.2.3").status_code == 200


def test_a_user_may_come_in_by_profile_as_well_as_by_permission_set(sandbox):
    user = sandbox.org.users["integration@acme.example"]
    user.permission_sets.clear()
    policies = sandbox.org.app(ACME).documents["ExtlClntAppOauthConfigurablePolicies"].root
    policies.append(policies.makeelement("commaSeparatedProfile", {}))
    policy(sandbox.org.app(ACME), "commaSeparatedProfile", f"Other, {user.profile}")
    assert sandbox.mint().status_code == 200


# --- tricks with the signature (RFC 8725) -------------------------------------------------------


def unsigned(box, alg):
    return f"{encoded({'alg': alg})}.{encoded(box.claims())}."


def hmac_with_the_certificate(box, secret):
    text = f"{encoded({'alg': 'HS256'})}.{encoded(box.claims())}"
    return f"{text}.{encoded(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


def elliptic(box):
    text = f"{encoded({'alg': 'ES256'})}.{encoded(box.claims())}"
    key = ec.generate_private_key(ec.SECP256R1())
    return f"{text}.{encoded(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))}"


def with_hash(box, alg, algorithm):
    text = f"{encoded({'alg': alg})}.{encoded(box.claims())}"
    return f"{text}.{encoded(box.old.key.sign(text.encode(), padding.PKCS1v15(), algorithm))}"


def pss(box):
    text = f"{encoded({'alg': 'PS256'})}.{encoded(box.claims())}"
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    return f"{text}.{encoded(box.old.key.sign(text.encode(), scheme, hashes.SHA256()))}"


def embedded_key(box):
    numbers = box.new.key.public_key().public_numbers()
    jwk = {"kty": "RSA", "e": "AQAB", "n": encoded(numbers.n.to_bytes(256, "big"))}
    return box.assertion(key=box.new.key, header={"alg": "RS256", "jwk": jwk, "x5c": [box.new.base64]})


def other_spelling(box):
    """The last character of the signature carries bits that mean nothing."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    text = box.assertion()
    return text[:-1] + alphabet[alphabet.index(text[-1]) + 1]


def twice(name):
    """The claims with a second value for one of them."""

    def build(box):
        claims = f'{{"{name}": "x", {str(box.claims())[1:]}'.replace("'", '"')
        return signed_jwt({"alg": "RS256"}, claims.encode(), box.old.key)

    return build


def other_claims(box):
    head, _, signature = box.assertion().split(".")
    return f"{head}.{encoded(box.claims(sub='reports@acme.example'))}.{signature}"


TRICKS = {
    "alg none": lambda box: unsigned(box, "none"),
    "alg nOnE with a signature": lambda box: box.assertion(header={"alg": "nOnE"}),
    "no alg": lambda box: box.assertion(header={"typ": "JWT"}),
    "alg as a list": lambda box: box.assertion(header={"alg": ["RS256"]}),
    "HS256 with the certificate's PEM as the secret": lambda box: hmac_with_the_certificate(
        box, box.old.pem.encode()
    ),
    "HS256 with the public key as the secret": lambda box: hmac_with_the_certificate(
        box,
        box.old.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    ),
    "ES256": elliptic,
    "RS384": lambda box: with_hash(box, "RS384", hashes.SHA384()),
    "RS512": lambda box: with_hash(box, "RS512", hashes.SHA512()),
    "RS512 that is really RS256": lambda box: box.assertion(header={"alg": "RS512"}),
    "RS256 that is really RS512": lambda box: with_hash(box, "RS256", hashes.SHA512()),
    "PS256": pss,
    "a key of the sender's own in the header": embedded_key,
    "an unknown critical header": lambda box: box.assertion(
        header={"alg": "RS256", "crit": ["exp"], "exp": 1}
    ),
    "an unencoded payload": lambda box: box.assertion(header={"alg": "RS256", "b64": False}),
    "claims swapped under the signature": other_claims,
    "no signature": lambda box: box.assertion().rpartition(".")[0] + ".",
    "two parts": lambda box: box.assertion().rpartition(".")[0],
    "five parts": lambda box: box.assertion() + ".a.b",
    "trailing newline": lambda box: box.assertion() + "\n",
    "trailing bytes in the signature": lambda box: box.assertion() + "AAAA",
    "leading space": lambda box: " " + box.assertion(),
    "padding": lambda box: box.assertion() + "==",
    "another spelling of the signature": other_spelling,
    "ordinary base64": lambda box: ".".join(base64.b64encode(b"\xff\xfe\xfd").decode() for _ in range(3)),
    "not JSON": lambda box: signed_jwt(b"{alg:RS256}", box.claims(), box.old.key),
    "a list for claims": lambda box: signed_jwt({"alg": "RS256"}, [box.claims()], box.old.key),
    "NaN for exp": lambda box: box.assertion(exp=float("nan")),
    "iss twice": twice("iss"),
    "sub twice": twice("sub"),
    "aud as a list": lambda box: box.assertion(aud=["https://login.salesforce.com"]),
    "exp missing": lambda box: box.assertion(exp=None),
    "exp true": lambda box: box.assertion(exp=True),
    "exp as prose": lambda box: box.assertion(exp="tomorrow"),
    "exp beyond all floats": lambda box: box.assertion(exp=10**400),
    "iss missing": lambda box: box.assertion(iss=None),
    "sub missing": lambda box: box.assertion(sub=None),
    "sub empty": lambda box: box.assertion(sub=""),
    "aud missing": lambda box: box.assertion(aud=None),
    "sub as a number": lambda box: box.assertion(sub=5),
    "endless": lambda _box: "a" * 20_000,
}


@pytest.mark.parametrize("case", TRICKS)
def test_no_trick_with_the_assertion_gets_a_token(sandbox, case):
    assert sandbox.refusal(sandbox.post_assertion(TRICKS[case](sandbox))) == INVALID_ASSERTION


# --- the form -----------------------------------------------------------------------------------


def form(box, **changed):
    fields = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": box.assertion(),
    } | changed
    return {name: value for name, value in fields.items() if value is not None}


UNSUPPORTED = ("unsupported_grant_type", "grant type not supported")
FORMS = {
    "no grant type": (lambda box: {"data": form(box, grant_type=None)}, UNSUPPORTED),
    "another grant type": (lambda box: {"data": form(box, grant_type="password")}, UNSUPPORTED),
    "no assertion": (
        lambda box: {"data": form(box, assertion=None)},
        ("invalid_request", "missing required parameter: assertion"),
    ),
    "JSON": (lambda box: {"json": form(box)}, UNSUPPORTED),
    "fields in the URL": (lambda box: {"query_string": form(box)}, UNSUPPORTED),
    "multipart": (lambda box: {"data": form(box), "content_type": "multipart/form-data"}, UNSUPPORTED),
    "a field twice": (
        lambda box: {"data": form(box, assertion=[box.assertion(), box.assertion()])},
        ("invalid_request", "a parameter is repeated"),
    ),
    "a scope the app has not": (
        lambda box: {"data": form(box, scope="full")},
        ("invalid_scope", "the requested scope is not allowed"),
    ),
}


@pytest.mark.parametrize("case", FORMS)
def test_a_form_with_a_fault_is_refused(sandbox, case):
    build, expected = FORMS[case]
    assert sandbox.refusal(sandbox.call("POST", "/services/oauth2/token", **build(sandbox))) == expected


def test_a_get_of_the_token_endpoint_is_refused(sandbox):
    reply = sandbox.call("GET", "/services/oauth2/token", query_string=form(sandbox))
    assert sandbox.refusal(reply) == ("invalid_request", "must use HTTP POST")


# --- certificates and limits --------------------------------------------------------------------


def test_an_app_that_never_had_a_certificate_has_no_jwt_flow(sandbox, clock):
    sandbox.org = bare = seed_org(clock_source=clock)
    other = type(sandbox)(bare, clock, sandbox.old, sandbox.new)
    assert other.refusal(other.mint()) == ("invalid_client", "invalid client credentials")


def test_logins_of_a_user_end_at_the_hourly_limit_and_begin_again_an_hour_later(sandbox):
    sandbox.org.set_knobs(login_limit_per_hour=3)
    sandbox.mint(key=sandbox.new.key)
    assert [sandbox.mint().status_code for _ in range(3)] == [200, 200, 400]
    assert sandbox.refusal(sandbox.mint()) == ("invalid_grant", "login rate exceeded")
    assert sandbox.mint(GLOBEX).status_code == 200
    sandbox.clock.pass_seconds(HOUR)
    assert sandbox.mint().status_code == 200


def test_test_salesforce_com_finds_external_client_apps_only_now_and_then(clock, old, new, sandbox):
    box = type(sandbox)(
        seed_org({ACME: old.pem, GLOBEX: old.pem}, is_sandbox=True, clock_source=clock), clock, old, new
    )
    replies = [box.mint(aud="https://test.salesforce.com") for _ in range(20)]
    assert {reply.json.get("error", "granted") for reply in replies} == {"granted", "app_not_found"}
    assert all(box.mint(aud="https://acme.my.salesforce.example").status_code == 200 for _ in range(20))
    assert all(box.mint(GLOBEX, aud="https://test.salesforce.com").status_code == 200 for _ in range(20))
