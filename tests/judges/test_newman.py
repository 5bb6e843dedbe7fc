"""newman, Postman's own runner, judges the collection that rotator exports, and runs it against the sandbox."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from rotator.salesforce.assertion import sign_assertion
from rotator.salesforce.http import Reply
from rotator.salesforce.refusals import rest_refusal, secret_holder_refusal, token_refusal
from tests.judges.newman import Files
from tests.judges.tools import run
from tests.sandbox.client import Pair
from tests.world.http_fake import Answer, HttpFake

pytestmark = pytest.mark.judge("newman")

FIRST, SECOND = "integration@acme.example", "reports@acme.example"
REQUESTS = [
    "1 Token",
    "2 API versions",
    "3 User",
    "4 Accounts by query",
    "5 Accounts by sobjects",
    "6 Limits",
    "7 Introspect",
]
TAKEN = "Salesforce takes the request"
OWN_TESTS = [
    "the answer holds an access token, and where to call with it",
    "the org offers the API version of the environment",
    "the token stands for the user of the environment",
    "the query is answered with rows, or with none",
    "Account is described, with its recent items",
    "the org has API calls left for today",
]
OF_INTROSPECTION = ["the token is active", "it belongs to the user and the app of the environment"]


@pytest.fixture
def export(rotator, node, tmp_path):
    """Exports a credential, and returns the files."""

    def write(name="acme", *options):
        ran = rotator("export", "postman", name, "--directory", tmp_path, "--json", "--overwrite", *options)
        assert ran.code == 0, ran.err
        return Files(node, ran.json)

    return write


def client_secret(stage, app="Rotator_Acme"):
    return stage.org.org.app(app).consumer_secret


def pem(key, form=PrivateFormat.PKCS8, encryption=None):
    return key.private_bytes(Encoding.PEM, form, encryption or NoEncryption()).decode()


@pytest.fixture(scope="module")
def stranger():
    """A key that no app holds."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.mark.parametrize(("name", "app"), [("acme", "Rotator_Acme"), ("globex", "Rotator_Globex")])
def test_with_the_private_key_every_request_is_answered_as_it_should(export, stage, name, app):
    told = export(name, "--with-private-key").edit(client_secret=client_secret(stage, app)).run()
    assert told.failures == []
    assert told.sent == REQUESTS
    assert sorted(told.passed) == sorted([TAKEN] * 7 + OWN_TESTS + OF_INTROSPECTION)
    assert told.assertions == {"total": 15, "pending": 0, "failed": 0}


def test_without_a_client_secret_introspection_is_skipped_and_says_what_it_needs(export):
    told = export("acme", "--with-private-key").run()
    assert told.failures == []
    assert told.sent == REQUESTS[:6]
    assert told.assertions["total"] == 13
    assert "[skipped] introspection: client_secret is empty. Paste the consumer secret" in told.output


def test_with_a_given_assertion_no_key_is_needed(export):
    told = export("acme", "--with-assertion").run()
    assert told.failures == []
    assert sorted(told.passed) == sorted([TAKEN] * 6 + OWN_TESTS)


def test_the_second_user_logs_in_as_the_second_user(export, stage):
    files = export("acme", "--with-private-key", "--user", SECOND).edit(client_secret=client_secret(stage))
    told = files.run()
    assert told.failures == []
    assert told.assertions["total"] == 15
    assert files.edit(username=FIRST).run().failures == []


def test_an_assertion_for_another_user_than_that_of_the_environment_is_noticed(export):
    told = export("acme", "--with-assertion").edit(username=SECOND).run()
    ((test, message),) = told.failures
    assert test == "the token stands for the user of the environment"
    assert FIRST in message
    assert SECOND in message


def test_the_private_key_stays_in_the_script_that_signs(export):
    files = export("acme", "--with-private-key")
    told = files.run()
    key = files.variables()["private_key"]
    assert "urn:ietf:params:oauth:grant-type:jwt-bearer" in told.requests
    assert [line for line in key.splitlines()[1:-1] if line in told.requests + told.output] == []


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
@pytest.mark.parametrize(
    "form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL], ids=["PKCS#8", "PKCS#1"]
)
def test_keys_of_every_size_and_form_sign_what_the_org_takes(export, rotator, stage, bits, form):
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    before = rotator("certificate", "globex").out
    files = export("globex").edit(private_key=pem(key, form))
    stage.control.put_certificate("Rotator_Globex", Pair("by hand", key).pem)
    try:
        told = files.run()
    finally:
        stage.control.put_certificate("Rotator_Globex", before)
    assert told.failures == []
    assert len(told.passed) == 12


def test_a_key_that_was_pasted_badly_signs_all_the_same(export):
    """In one line, with line breaks as two characters, from Windows, with words around it."""
    files = export("acme", "--with-private-key")
    key = files.variables()["private_key"]
    mangled = [key.replace("\n", end) for end in (" ", "\\n", "\r\n")] + [f"  Bag Attributes\n{key}\n\n"]
    told = files.edit(private_key="").run_each(
        [{"private_key": text} for text in mangled], "--folder", "1 Token"
    )
    assert (told.failures, told.sent) == ([], ["1 Token"] * 4)


def damaged(key):
    """A key one of whose numbers has a wrong digit."""
    lines = pem(key).splitlines()
    middle = len(lines) // 3
    lines[middle] = lines[middle][:-1] + ("A" if lines[middle][-1] != "A" else "B")
    return "\n".join(lines)


def cut(key):
    return "\n".join(pem(key).splitlines()[:12])


UNUSABLE = {
    "encrypted": (lambda key: pem(key, encryption=BestAvailableEncryption(b"x")), "it is encrypted"),
    "encrypted as OpenSSL did": (
        lambda key: pem(key, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"x")),
        "it is encrypted",
    ),
    "a certificate": (lambda key: Pair("x", key).pem, "it is no RSA key"),
    "for another algorithm": (lambda _key: pem(ec.generate_private_key(ec.SECP256R1())), "it is no RSA key"),
    "no key at all": (lambda _key: "3MVG9", "it is no RSA key"),
    "damaged": (damaged, "it is damaged"),
    "cut off": (cut, "a part of it is missing"),
    "empty": (lambda _key: "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n", "it is damaged"),
    "no numbers": (
        lambda _key: "-----BEGIN RSA PRIVATE KEY-----\nMAA=\n-----END RSA PRIVATE KEY-----",
        "it is damaged",
    ),
    "zeros": (
        lambda _key: "-----BEGIN RSA PRIVATE KEY-----\nMAwCAQACAQACAQACAQA=\n-----END RSA PRIVATE KEY-----",
        "it is damaged",
    ),
}


def test_a_key_that_can_not_sign_is_told_and_nothing_is_sent(export, stranger):
    told = export().run_each([{"private_key": make(stranger)} for make, _reason in UNUSABLE.values()])
    assert {test for test, _message in told.failures} == {"there is an assertion to send"}
    said = dict(zip(UNUSABLE, (message for _test, message in told.failures), strict=True))
    for kind, (_make, reason) in UNUSABLE.items():
        assert said[kind].startswith(f"private_key can't be used: {reason}"), kind
    assert told.sent == []


def test_without_key_and_assertion_it_is_told_how_to_get_one_and_nothing_is_sent(export):
    told = export().run()
    ((test, message),) = told.failures
    assert test == "there is an assertion to send"
    assert "rotator export postman NAME --with-assertion" in message
    assert told.sent == []


def old_assertion(stage, key):
    return sign_assertion(
        consumer_key=stage.org.org.app("Rotator_Acme").consumer_key,
        username=FIRST,
        audience=stage.org.url,
        private_key=key,
        now=datetime.now(UTC) - timedelta(hours=1),
    ).reveal()


def test_an_assertion_that_is_over_is_not_sent_and_it_is_told_when_it_ended(export, stage, stranger):
    told = export().edit(assertion=old_assertion(stage, stranger)).run()
    ((_test, message),) = told.failures
    assert message.startswith("the assertion ended at 20")
    assert told.sent == []


def test_the_private_key_takes_over_from_an_assertion_that_is_over(export, stage, stranger):
    files = export("acme", "--with-private-key").edit(assertion=old_assertion(stage, stranger))
    assert files.run().failures == []


def test_a_wrong_key_is_refused_in_salesforces_words_with_a_mend_and_nothing_else_is_asked(export, stranger):
    told = export().edit(private_key=pem(stranger)).run()
    ((test, message),) = told.failures
    assert test == TAKEN
    assert message.startswith(
        "status 400, invalid_grant: invalid assertion. Mend: The key does not match the certificate in the app"
    )
    assert told.sent == ["1 Token"]


MISTAKES = [
    ({"consumer_key": "3MVG9nobody"}, "invalid_client_id: client identifier invalid", "Check `consumer_key`"),
    ({"audience": "https://test.salesforce.com"}, "invalid_grant: audience is invalid", "Set `audience`"),
    ({"username": "nobody@acme.example"}, "user hasn't approved this consumer", "Set Permitted Users"),
    ({"username": "deployer@acme.example"}, "user is not admin approved", "Add a profile or permission set"),
]


def test_a_mistake_in_the_environment_is_told_with_its_mend(export):
    told = export("acme", "--with-private-key").run_each([values for values, _said, _mend in MISTAKES])
    for (_test, message), (_values, said, mend) in zip(told.failures, MISTAKES, strict=True):
        assert said in message
        assert f"Mend: {mend}" in message
    assert told.sent == ["1 Token"] * len(MISTAKES)


@pytest.mark.parametrize(
    ("folder", "values", "mend"),
    [
        ("3 User", {"access_token": "00D!over"}, 'Send "1 Token" again.'),
        ("4 Accounts by query", {"access_token": "00D!over", "api_version": "66.0"}, 'Send "1 Token" again.'),
        ("7 Introspect", {"client_secret": "wrong"}, "Check the client secret"),
    ],
    ids=["userinfo", "query", "introspection"],
)
def test_a_call_with_what_the_org_does_not_take_is_told_with_its_mend(export, stage, folder, values, mend):
    told = export().edit(instance_url=stage.org.url, **values).run("--folder", folder)
    ((test, message),) = told.failures
    assert (test, mend in message) == (TAKEN, True), message


def test_a_query_that_the_org_does_not_understand_fails_alone(export):
    told = export("acme", "--with-private-key").edit(soql="SELECT Nonsense FROM Account").run()
    ((_test, message),) = told.failures
    assert "INVALID_FIELD" in message
    assert told.sent == REQUESTS[:6]


def test_a_query_travels_whole_whatever_characters_it_has(export, stage):
    soql = "SELECT Id, Name FROM Account WHERE Name LIKE 'Acc%' AND NumberOfEmployees > 5 AND Name != 'R&D + #1 100%'"
    told = export("acme", "--with-private-key").edit(soql=soql).run()
    assert told.failures == []


def test_a_dead_token_is_told_by_introspection(export, stage):
    files = export().edit(access_token="00D!over", client_secret=client_secret(stage))
    told = files.run("--folder", "7 Introspect")
    assert ("the token is active", True) in [(test, "active" in message) for test, message in told.failures]


def test_after_a_rotation_the_exported_key_is_refused_and_a_fresh_export_works(export, rotator):
    before = export("acme", "--with-private-key").run()
    assert before.failures == []
    files = export("acme", "--with-private-key")
    rotated = rotator("rotate", "acme", "--here", "--wait")
    assert rotated.code == 0, rotated.err
    ((test, message),) = files.run().failures
    assert test == TAKEN
    assert "invalid_grant: invalid assertion" in message
    assert export("acme", "--with-private-key").run().failures == []


REFUSED = [
    # status, body
    (400, {"error": "invalid_grant", "error_description": "invalid assertion"}),
    (400, {"error": "invalid_grant", "error_description": "Failed: : Couldn't validate jwt token."}),
    (400, {"error": "INVALID_GRANT", "error_description": "User hasn't approved this consumer"}),
    (400, {"error": "invalid_grant", "error_description": "expired authorization code"}),
    (400, {"error": "invalid_grant", "error_description": "words never seen"}),
    (400, {"error": "invalid_grant", "error_description": None}),
    (400, {"error": "invalid_client", "error_description": "invalid client credentials"}),
    (
        400,
        {"error": "invalid_app_access", "error_description": "user is not admin approved to access this app"},
    ),
    (
        400,
        {"error": "app_not_found", "error_description": "External client app is not installed in this org"},
    ),
    (400, {"error": "oauth_policy_not_found"}),
    (400, {"error": "never_seen", "error_description": "login rate exceeded"}),
    (400, {"error": "never_seen", "error_description": "nor these words"}),
    (400, {"error": 7, "error_description": ["no text"]}),
    (400, [{"errorCode": "MALFORMED_QUERY", "message": "unexpected token: x"}]),
    (401, [{"errorCode": "SOMETHING_NEW", "message": "Session expired or invalid"}]),
    (401, ""),
    (403, [{"errorCode": "INSUFFICIENT_ACCESS_OR_READONLY", "message": "no"}]),
    (403, "Bad_OAuth_Token"),
    (403, "<html>blocked</html>"),
    (404, [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]),
    (404, "<html>not here</html>"),
    (410, [{"errorCode": "GONE", "message": "The API version 21.0 is retired"}]),
    (418, "{"),
    (429, {"error": "invalid_grant", "error_description": "invalid assertion"}),
    (500, "null"),
    (503, "<html>Down for maintenance</html>"),
]


@pytest.mark.parametrize(
    ("folder", "means"),
    [("1 Token", token_refusal), ("7 Introspect", secret_holder_refusal), ("6 Limits", rest_refusal)],
    ids=["token", "introspection", "REST"],
)
def test_every_refusal_has_the_mend_that_rotator_tells(export, stage, stranger, folder, means):
    """The table of refusals is the same, and is read in JavaScript as it is in Python."""
    with HttpFake() as fake:
        answers = iter(REFUSED)
        fake.answer = lambda _request: Answer(*next(answers))
        files = export().edit(
            login_url=fake.url,
            instance_url=fake.url,
            access_token="t",
            client_secret="s",
            private_key=pem(stranger),
        )
        told = files.run("--folder", folder, "--iteration-count", len(REFUSED))
    mends = [
        message.partition(" Mend: ")[2].removeprefix('Send "1 Token" again.').strip()
        for _, message in told.failures
    ]
    expected = []
    for status, body in REFUSED:
        raw = body if isinstance(body, str) else json.dumps(body)
        expected.append(means(Reply(status, {}, raw.encode(), fake.url, "POST")).hint)
    assert mends == expected


@pytest.mark.parametrize("status", [302, 307])
def test_no_secret_follows_a_redirect(export, stranger, status):
    with HttpFake() as elsewhere, HttpFake() as fake:
        fake.answer = Answer(status, headers={"Location": f"{elsewhere.url}/services/oauth2/token"})
        told = export().edit(login_url=fake.url, private_key=pem(stranger)).run()
        ((_test, message),) = told.failures
        assert f"redirects to {elsewhere.url}" in message
        assert (len(fake.requests), elsewhere.requests) == (1, [])


def test_a_token_is_not_kept_for_a_host_that_is_not_called_over_https(export, stranger):
    urls = ["http://acme.my.salesforce.com", "http://localhost.example.com", "ftp://x", ""]
    with HttpFake() as fake:
        answers = iter(
            [Answer(body={"access_token": "t", "token_type": "Bearer", "instance_url": url}) for url in urls]
        )
        fake.answer = lambda _request: next(answers)
        files = export().edit(login_url=fake.url, private_key=pem(stranger))
        told = files.run(
            "--folder", "1 Token", "--iteration-count", len(urls), "--export-environment", files.environment
        )
    assert {test for test, _message in told.failures} == {OWN_TESTS[0]}
    assert len(told.failures) == len(urls)
    assert (files.variables()["access_token"], files.variables()["instance_url"]) == ("", "")


def test_a_host_that_does_not_answer_is_told(export, stranger):
    with HttpFake(Answer(reset=True)) as fake:
        told = export().edit(login_url=fake.url, private_key=pem(stranger)).run()
    assert ("no answer came" in dict(told.failures)[TAKEN], told.sent) == (True, [])


ROUND_TRIP = """
const { Collection, VariableScope } = require('postman-collection');
const [collection, environment] = JSON.parse(require('fs').readFileSync(0, 'utf8'));
console.log(JSON.stringify([new Collection(collection), new VariableScope(environment)]));
"""


def lost_fields(written, read):
    """Paths of what Postman's library lost of a document. It adds some, and keeps descriptions with their type."""
    lost = set()
    for key, value in written.items():
        known = read.get(key)
        if isinstance(value, dict):
            lost |= {f"{key}.{path}" for path in lost_fields(value, known)}
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            for one, other in zip(value, known, strict=True):
                lost |= {f"{key}.{path}" for path in lost_fields(one, other)}
        elif (known["content"] if key == "description" else known) != value:
            lost.add(key)
    return lost


def test_postmans_own_library_reads_both_documents_and_loses_nothing(export, node):
    files = export("acme", "--with-assertion")
    written = [json.loads(path.read_text()) for path in (files.collection, files.environment)]
    done = run(node.node, "-e", ROUND_TRIP, env={"NODE_PATH": str(node.modules)}, stdin=json.dumps(written))
    assert done.returncode == 0, done.stderr
    collection, environment = json.loads(done.stdout)
    assert lost_fields(written[0], collection) == {"item.request.url.raw"}, "which says what the parts say"
    assert {one["key"]: one["value"] for one in environment["values"]} == files.variables()
    assert environment["name"] == f"rotator acme: {FIRST}"
