"""What the redactor must hide wherever it stands, and what it must leave readable."""

from __future__ import annotations

import json
import string
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID
from hypothesis import assume, given
from hypothesis import strategies as st

from rotator.core.model import Phase
from rotator.secret import Secret
from rotator.show.redact import MASK, Redactor, is_sensitive

ALPHANUMERIC = string.ascii_letters + string.digits
BASE64URL = ALPHANUMERIC + "-_"


def chars(alphabet: str, least: int, most: int) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=least, max_size=most)


jwts = st.builds(lambda *parts: "eyJ" + ".".join(parts), *[chars(BASE64URL, 20, 60)] * 3)
sessions = st.builds(
    lambda org, rest: f"00D{org}!{rest}", chars(ALPHANUMERIC, 12, 12), chars(ALPHANUMERIC + "._", 40, 90)
)
vault_tokens = st.builds(
    lambda kind, rest: kind + rest,
    st.sampled_from(["hvs.", "hvb.", "hvr.", "s.", "b."]),
    chars(BASE64URL, 24, 95),
)
by_shape = st.one_of(jwts, sessions, vault_tokens)
without_shape = chars(ALPHANUMERIC + "-~+/!%", 8, 40)
words = st.lists(st.from_regex(r"[A-Za-z]{1,12}|[0-9]{1,8}|[.,;:()/-]", fullmatch=True), max_size=12).map(
    " ".join
)


@pytest.fixture(scope="module")
def pem() -> dict[str, str]:
    """Keys and certificates of every form that OpenSSL writes."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    elliptic = ec.generate_private_key(ec.SECP256R1())
    traditional, pkcs8 = PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8
    plain, encrypted = NoEncryption(), BestAvailableEncryption(b"x")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=2))
        .sign(key, SHA256())
    )
    texts = {
        "pkcs1": key.private_bytes(Encoding.PEM, traditional, plain),
        "pkcs8": key.private_bytes(Encoding.PEM, pkcs8, plain),
        "encrypted pkcs8": key.private_bytes(Encoding.PEM, pkcs8, encrypted),
        "encrypted pkcs1": key.private_bytes(Encoding.PEM, traditional, encrypted),
        "elliptic": elliptic.private_bytes(Encoding.PEM, traditional, plain),
        "certificate": certificate.public_bytes(Encoding.PEM),
        "request": x509.CertificateSigningRequestBuilder(name).sign(key, SHA256()).public_bytes(Encoding.PEM),
        "public key": key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    }
    return {form: text.decode() for form, text in texts.items()}


PRIVATE = ["pkcs1", "pkcs8", "encrypted pkcs8", "encrypted pkcs1", "elliptic"]
ESCAPED = {
    "plain": str,
    "repr": repr,
    "json": json.dumps,
    "json in json": lambda text: json.dumps(json.dumps(text)),
    "on one line": lambda text: text.replace("\n", ""),
}
PUBLIC = ["certificate", "request", "public key"]


def body(pem_text: str) -> str:
    return "".join(line for line in pem_text.splitlines() if "-" not in line and ":" not in line)


def leaked(secret: str, shown: str, size: int = 12) -> list[str]:
    """The pieces of a secret that are still to be seen."""
    pieces = (secret[start : start + size] for start in range(0, max(1, len(secret) - size + 1), size))
    return [piece for piece in pieces if piece in shown]


@pytest.mark.parametrize("form", PRIVATE)
@pytest.mark.parametrize("escaped", ESCAPED)
def test_a_private_key_is_hidden_in_pem_however_it_is_escaped(pem, form, escaped):
    shown = Redactor().text(f"could not load {ESCAPED[escaped](pem[form])} of acme")
    assert shown.startswith("could not load ")
    assert shown.endswith(" of acme")
    assert leaked(body(pem[form]), shown) == []


@pytest.mark.parametrize("form", ["pkcs1", "pkcs8", "encrypted pkcs8"])
@pytest.mark.parametrize("glue", ["", "\n", "\\n", "\r\n", " "])
def test_a_private_key_is_hidden_without_its_pem_lines(pem, form, glue):
    lines = glue.join(textwrap.wrap(body(pem[form]), 64))
    assert leaked(body(pem[form])[:1500], Redactor().text(f"got {lines}")) == []


@pytest.mark.parametrize("form", ["pkcs1", "pkcs8", "encrypted pkcs8"])
def test_a_private_key_is_hidden_in_the_alphabet_for_urls(pem, form):
    urlsafe = body(pem[form]).translate(str.maketrans("+/", "-_")).rstrip("=")
    shown = Redactor().text(f"got {urlsafe}, and more")
    assert shown == f"got {MASK}, and more"


@pytest.mark.parametrize("form", PRIVATE)
def test_a_private_key_that_was_cut_off_is_hidden_to_the_end_of_the_text(pem, form):
    shown = Redactor().text(pem[form][:400])
    assert leaked(body(pem[form])[:200], shown) == []


@pytest.mark.parametrize("form", PUBLIC)
def test_what_is_public_stays_readable(pem, form):
    redactor = Redactor()
    for text in (pem[form], repr(pem[form]), body(pem[form])):
        assert redactor.text(text) == text
    assert redactor.value({"certificate": pem[form]}) == {"certificate": pem[form]}


@given(secret=by_shape, before=words, after=words)
def test_a_secret_with_a_shape_is_hidden_in_any_text(secret, before, after):
    redactor = Redactor()
    for text in (
        f"{before} {secret} {after}",
        f"{before}:{secret}",
        f'{before} "{secret}"',
        f"https://acme.my.salesforce.com/services?x={quote_plus(secret)}&y={secret}",
        json.dumps({"x": [secret]}),
        repr(ValueError(secret)),
    ):
        assert leaked(secret.partition("!")[2] or secret, redactor.text(text), 20) == []


@given(
    secret=without_shape,
    name=st.sampled_from(["client_secret", "secret_id", "assertion", "access_token", "password"]),
)
def test_a_secret_without_a_shape_is_hidden_by_the_name_before_it(secret, name):
    assume(secret not in name)
    redactor = Redactor()
    for text in (
        json.dumps({name: secret, "error": "no"}),
        json.dumps(json.dumps({name: secret})),
        repr({name: secret}),
        f"Grant({name}={secret!r}, token_type='Bearer')",
        f"grant_type=urn%3Aietf&{name}={quote_plus(secret)}&client_id=3MVG9",
        f"<m:{name}>{secret.replace('<', '')}</m:{name}>",
    ):
        shown = redactor.text(text)
        assert secret not in shown, shown
        assert quote_plus(secret) not in shown, shown


@given(
    secret=without_shape,
    key=st.sampled_from(
        ["private_key", "X-Vault-Token", "sessionId", "passphrase", "vault_token", "clientSecret"]
    ),
)
def test_a_value_is_hidden_by_its_key_however_deep_it_is(secret, key):
    assume(secret not in key)
    line = {"a": [{"b": ({key: secret}, {key: [secret]}, {key: {"c": secret}})}]}
    assert secret not in json.dumps(Redactor().value(line), ensure_ascii=False)


@given(words)
def test_ordinary_text_is_unharmed(text):
    assert Redactor().text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "the org refused the bearer assertion: user hasn't approved this consumer",
        "token:integration@acme.example does not work since 2026-01-01T00:00:00Z",
        "Vault refused the secret_id: it is used up",
        "secret_id: missing",
        "token_type='Bearer', key_serial=12, token_file=/run/secrets/token",
        "org 00Dxx0000001gPLEAY answers at https://acme.my.salesforce.com:443/services/data/v66.0",
        "key 2 (SHA-256 3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855) was promoted",
        "deploy 0Af5e00000ABCDEFGH took 12.5 s; events.md#locked-out; rotator.vault.login.method",
        "Authorization is missing",
        "request 6f1d2c0e-9a51-4f3e-8a57-5b8a0d6c2f11 of alice was taken",
        "s.t. it works; hvs. is a prefix, and eyJ too",
        "rotator token acme --show-secrets --json; set --vault-token-file /run/token",
        "reached http://127.0.0.1:8200/v1/sys/health and https://acme.my.salesforce.com:443/",
    ],
)
def test_what_a_log_says_every_day_is_unharmed(text):
    assert Redactor().text(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abc", f"Authorization: Bearer {MASK}"),
        ("{'Authorization': 'Basic dXNlcjpw'}", f"{{'Authorization': '{MASK}'}}"),
        ("sent Bearer AAAAbbbb1111CCCC", f"sent Bearer {MASK}"),
        ("proxy http://alice:hunter2@proxy:3128", f"proxy http://alice:{MASK}@proxy:3128"),
        ("line 4:\n  password: hunter2\n", f"line 4:\n  password: {MASK}\n"),
        ("X-Vault-Token: 0f6e-dev-root", f"X-Vault-Token: {MASK}"),
        ("00Dxx0000001gPL!AQ4AQ.abc", f"00Dxx0000001gPL!{MASK}"),
        *[
            (f"sid 00Dxx0000001gPL{mark}AQ4AQ.abc of", f"sid 00Dxx0000001gPL{mark}{MASK} of")
            for mark in (
                "&#33;",
                "&#033;",
                "&#x21;",
                "&#X21;",
                "&excl;",
                "\\u0021",
                "\\\\u0021",
                "\\x21",
                "%21",
                "%2521",
                "\\!",
            )
        ],
        ("proxy http://alice:hun@ter@2@proxy:3128 is", f"proxy http://alice:{MASK}@proxy:3128 is"),
        ("ran x --client-secret hunter2 -v", f"ran x --client-secret {MASK} -v"),
        ("ran x --password 'two words' -v", f"ran x --password '{MASK}' -v"),
        ("ran x --password 'cut off", f"ran x --password {MASK} off"),
        ("['x', '--vault-token', 'a,b c', '-v']", f"['x', '--vault-token', '{MASK}', '-v']"),
        (r'"[\"--client-secret\", \"a-b\"]"', rf'"[\"--client-secret\", \"{MASK}\"]"'),
        ("--client_secret=hunter2", f"--client_secret={MASK}"),
    ],
)
def test_only_the_secret_part_is_hidden(text, shown):
    assert Redactor().text(text) == shown


@given(st.one_of(by_shape, words, without_shape.map(lambda secret: f"password={secret}")))
def test_redacting_twice_changes_nothing_more(text):
    once = Redactor().text(text)
    assert Redactor().text(once) == once


@given(
    secret=st.text(min_size=6, max_size=40).filter(lambda text: text not in MASK), before=words, after=words
)
def test_a_known_value_is_hidden_wherever_it_is_seen(secret, before, after):
    redactor = Redactor()
    redactor.remember(Secret(secret))
    for text in (f"{before}{secret}{after}", json.dumps({"x": secret}), quote_plus(secret)):
        assert MASK in redactor.text(text)
        assert secret not in redactor.text(text)


def test_a_known_value_that_is_part_of_another_does_not_uncover_the_rest():
    redactor = Redactor()
    redactor.remember("correct-horse")
    redactor.remember("correct-horse-battery")
    assert redactor.text("it is correct-horse-battery.") == f"it is {MASK}."


def test_of_a_source_the_latest_values_are_hidden_and_of_others_all():
    """What is read anew for years must not make every line slower."""
    redactor = Redactor()
    redactor.remember("for-ever")
    for number in range(100):
        redactor.remember(f"secret-{number:02}", Path("/run/secret_id"))
        redactor.remember(f"secret-{number:02}", Path("/run/secret_id"))
        redactor.remember(f"known-{number:02}")
    assert redactor.text("secret-99 secret-98 for-ever known-00") == " ".join([MASK] * 4)
    assert redactor.text("secret-00") == "secret-00"


ENDLESS = [
    "secret" * 200_000,
    "=" * 1_000_000,
    "-" * 1_000_000,
    "--secret " * 100_000,
    "--secret '" * 100_000,
    "--secret" + " " * 1_000_000,
    "--secret" + "\\" * 1_000_000,
    "--secret'" + " " * 1_000_000,
    "-----BEGIN RSA PRIVATE KEY" * 40_000,
    "eyJ" * 300_000,
    "<" * 500_000,
    "://" * 300_000,
    "://a:" * 200_000,
    "://a:" + "b" * 1_000_000,
    "://" + "a@:" * 300_000,
    "MII" * 300_000,
    "MIIEvQIBADAN" + " " * 1_000_000,
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAA" * 30_000,
    '"secret": "' * 100_000,
    "bearer " * 150_000,
    "password: " * 100_000,
    "\\" * 300_000,
    "secret\\\\\\\\" * 50_000,
    "00Dxx0000001gPL" * 60_000,
    "00Dxx0000001gPL" + "\\" * 1_000_000,
    "00Dxx0000001gPL&#" + "0" * 1_000_000,
    "00Dxx0000001gPL%" + "25" * 500_000,
]


@pytest.mark.parametrize("text", ENDLESS, ids=range(len(ENDLESS)))
def test_a_text_of_a_million_characters_is_redacted_in_time(text):
    """Anything that grows with the square of the length would not end before the time limit of a test."""
    assert Redactor().text(text)


def test_a_known_value_too_short_to_be_told_from_words_is_left_alone():
    redactor = Redactor()
    redactor.remember("the")
    assert redactor.text("the org") == "the org"


@pytest.mark.parametrize(
    "name",
    [
        "token",
        "access_token",
        "accessToken",
        "X-Vault-Token",
        "Authorization",
        "private_key_pem",
        "secret_id",
        "client_assertion",
        "PASSWORD",
        "tokens",
    ],
)
def test_the_last_words_of_a_name_tell_that_it_is_secret(name):
    assert is_sensitive(name)


@pytest.mark.parametrize(
    "name",
    [
        "token_type",
        "key_serial",
        "key_fingerprint",
        "consumer_key",
        "secret_id_file",
        "user",
        "certificate",
        "credential",
        "tokenizer",
    ],
)
def test_other_names_are_not_secret(name):
    assert not is_sensitive(name)


def test_values_become_what_json_knows():
    class Opaque:
        def __repr__(self) -> str:
            return "Opaque(password='hunter2')"

    shown = Redactor().value(
        {
            "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            "lease": timedelta(minutes=3),
            "phase": Phase.STEADY,
            "path": Path("/etc/rotator"),
            "serials": (1, 2),
            "body": b"password=hunter2",
            "value": Secret("hunter2"),
            "opaque": Opaque(),
            "token": None,
            "tokens": 3,
            4: True,
        }
    )
    assert shown == {
        "at": "2026-01-02T03:04:05Z",
        "lease": 180.0,
        "phase": "steady",
        "path": "/etc/rotator",
        "serials": [1, 2],
        "body": f"password={MASK}",
        "value": MASK,
        "opaque": f"Opaque(password='{MASK}')",
        "token": None,
        "tokens": 3,
        "4": True,
    }


def test_a_value_that_holds_itself_is_cut_off():
    loop: list[object] = []
    loop.append(loop)
    assert "[...]" in json.dumps(Redactor().value(loop))
