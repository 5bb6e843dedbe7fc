"""Good files load; defaults are merged; a bad credential is set aside without hurting the others."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest

from rotator.config import Configuration, ConfigurationError, SecretReference, load, load_lenient
from rotator.core.model import Terms
from tests.config.conftest import ACME, DEPLOYER, VAULT, Write

EXAMPLE = Path(__file__).parents[2] / "config" / "rotator.example.yaml"
MINUTE = timedelta(minutes=1)


def test_a_minimal_file_gets_the_defaults_of_the_core(write: Write):
    configuration = load(write(VAULT + "credentials:\n" + ACME))
    acme = configuration.credentials["acme"]
    assert acme.name == "acme"
    assert acme.terms() == Terms(name="acme", users=("integration@acme.example",), by_hand=True)
    assert configuration.vault.mount == "secret"
    assert configuration.vault.base_path == "salesforce"
    assert configuration.fleet.workers == 8
    assert configuration.salesforce.read_timeout == timedelta(seconds=30)
    assert configuration.log.level == "info"


def test_the_example_holds_and_says_what_its_comments_promise(monkeypatch: pytest.MonkeyPatch):
    configuration = load(EXAMPLE)
    acme, globex, deployer = (configuration.credentials[name] for name in ("acme", "globex", "deployer"))
    assert [(login.login_url, login.audience) for login in acme.logins] == [
        ("https://acme.my.salesforce.com", "https://login.salesforce.com"),
        ("https://acme-emea.my.salesforce.com", "https://login.salesforce.com"),
    ]
    assert globex.logins[0].audience == "https://globex--uat.sandbox.my.salesforce.com"
    assert (acme.deployer_name, globex.deployer_name, deployer.deployer_name) == ("deployer", None, None)
    assert globex.rotation.window is None
    assert acme.rotation.window is not None
    assert (acme.publish, deployer.publish) == (True, False)
    assert (acme.terms().rehearse_first, globex.terms().rehearse_first, deployer.terms().rehearse_first) == (
        True,
        False,
        False,
    )
    assert acme.subject() == {"organization": "Example Ltd"}
    assert acme.terms().bridge == timedelta(minutes=75)


def test_what_the_example_calls_a_default_is_the_default(write: Write):
    example = load(EXAMPLE).credentials["deployer"]
    bare = load(write(VAULT + "credentials:\n" + ACME)).credentials["acme"]
    for section in ("session", "retry", "proof"):
        assert getattr(example, section) == getattr(bare, section)
    assert example.deploy.model_copy(update={"deployer": None}) == bare.deploy
    assert example.rotation.model_copy(update={"window": None}) == bare.rotation
    assert load(EXAMPLE).salesforce == load(write(VAULT + "credentials:\n" + ACME)).salesforce


FULL = """\
vault:
  address: https://vault.example.com:8200/
  namespace: team-a
  ca_file: vault-ca.pem
  client_certificate: {certificate_file: /c.pem, key_file: /k.pem}
  redirect_hosts: [vault-1.example.com:8200]
  mount: kv/
  base_path: apps/salesforce
  timeout: 7s
  login: {method: approle, mount: roles, role_id: {env: ROLE_ID}, secret_id: {file: sid}, wrapped: true, role_name: r}
salesforce: {connect_timeout: 3s, read_timeout: 4s, ca_file: /ca.pem, proxy: {env: PROXY}}
fleet: {max_concurrent_rotations: 1, stop_after_failures: 2, workers: 3}
log: {format: json, level: debug}
credentials:
  acme:
    login_url: https://acme.my.salesforce.com
    audience: https://audience.example
    consumer_key: 3MVG9acme
    app: {type: connected_app, name: Rotator}
    users: [a@acme.example, {username: b@acme.example, login_url: https://site.example/b, audience: https://aud.b.example}]
    api_version: 66.0
    publish: true
    key:
      bits: 4096
      lifetime: 90d
      subject: {common_name: CN, organization: O, organizational_unit: OU, locality: L, state: ST, country: DE, email: a@b}
    rotation:
      renew_before: 20d
      urgent_before: 3d
      jitter: 1h
      window: {cron: "0 2 * * *", duration: 2h, time_zone: Europe/Berlin}
      staging_deadline: 5h
      quarantine: 11d
      backoff_floor: 2h
      backoff_ceiling: 30h
      swaps_a_day: 7
    session:
      timeout: 4h
      format: opaque
      refresh_every: 1h1m
      verify_every: 11m
      consumer_lag: 2m
      client_secret: {file: secrets/acme}
    retry: {floor: 6s, ceiling: 7m}
    proof: {count: 6, span: 8m, retry: 9s, deadline: 20m, query: SELECT Id FROM User, slow_servers: 21m, doubts: 4, probe_every: 3m}
    deploy:
      publisher: command
      command: [/bin/install, --org, acme]
      source: {directory: app}
      deadline: 10m
      poll_every: 4s
      lease: 2m
      accept_gap: true
      timeout: 50s
      by_hand_every: 13m
      by_hand_deadline: 13d
    rollout: {rank: 3, after: [globex], rehearse_first: true}
  globex:
    login_url: http://127.0.0.1:8080
    users: [a@globex.example]
"""


def test_a_full_file_reaches_every_term_of_the_core(write: Write):
    terms = load(write(FULL)).credentials["acme"].terms()
    assert terms == Terms(
        name="acme",
        users=("a@acme.example", "b@acme.example"),
        renew_before=timedelta(days=20),
        urgent_before=timedelta(days=3),
        jitter=timedelta(hours=1),
        session_timeout=timedelta(hours=4),
        refresh_every=timedelta(minutes=61),
        verify_every=timedelta(minutes=11),
        proofs_needed=6,
        proof_span=timedelta(minutes=8),
        proof_retry=timedelta(seconds=9),
        proving_deadline=timedelta(minutes=20),
        deploy_deadline=timedelta(minutes=10),
        staging_deadline=timedelta(hours=5),
        poll_every=timedelta(seconds=4),
        bridge=timedelta(minutes=50),
        accept_gap=True,
        lease=timedelta(minutes=2),
        slow_servers=timedelta(minutes=21),
        doubts_needed=4,
        quarantine=timedelta(days=11),
        by_hand=False,
        by_hand_every=timedelta(minutes=13),
        by_hand_deadline=timedelta(days=13),
        probe_every=timedelta(minutes=3),
        backoff_floor=timedelta(hours=2),
        backoff_ceiling=timedelta(hours=30),
        swaps_a_day=7,
        retry_floor=timedelta(seconds=6),
        retry_ceiling=timedelta(minutes=7),
        rehearse_first=True,
    )
    untouched = {f.name for f in fields(Terms) if f.default == getattr(terms, f.name)}
    assert untouched == {"by_hand"}  # that of a command; `manual` is in the minimal file


def test_a_full_file_keeps_everything_else_too(write: Write, tmp_path: Path):
    configuration = load(write(FULL))
    vault, acme = configuration.vault, configuration.credentials["acme"]
    assert configuration.file == tmp_path / "rotator.yaml"
    assert (vault.address, vault.mount, vault.ca_file) == (
        "https://vault.example.com:8200",
        "kv",
        tmp_path / "vault-ca.pem",
    )
    assert vault.login.method == "approle"
    assert isinstance(vault.login.role_id, SecretReference)
    assert acme.session.client_secret == SecretReference(
        "credentials.acme.session.client_secret", tmp_path, file="secrets/acme"
    )
    assert acme.deploy.command == ("/bin/install", "--org", "acme")
    assert acme.deploy.source != "org"
    assert acme.deploy.source.directory == tmp_path / "app"
    assert acme.api_version == "66.0"
    assert [(user.login_url, user.audience) for user in acme.logins] == [
        ("https://acme.my.salesforce.com", "https://audience.example"),
        ("https://site.example/b", "https://aud.b.example"),
    ]
    assert acme.subject() == {
        "common_name": "CN",
        "organization": "O",
        "organizational_unit": "OU",
        "locality": "L",
        "state": "ST",
        "country": "DE",
        "email": "a@b",
    }
    assert configuration.credentials["globex"].consumer_key is None


def test_lifetimes_of_seconds_are_allowed(write: Write):
    text = """\
    key: {lifetime: 40s}
    rotation: {renew_before: 20s, urgent_before: 5s, jitter: 0s, backoff_floor: 500ms, backoff_ceiling: 2s,
               swaps_a_day: 100000, quarantine: 10s}
    session: {timeout: 20s, refresh_every: 3s, verify_every: 1s, consumer_lag: 1s}
    proof: {count: 2, span: 1s, retry: 200ms, deadline: 10s}
    deploy: {deadline: 5s, poll_every: 100ms, lease: 3s}
"""
    acme = load(write(VAULT + "credentials:\n" + ACME + text)).credentials["acme"]
    assert acme.terms().proof_retry == timedelta(milliseconds=200)


def test_defaults_are_merged_below_what_a_credential_says(write: Write):
    defaults = "defaults:\n  session: {timeout: 4h, verify_every: 5m}\n  deploy: {deadline: 20m}\n"
    text = (
        VAULT
        + defaults
        + "credentials:\n"
        + ACME
        + "    session: {timeout: 3h}\n    deploy: {deadline: }\n"
        + DEPLOYER
    )
    configuration = load(write(text))
    acme, deployer = configuration.credentials["acme"], configuration.credentials["deployer"]
    assert (acme.session.timeout, acme.session.verify_every) == (180 * MINUTE, 5 * MINUTE)
    assert (deployer.session.timeout, deployer.deploy.deadline) == (240 * MINUTE, 20 * MINUTE)
    assert acme.deploy.deadline == 15 * MINUTE  # an empty value brings the built-in default back


def test_a_reference_to_a_secret_is_replaced_as_a_whole(write: Write):
    defaults = "defaults: {session: {client_secret: {file: common}}}\n"
    text = (
        VAULT + defaults + "credentials:\n" + ACME + "    session: {client_secret: {env: ACME}}\n" + DEPLOYER
    )
    credentials = load(write(text)).credentials
    secrets = [credentials[name].session.client_secret for name in ("acme", "deployer")]
    assert [(secret.file, secret.env) for secret in secrets if secret] == [(None, "ACME"), ("common", None)]


def test_an_anchor_may_be_used_again(write: Write):
    window = "    rotation: {window: &weekend {cron: 0 2 * * 6, duration: 4h}}\n"
    text = VAULT + "credentials:\n" + ACME + window + DEPLOYER + "    rotation: {window: *weekend}\n"
    credentials = load(write(text)).credentials
    assert credentials["acme"].rotation == credentials["deployer"].rotation


def test_a_bad_credential_does_not_stop_the_good_ones(write: Write):
    text = VAULT + "credentials:\n" + ACME + "    key: {bits: 1024}\n" + DEPLOYER
    configuration, problems = load_lenient(write(text))
    assert list(configuration.credentials) == ["deployer"]
    assert [(problem.credential, problem.key) for problem in problems] == [
        ("acme", "credentials.acme.key.bits")
    ]


def test_a_credential_is_set_aside_with_its_deployer(write: Write):
    deploy = "    app: {name: Rotator}\n    deploy: {publisher: metadata, with: deployer}\n"
    globex = ACME.replace("acme", "globex")
    text = VAULT + "credentials:\n" + ACME + deploy + DEPLOYER + "    proof: {count: 0}\n" + globex
    configuration, problems = load_lenient(write(text))
    assert list(configuration.credentials) == ["globex"]
    assert {problem.credential for problem in problems} == {"acme", "deployer"}


def test_whoever_looks_still_sees_a_credential_whose_deployer_is_set_aside(write: Write):
    deploy = "    app: {name: Rotator}\n    deploy: {publisher: metadata, with: deployer}\n"
    text = VAULT + "credentials:\n" + ACME + deploy + DEPLOYER + "    proof: {count: 0}\n"
    configuration, problems = load_lenient(write(text), dependents=True)
    assert list(configuration.credentials) == ["acme"]
    assert [problem.credential for problem in problems] == ["acme", "deployer"]
    with pytest.raises(ConfigurationError):
        load_lenient(write(text))


def test_a_deployer_that_defaults_name_takes_down_those_alone_that_need_it(write: Write):
    defaults = "defaults: {app: {name: Rotator}, deploy: {publisher: metadata, with: deployer}}\n"
    globex = ACME.replace("acme", "globex") + "    deploy: {publisher: manual}\n"
    text = VAULT + defaults + "credentials:\n" + ACME + globex + DEPLOYER + "    api_version: newest\n"
    configuration, problems = load_lenient(write(text))
    assert list(configuration.credentials) == ["globex"]
    assert {problem.credential for problem in problems} == {"acme", "deployer"}


def test_a_configuration_without_mistakes_is_the_same_when_read_leniently(write: Write):
    file = write(FULL)
    configuration, problems = load_lenient(file)
    assert isinstance(configuration, Configuration)
    assert (configuration, problems) == (load(file), ())


@pytest.mark.parametrize(
    "text",
    [
        VAULT + "fleet: {workers: 0}\ncredentials:\n" + ACME,
        VAULT + "defaults: {key: {bits: 1}}\ncredentials:\n" + ACME + "    key: {bits: 2048}\n",
        VAULT + "credentials:\n" + ACME + "    key: {bits: 1}\n",
        VAULT + "credentials: {}\n",
        "credentials:\n" + ACME,
        "]",
    ],
    ids=["general", "defaults", "none is good", "none at all", "no vault", "no yaml"],
)
def test_what_concerns_all_is_fatal_even_when_read_leniently(write: Write, text: str):
    with pytest.raises(ConfigurationError):
        load_lenient(write(text))


def test_a_file_that_is_not_there_is_a_mistake_like_others(tmp_path: Path):
    with pytest.raises(ConfigurationError, match="cannot be read: No such file or directory"):
        load(tmp_path / "nowhere.yaml")


def test_the_configuration_needs_none_of_the_heavy_libraries():
    heavy = ["cryptography", "hvac", "requests", "apscheduler"]
    program = f"import sys, rotator.config; print([name for name in {heavy} if name in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert ran.stdout.strip() == "[]"
