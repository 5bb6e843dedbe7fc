"""Everything of rotator that reads what others wrote, each as a function of bytes that must not do more than refuse them.

What was read is used as the daemon would: a value that is taken here and fails later is a fault as well. The tests and
the fuzzer share these; to put another reader to the test is to add one function
and, in ``corpus``, one folder of examples.
"""

# ruff: noqa: B023 - every lambda is called at once
from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from rotator.config import load
from rotator.config.loading import load_lenient
from rotator.config.secrets import SecretReference
from rotator.core.effects import Answer, Do, Kind
from rotator.core.machine import decide, settle
from rotator.core.model import KeyFacts, Phase, Record, Snapshot, Terms
from rotator.errors import RotatorError
from rotator.keypairs import KeyPair, adopt_key_pair, doubts_about, load_signing_key, make_csr, serial_of
from rotator.performer.station import facts_of
from rotator.salesforce import appxml, metadata, oauth, rest, sessions, soap
from rotator.salesforce.appfiles import App, AppFiles, AppKind, select
from rotator.salesforce.packages import read_directory, unzipped
from rotator.salesforce.refusals import quote
from rotator.secret import Secret
from rotator.vault import kv, verify
from rotator.vault.codec import KEY, RECORD, REQUEST, TOKEN
from rotator.vault.login import Authenticator
from rotator.vault.settings import AppRole, reveal, reveal_token
from tests.hostile import visits
from tests.hostile.canned import ORG, CannedVault, CannedWire
from tests.hostile.canned import TOKEN as ACCESS_TOKEN
from tests.hostile.verdict import LONGEST_MESSAGE, fit, told

CORPUS = Path(__file__).with_name("corpus")
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
TERMS = Terms("acme", users=("a@acme.example", "b@acme.example"))
FACTS = KeyFacts(1, "ab" * 32, NOW - timedelta(days=9), NOW + timedelta(days=300))
STEADY = Record(phase=Phase.STEADY, newest=1, current=1, keys=(FACTS,))
APPS = [App(AppKind.EXTERNAL_CLIENT_APP, "Acme", "3MVG9"), App(AppKind.CONNECTED_APP, "Acme")]

Target = Callable[[bytes], None]


@cache
def example(target: str, name: str) -> bytes:
    """Return a good example of what a target reads."""
    return (CORPUS / target / name).read_bytes()


def configuration(data: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
        file.write(data)
        file.flush()
        told(lambda: load(Path(file.name)))
        told(lambda: load_lenient(Path(file.name)))


def secret_file(data: bytes) -> None:
    """Secrets beside the configuration, and those of the login to Vault."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        told(SecretReference("vault.login", Path("/"), file=file.name).read)
        told(lambda: reveal(Path(file.name)))
        told(lambda: reveal_token(Path(file.name)))


# -- documents in Vault -------------------------------------------------------------------------------------------


def record(data: bytes) -> None:
    document = _decoded(RECORD, data)
    if document is not None:
        _live_with(Snapshot(document, 3, TERMS))


def token(data: bytes) -> None:
    document = _decoded(TOKEN, data)
    if document is not None:
        _live_with(Snapshot(STEADY, 3, TERMS, tokens=(facts_of("a@acme.example", document),)))
        org = rest.Org(document.instance_url, document.access_token, document.api_version)
        told(lambda: rest.query_accounts(CannedWire(b"{}"), org))


def key(data: bytes) -> None:
    document = _decoded(KEY, data)
    if document is not None:
        told(lambda: load_signing_key(document.private_key_pem))
        told(lambda: KeyPair(document.private_key_pem, document.certificate_pem).facts(1))


def request(data: bytes) -> None:
    document = _decoded(REQUEST, data)
    if document is not None:
        for known in (STEADY, Record()):
            _live_with(Snapshot(known, 3, TERMS, request=document.request))


def _decoded(codec: Any, data: bytes) -> Any:
    """Return the document that a JSON object means; None where it is refused, as it is where Vault's answer is none."""
    with suppress(ValueError, RecursionError):
        found = json.loads(data)
        if isinstance(found, dict):
            document = told(lambda: codec.decode(found, "salesforce/acme/document"))
            return None if isinstance(document, RotatorError) else document
    return None


def _live_with(snapshot: Snapshot) -> None:
    """Decide from a snapshot at several times, and settle every kind of answer."""
    for now in (NOW, NOW + timedelta(days=400)):
        decision = decide(snapshot, now)
        if not isinstance(decision, Do):
            continue
        for kind in Kind:
            settle(
                decision.intent or snapshot.record,
                decision.action,
                Answer(kind, now, key=FACTS, serial=1),
                snapshot.terms,
            )


# -- answers of Vault ---------------------------------------------------------------------------------------------


@mock.patch.object(kv, "_WAITS_FOR_TRUTH_SECONDS", ())
def vault_answer(data: bytes) -> None:
    for status in (200, 400, 403, 404, 429, 503):
        vault = CannedVault(data, status)
        engine = kv.Kv(vault, "secret")
        told(engine.require_version_2)
        engine._seen = True
        told(lambda: engine.read("salesforce/acme/record"))
        told(lambda: engine.names("salesforce/-/requests"))
        told(lambda: engine.versions("salesforce/acme/keys/1"))
        told(lambda: engine.write("salesforce/acme/record", {}, cas=0))
        for finding in verify.verify(vault, {"acme": ["a@acme.example"]}):
            fit(finding.message, LONGEST_MESSAGE)
        for wrapped in (False, True):
            login = AppRole(Secret("role"), Secret("secret"), wrapped=wrapped)
            settings = replace(CannedVault.settings, login=login)
            told(lambda: Authenticator(settings).log_in(vault.client(), NOW))
        told(lambda: Authenticator(CannedVault.settings).log_in(vault.client(), NOW))


# -- answers of Salesforce ----------------------------------------------------------------------------------------


def oauth_answer(data: bytes) -> None:
    for status in (200, 400, 503):
        wire = CannedWire(data, status)
        told(lambda: _publishable(oauth.trade(wire, ORG.instance_url, ACCESS_TOKEN, now=NOW)))
        secret = Secret("client-secret")
        told(
            lambda: oauth.introspect(
                wire, ORG.instance_url, ACCESS_TOKEN, consumer_key="k", client_secret=secret, now=NOW
            )
        )
        told(lambda: oauth.revoke(wire, ORG.instance_url, ACCESS_TOKEN))


def _publishable(grant: oauth.Grant) -> None:
    """Use a grant as it is used: what is published of it must be fit for a header and of some length."""
    for text, longest in (
        (grant.access_token.reveal(), 20_000),
        (grant.token_type, 3_000),
        (grant.instance_url, 3_000),
    ):
        assert text.isascii()
        assert len(text) <= longest
    fit(grant.org_id, 18)
    if grant.expires_at is not None:
        _ = grant.expires_at.astimezone(UTC)


def rest_answer(data: bytes) -> None:
    for status in (200, 401, 500):
        wire = CannedWire(data, status)
        told(lambda: rest.query_accounts(wire, ORG))
        told(lambda: rest.get_account_resource(wire, ORG))
        told(lambda: rest.newest_api_version(wire, ORG.instance_url))
        told(lambda: rest.limits(wire, ORG))
        told(lambda: rest.userinfo(wire, ORG))
        told(lambda: sessions.own_timeout(wire, ORG))


def deploy_answer(data: bytes) -> None:
    for status in (200, 201, 404, 500):
        for date in ("", "Fri, 31 Dec 9999 23:59:59 -0100", "Thu, 26 Nov 2026 12:00:00 GMT"):
            wire = CannedWire(data, status, {"Date": date, "Retry-After": date})
            told(lambda: metadata.start_deploy(wire, ORG, b"zip", check_only=False))
            deploy = told(lambda: metadata.get_deploy(wire, ORG, "0Af000000000001"))
            if isinstance(deploy, metadata.Deploy):
                fit(f"{deploy.status} {deploy.problem}", 4 * LONGEST_MESSAGE)
            told(
                lambda: metadata.find_deploys(
                    wire, ORG, since=NOW, user_id="005000000000001", clock=lambda: NOW
                )
            )
            told(lambda: metadata.cancel_deploy(wire, ORG, "0Af000000000001"))


def soap_answer(data: bytes) -> None:
    for status in (200, 500):
        wire = CannedWire(data, status)
        told(lambda: soap.list_metadata(wire, ORG, ["ConnectedApp"]))
        told(lambda: soap.start_retrieve(wire, ORG, {"ConnectedApp": ["Acme"]}, "66.0"))
        told(lambda: _retrieved(wire))
        told(lambda: soap.takes_session(wire, ORG))
        told(lambda: sessions.read_org_settings(wire, ORG))


def _retrieved(wire: CannedWire) -> None:
    found = soap.check_retrieve(wire, ORG, "09S000000000001")
    if found is not None:
        for message in found.messages:
            fit(message, LONGEST_MESSAGE)
        archive(found.archive)


def archive(data: bytes) -> None:
    """A zip that was retrieved."""
    for app in APPS:
        files = told(lambda: select(app, unzipped(data), "66.0"))
        if not isinstance(files, RotatorError):
            _put_to_use(files)


def metadata_file(data: bytes) -> None:
    """A metadata file, as the slot's, as policies, and as the package.xml of files that an operator keeps."""
    _put_to_use(AppFiles(APPS[0], "66.0", {"extlClntAppGlobalOauthSets/A.ecaGlblOauth": data}))
    _put_to_use(AppFiles(APPS[1], "66.0", {"connectedApps/Acme.connectedApp": data}))
    told(lambda: sessions._connected_app(data))
    told(lambda: sessions._external_client_app(data))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "package.xml").write_bytes(data)
        told(lambda: read_directory(Path(folder)))


def _put_to_use(files: AppFiles) -> None:
    told(files.certificate_der)
    certificate = example("certificate", "own.pem").decode()
    changed = told(lambda: files.with_certificate(certificate))
    if not isinstance(changed, RotatorError):
        assert changed.certificate_der() == appxml.certificate_der(certificate)
        unzipped(changed.package())


# -- keys and what is printed -------------------------------------------------------------------------------------


def certificate(data: bytes) -> None:
    private_key = example("private_key", "own.pem")
    told(lambda: adopt_key_pair(private_key, data))
    text = data.decode(errors="replace")
    pair = KeyPair(Secret(private_key.decode()), text)
    told(lambda: pair.facts(1))
    told(lambda: doubts_about(pair, NOW))
    told(lambda: serial_of(text))
    told(lambda: make_csr(pair))
    with suppress(ValueError):  # which it says it raises
        appxml.certificate_der(text)


def private_key(data: bytes) -> None:
    for passphrase in (None, Secret("open sesame")):
        told(lambda: adopt_key_pair(data, example("certificate", "own.pem"), passphrase))
    told(lambda: load_signing_key(Secret(data.decode(errors="replace") or "-")))


def words(data: bytes) -> None:
    """What a program or a server said, and is quoted."""
    fit(quote(data.decode("utf-8", "replace"), [ACCESS_TOKEN]), LONGEST_MESSAGE)


# -- the port for health, metrics and the status page ---------------------------------------------------------------


def web_request(data: bytes) -> None:
    """Who shows no token sees no credential, whatever else is sent; and nothing makes us fail."""
    for door in visits.DOORS:
        answer = visits.visit(data, door)
        assert not answer or answer.startswith(b"HTTP/1.")
        assert b" 500 " not in answer.partition(b"\r\n")[0]
        if door.token is not None and visits.TOKEN.encode() not in data and b"asic" not in data:
            assert b"globex" not in answer.partition(b"\r\n\r\n")[2].replace(data, b"")


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (
        configuration, secret_file, record, token, key, request, vault_answer, oauth_answer, rest_answer,
        deploy_answer, soap_answer, archive, metadata_file, certificate, private_key, words, web_request,
    )
}  # fmt: skip
