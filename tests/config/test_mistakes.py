"""Each mistake gets one clear message with its line, its key and a way to mend it."""

from __future__ import annotations

import contextlib

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rotator.config import ConfigurationError, load
from rotator.errors import Misconfigured
from tests.config.conftest import ACME, DEPLOYER, VAULT, Mistakes, Write

GOOD = VAULT + "credentials:\n" + ACME  # ends with line 8
METADATA = "    app: {name: Rotator}\n    deploy: {publisher: metadata, with: deployer}\n"


def acme(lines: str) -> str:
    """Return a configuration whose credential acme has these lines, the first of them line 9."""
    return GOOD + "".join(f"    {line}\n" for line in lines.splitlines())


SHAPE = {
    "a misspelt key": (
        acme("rotation: {renew_befor: 30d}"),
        "9: credentials.acme.rotation.renew_befor: is not known; 'renew_before' is",
    ),
    "a misspelt key that is needed": (
        GOOD.replace("users:", "usres:"),
        "8: credentials.acme.usres: is not known; 'users' is",
    ),
    "a key of another login": (
        GOOD.replace("{file: vault-token}", "{file: vault-token}, secret_id: {file: x}"),
        "3: vault.login.secret_id: is not known",
    ),
    "a key without value": (acme("session:"), "9: credentials.acme.session: has no value"),
    "a key written twice": (
        acme("publish: true\npublish: false"),
        "10: credentials.acme.publish: is written twice, first in line 9",
    ),
    "a missing key": (GOOD.replace("users: [i", "# [i"), "5: credentials.acme.users: is missing"),
    "a number without unit": (
        acme("proof: {deadline: 30}"),
        "9: credentials.acme.proof.deadline: 30 has no unit",
    ),
    "a duration in words": (
        acme("proof: {deadline: 30 minutes}"),
        "9: credentials.acme.proof.deadline: '30 minutes' is no duration",
    ),
    "a truth for a duration": (
        acme("session: {refresh_every: true}"),
        "9: credentials.acme.session.refresh_every: true is no duration",
    ),
    "a list for a duration": (
        acme("session: {refresh_every: [30m]}"),
        "9: credentials.acme.session.refresh_every: a list is no duration",
    ),
    "a duration beyond measure": (
        acme("session: {timeout: 999999999d999999999h}"),
        "9: credentials.acme.session.timeout: '999999999d999999999h' is longer than 36500d",
    ),
    "a duration of nothing": (
        acme("proof: {retry: 0s}"),
        "9: credentials.acme.proof.retry: must be longer than nothing",
    ),
    "a number that is text": (
        acme("proof: {count: five}"),
        "9: credentials.acme.proof.count: should be a whole number",
    ),
    "a number too small": (acme("proof: {count: 0}"), "9: credentials.acme.proof.count: should be 1 or more"),
    "a truth that is text": (acme("publish: yes"), "9: credentials.acme.publish: should be true or false"),
    "a text that is a number": (
        acme("proof: {query: 1}"),
        "9: credentials.acme.proof.query: should be text",
    ),
    "a wrong choice": (
        acme("key: {bits: 1024}"),
        "9: credentials.acme.key.bits: 1024 is none of the choices",
    ),
    "a subject that is too long": (
        acme(f"key: {{subject: {{organization: {'Ä' * 33}}}}}"),
        "9: credentials.acme.key.subject.organization: has more than 64 bytes",
    ),
    "a wrong login": (
        GOOD.replace("method: token", "method: password"),
        "3: vault.login.method: 'password' is none of the choices",
    ),
    "a login by nothing": (GOOD.replace("method: token", "method: "), "3: vault.login.method: has no value"),
    "a login by several methods": (
        GOOD.replace("method: token", "method: [token]"),
        "3: vault.login.method: a list is none of the choices",
    ),
    "a login without method": (GOOD.replace("method: token, ", ""), "3: vault.login: 'method' is missing"),
    "a list that is text": (
        GOOD.replace("[integration@acme.example]", "integration@acme.example"),
        "8: credentials.acme.users: should be a list",
    ),
    "an empty list": (
        GOOD.replace("[integration@acme.example]", "[]"),
        "8: credentials.acme.users: should have at least one entry",
    ),
    "a section that is text": (
        acme("session: 2h"),
        "9: credentials.acme.session: should be a section with keys of its own",
    ),
    "a user who is none": (
        GOOD.replace("integration@acme.example", "integration"),
        "8: credentials.acme.users[0]: 'integration' is no Salesforce username",
    ),
    "http to the world": (
        GOOD.replace("https://vault", "http://vault"),
        "2: vault.address: http to vault.example.com would send secrets in the clear",
    ),
    "http to a name below localhost": (
        GOOD.replace("https://vault.example.com", "http://vault.localhost"),
        "2: vault.address: http to vault.localhost would send secrets in the clear",
    ),
    "a URL in place of a host": (
        GOOD.replace("vault:\n", "vault:\n  redirect_hosts: [a.example, 'https://b.example:8200']\n"),
        "2: vault.redirect_hosts[1]: is no host with or without a port",
    ),
    "a port that is none": (
        GOOD.replace("vault:\n", "vault:\n  redirect_hosts: ['a.example:65536']\n"),
        "2: vault.redirect_hosts[0]: is no host with or without a port",
    ),
    "a namespace that no header carries": (
        GOOD.replace("vault:\n", "vault:\n  namespace: Käse\n"),
        "2: vault.namespace: 'Käse' cannot name a namespace",
    ),
    "no URL": (
        GOOD.replace("https://acme.my", "acme.my"),
        "6: credentials.acme.login_url: is no URL",
    ),
    "a password in a URL": (
        GOOD.replace("https://vault", "https://me:hunter2@vault"),
        "2: vault.address: a URL must not hold a user or password",
    ),
    "a mount with parents": (
        GOOD.replace("vault:\n", "vault:\n  mount: ../secret\n"),
        "2: vault.mount: '../secret' cannot be used as a path in Vault",
    ),
    "a name that is ours": (
        GOOD.replace("  acme:", "  -:"),
        "5: credentials.-: '-' cannot name a credential",
    ),
    "a name with a path in it": (
        GOOD.replace("  acme:", "  a/b:"),
        "5: credentials.a/b: 'a/b' cannot name a credential",
    ),
    "no credentials": (VAULT, "1: credentials: is missing"),
    "a day that never comes": (
        acme("rotation: {window: {cron: 0 2 30 2 *, duration: 4h}}"),
        "9: credentials.acme.rotation.window.cron: is no cron expression: bad day-of-month",
    ),
    "an unknown time zone": (
        acme("rotation: {window: {cron: 0 2 * * 6, duration: 4h, time_zone: Mars/Olympus}}"),
        "9: credentials.acme.rotation.window.time_zone: the time zone 'Mars/Olympus' is not known here",
    ),
    "a tag": (
        acme("proof: !python/object {}"),
        "9: credentials.acme.proof: the tag '!python/object' is not allowed",
    ),
    "a merge key": (
        acme("<<: {publish: false}"),
        "9: credentials.acme: merge keys (`<<`) are not known here",
    ),
    "no YAML": (GOOD + "  acme: [", "10: is not YAML"),
    "a character that no text has": (GOOD + "# \x01\n", "9: is not YAML: it holds the character U+0001"),
    "a mark of byte order in the middle": (
        GOOD + "# \ufeff\n",
        "9: is not YAML: it holds the character U+FEFF",
    ),
    "an empty key": (acme("? \n: 3"), "9: credentials.acme: has an empty key"),
    "a key that is no word": (
        acme("? [{a: *b}, b]\n: [*c]"),
        "9: credentials.acme: has a key that is no word",
    ),
    "a key with a line break": (
        GOOD.replace("  acme:", '  "ac\\nme":'),
        r"5: credentials.ac\nme: 'ac\nme' cannot name a credential",
    ),
    "a control character in a list": (
        acme('deploy: {publisher: command, command: [/bin/x, "a\\0b"]}'),
        "9: credentials.acme.deploy.command[1]: holds a control character",
    ),
    "a number as long as a page": (
        acme("session: {timeout: " + "9" * 5000 + "}"),
        "9: credentials.acme.session.timeout: '" + "9" * 40 + "' is no duration",
    ),
    "a tab": (GOOD + "\tx: 1\n", "9: is not YAML"),
    "a second document": (GOOD + "---\na: 1\n", "9: holds a second document"),
    "a list as file": ("- vault\n", "1: should be a section with keys of its own"),
    "nothing at all": ("# nothing\n", "1: is empty"),
}

WEB = {
    "a port without host": (
        GOOD + "web: {listen: 8791}\n",
        "9: web.listen: should be a host with a port",
    ),
    "a port beyond the highest": (
        GOOD + "web: {listen: 'localhost:99999'}\n",
        "9: web.listen: should be a host with a port",
    ),
    "a host that no name can be": (
        GOOD + f"web: {{listen: 'a.{'b' * 64}:8791'}}\n",
        "9: web.listen: should be a host with a port",
    ),
    "a fleet that anybody may look at": (
        GOOD + "web: {listen: '0.0.0.0:8791'}\n",
        "9: web.listen: anybody in the network could look at the fleet",
    ),
    "a token that anybody on the way may read": (
        GOOD + "web: {listen: '0.0.0.0:8791', token: {file: web-token}}\n",
        "9: web.listen: without tls anybody on the way could read the token, and look at the fleet",
    ),
    "a certificate and no token": (
        GOOD + "web: {listen: '0.0.0.0:8791', tls: {certificate: x.pem, key: x.key}}\n",
        "9: web.listen: anybody in the network could look at the fleet",
    ),
    "plain HTTP and no token": (
        GOOD + "web: {listen: '0.0.0.0:8791', plain_http: true}\n",
        "9: web.listen: anybody in the network could look at the fleet",
    ),
    "a token that stands in the file": (
        GOOD + "web: {listen: '0.0.0.0:8791', plain_http: true, token: abc}\n",
        "9: web.token: a secret must not stand in this file",
    ),
    "a certificate without key": (
        GOOD + "web: {tls: {certificate: x.pem}}\n",
        "9: web.tls.key: is missing",
    ),
}
MEANING = {
    "a consumer key named twice": (
        GOOD + DEPLOYER.replace("3MVG9deployer", "3MVG9acme"),
        "11: credentials.deployer.consumer_key: acme has this consumer key already, and an app has one certificate",
    ),
    "a user named twice": (
        GOOD.replace("[i", "[INTEGRATION@acme.example, i"),
        "8: credentials.acme.users[1]: integration@acme.example is named twice",
    ),
    "a deployer who is not there": (
        acme("app: {name: A}\ndeploy: {publisher: metadata, with: deploier}"),
        "10: credentials.acme.deploy.with: there is no credential 'deploier'",
    ),
    "nobody who deploys": (
        acme("app: {name: A}\ndeploy: {publisher: metadata}"),
        "10: credentials.acme.deploy.publisher: publisher metadata needs a credential that deploys",
    ),
    "nobody who deploys, and no app": (
        acme("deploy: {publisher: metadata}"),
        "9: credentials.acme.deploy.publisher: publisher metadata needs a credential that deploys",
    ),
    "a credential that deploys itself": (
        acme("app: {name: A}\ndeploy: {publisher: metadata, with: acme}"),
        "10: credentials.acme.deploy.with: the credential would deploy its own certificate",
    ),
    "a deployer whose token is published": (
        GOOD + METADATA + DEPLOYER.replace("publish: false", "publish: true"),
        "10: credentials.acme.deploy.with: deployer deploys, so its tokens must not be published",
    ),
    "a deployer that can't read the app": (
        GOOD + METADATA + DEPLOYER + "    session: {format: jwt, timeout: 2h}\n",
        "10: credentials.acme.deploy.with: deployer has JWT-format tokens",
    ),
    "deployers in a circle": (
        GOOD
        + METADATA
        + "    publish: false\n"
        + DEPLOYER
        + METADATA.replace("with: deployer", "with: acme"),
        "they deploy for each other in a circle",
    ),
    "an app that is not told": (
        acme("deploy: {publisher: metadata, allow_self: true}"),
        "9: credentials.acme.deploy.publisher: publisher metadata needs to know the app",
    ),
    "a command that is not told": (
        acme("deploy: {publisher: command}"),
        "9: credentials.acme.deploy.publisher: publisher command needs deploy.command",
    ),
    "a command that is searched for": (
        acme("deploy: {publisher: command, command: [install]}"),
        "9: credentials.acme.deploy.command: the program 'install' is no absolute path",
    ),
    "a predecessor who is not there": (
        acme("rollout: {after: [globex]}"),
        "9: credentials.acme.rollout.after[0]: there is no credential 'globex'",
    ),
    "to wait for oneself": (
        acme("rollout: {after: [acme]}"),
        "9: credentials.acme.rollout.after[0]: the credential would wait for itself",
    ),
    "to wait in a circle": (
        GOOD + "    rollout: {after: [deployer]}\n" + DEPLOYER + "    rollout: {after: [acme]}\n",
        "they wait for each other in a circle",
    ),
}

ARITHMETIC = {
    "tokens kept past their proof": (
        acme("session: {refresh_every: 55m}"),
        "9: credentials.acme.session.refresh_every: refresh_every (55m) and consumer_lag (5m) together must be less",
    ),
    "consumers that lag": (
        acme("session: {consumer_lag: 1h}"),
        "9: credentials.acme.session.consumer_lag: refresh_every (30m) and consumer_lag (1h) together",
    ),
    "tokens that are tried too seldom": (
        acme("session: {verify_every: 31m}"),
        "9: credentials.acme.session.verify_every: must be at most 30m",
    ),
    "JWT-format tokens that end within a change": (
        acme("session: {format: jwt, timeout: 80m}"),
        "9: credentials.acme.session.timeout: a JWT-format token of 1h20m does not outlive a change: two deploys",
    ),
    "proofs that take too long": (
        acme("proof: {span: 30m}"),
        "9: credentials.acme.proof.span: span (30m) and one retry (15s) must fit into proof.deadline (30m)",
    ),
    "a lease shorter than a call": (
        acme("deploy: {publisher: command, command: [/bin/x], timeout: 3m}"),
        "9: credentials.acme.deploy.timeout: lease (3m) must be longer than a deploy call may take (3m)",
    ),
    "a lease shorter than a login and a deploy": (
        GOOD + METADATA.replace("with: deployer", "with: deployer, lease: 80s") + DEPLOYER,
        "10: credentials.acme.deploy.lease: lease (1m20s) must be longer than a deploy call may take (1m20s)",
    ),
    "a lease in which sessions die": (
        acme("deploy: {publisher: command, command: [/bin/x], timeout: 40m, lease: 45m}"),
        "9: credentials.acme.deploy.lease: lease (45m) must not exceed a quarter of session.timeout (2h)",
    ),
    "a renewal before the beginning": (
        acme("key: {lifetime: 30d}"),
        "9: credentials.acme.key.lifetime: renew_before (30d) and jitter (12h) must be less than key.lifetime (30d)",
    ),
    "more rotations than deploys": (
        acme(
            "key: {lifetime: 1h}\nrotation: {renew_before: 30m, urgent_before: 5m, jitter: 0s, backoff_floor: 1m}"
        ),
        "9: credentials.acme.key.lifetime: certificates that are replaced every 30m need 49 deploys a day",
    ),
    "urgency before the renewal": (
        acme("rotation: {urgent_before: 30d}"),
        "9: credentials.acme.rotation.urgent_before: rotation.urgent_before (30d) must be less than",
    ),
    "no time for a second try": (
        acme("rotation: {backoff_floor: 31d, backoff_ceiling: 40d}"),
        "9: credentials.acme.rotation.backoff_floor: rotation.backoff_floor (31d) must be less than",
    ),
    "a floor above its ceiling": (
        acme("retry: {floor: 10m}"),
        "9: credentials.acme.retry.floor: retry.floor (10m) must not exceed retry.ceiling (5m)",
    ),
    "a poll after the deadline": (
        acme("deploy: {poll_every: 15m}"),
        "9: credentials.acme.deploy.poll_every: deploy.poll_every (15m) must be less than deploy.deadline (15m)",
    ),
    "a window of one month": (
        acme('rotation: {window: {cron: "*/5 * * 1 *", duration: 1h}}'),
        "9: credentials.acme.rotation.window.cron: the window may stay closed for 334d23h5m, but only 23d lie",
    ),
    "a window too seldom": (
        acme("rotation: {window: {cron: 0 2 1 * *, duration: 4h}}"),
        "9: credentials.acme.rotation.window.cron: the window may stay closed for 30d20h, but only 23d lie between",
    ),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [pytest.param(*case, id=name) for name, case in (SHAPE | WEB | MEANING | ARITHMETIC).items()],
)
def test_one_mistake_has_one_message(mistakes: Mistakes, text: str, expected: str):
    found = [mistake.replace("None: ", "").replace(" : ", " ") for mistake in mistakes(text)]
    assert len(found) == 1, found
    assert expected in found[0]


@pytest.mark.parametrize(
    ("text", "mend"),
    [
        pytest.param(
            GOOD.replace("method: token", "method: aprole"),
            "Did you mean approle? Write 'approle', 'kubernetes', 'cert', 'jwt', 'token'.",
            id="a login that is misspelt",
        ),
        pytest.param(
            acme("session: {format: opake}"),
            "Did you mean opaque? Write 'opaque' or 'jwt'.",
            id="a choice that is misspelt",
        ),
        pytest.param(acme("key: {bits: 1024}"), "Write 2048, 3072 or 4096.", id="a choice like no other"),
        *(
            pytest.param(GOOD + tabbed, "Indent with spaces: YAML takes no tabs there.", id=repr(tabbed))
            for tabbed in ("\tx: 1\n", "    key:\n\t  bits: 2048\n", "    key:\n    \tbits: 2048\n")
        ),
        pytest.param(
            GOOD + "    key:\t[\n", "Check quotes, colons and indentation there.", id="a tab elsewhere"
        ),
    ],
)
def test_the_mend_fits_the_mistake(write: Write, text: str, mend: str):
    with pytest.raises(ConfigurationError) as refused:
        load(write(text))
    assert [problem.mend for problem in refused.value.problems] == [mend]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(mistakes: Mistakes):
    text = (
        "log: {level: loud}\n"
        + GOOD.replace("token: {file: vault-token}", "token: hunter2")
        + "    key: {bits: 1}\n"
        + DEPLOYER
        + "    rollout: {after: [nobody]}\n"
    )
    assert [line.split(":")[:2] for line in mistakes(text)] == [
        ["1", " log.level"],
        ["4", " vault.login.token"],
        ["10", " credentials.acme.key.bits"],
        ["16", " credentials.deployer.rollout.after[0]"],
    ]


FAST = "defaults: {deploy: {lease: 17s}}\nsalesforce: {connect_timeout: 2s, read_timeout: 6s}\n"
FLEET = (
    FAST + GOOD + METADATA + DEPLOYER
)  # the lease is longer than the two requests, and far below the built-in ones


def test_a_fleet_with_short_leases_holds(write: Write):
    assert load(write(FLEET)).credentials["acme"].deploy.lease.total_seconds() == 17


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ("https://vault", "http://vault", "4: vault.address: http to"),
        ("method: token", "method: password", "5: vault.login"),
        ("vault:\n", "fleat: {workers: 3}\nvault:\n", "3: fleat: is not known; 'fleet' is"),
        ("vault:\n", "log: {level: loud}\nvault:\n", "3: log.level: "),
        ("salesforce:", "salesforse:", "2: salesforse: is not known; 'salesforce' is"),
        ("connect_timeout: 2s", "conect_timeout: 2s", "2: salesforce.conect_timeout: is not known"),
        ("connect_timeout: 2s", "connect_timeout: 2", "2: salesforce.connect_timeout: 2 has no unit"),
        ("salesforce: {connect_timeout: 2s, read_timeout: 6s}", "salesforce:", "2: salesforce: has no value"),
        ("read_timeout: 6s", "read_timeout: 6s, proxy: proxy", "2: salesforce.proxy: is no URL"),
        ("credentials:", "credentails:", "6: credentails: is not known; 'credentials' is"),
        ("{deploy: {lease: 17s}}", "nothing", "1: defaults: should be a section"),
    ],
)
def test_a_mistake_brings_no_false_one_with_it(mistakes: Mistakes, right: str, wrong: str, expected: str):
    assert FLEET.count(right) == 1
    (found,) = mistakes(FLEET.replace(right, wrong))
    assert found.startswith(expected)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ("defautls: {login_url: https://acme.my.salesforce.com}\n", "1: defautls: is not known"),
        ("defaults: [login_url]\n", "1: defaults: should be a section"),
    ],
)
def test_what_the_defaults_may_have_said_is_not_told_as_missing(
    mistakes: Mistakes, wrong: str, expected: str
):
    (found,) = mistakes(wrong + GOOD.replace("    login_url: https://acme.my.salesforce.com\n", ""))
    assert found.startswith(expected)


def test_a_wrong_relation_is_told_beside_mistakes_elsewhere(mistakes: Mistakes):
    text = FLEET.replace("lease: 17s", "lease: 16s").replace("https://vault", "http://vault")
    text = text.replace("read_timeout: 6s", "read_timeout: 6s, proxy: proxy")
    assert [line.split(": ")[1] for line in mistakes(text)] == [
        "salesforce.proxy",
        "vault.address",
        "credentials.acme.deploy.publisher",
    ]


def test_the_report_is_made_of_file_line_key_message_and_mend(write: Write):
    file = write(acme("rotation: {renew_befor: 30d}"))
    with pytest.raises(ConfigurationError) as refused:
        load(file)
    assert isinstance(refused.value, Misconfigured)
    assert str(refused.value) == (
        f"{file}:9: credentials.acme.rotation.renew_befor: is not known; 'renew_before' is\n"
        "  mend: Write `renew_before`."
    )


def test_a_mistake_in_defaults_is_told_once_and_where_it_stands(mistakes: Mistakes):
    text = VAULT + "defaults:\n  session:\n    refresh_every: 2h\ncredentials:\n" + ACME + DEPLOYER
    (found,) = mistakes(text)
    assert found.startswith("6: defaults.session.refresh_every: refresh_every (2h) and consumer_lag")


def test_a_mistake_in_defaults_is_told_even_if_all_override_it(mistakes: Mistakes):
    text = VAULT + "defaults: {key: {bits: 1}}\ncredentials:\n" + ACME + "    key: {bits: 2048}\n"
    assert mistakes(text) == ["4: defaults.key.bits: 1 is none of the choices"]


def test_a_default_that_does_not_suit_a_credential_is_told_with_its_name(mistakes: Mistakes):
    text = VAULT + "defaults: {deploy: {publisher: metadata}}\ncredentials:\n" + ACME + METADATA + DEPLOYER
    text = text.replace("publisher: metadata, with", "with")
    assert mistakes(text) == [
        "4: defaults.deploy.publisher: publisher metadata needs a credential that deploys (credential deployer)"
    ]


def test_of_many_credentials_that_a_default_does_not_suit_a_few_are_named(mistakes: Mistakes):
    text = VAULT + "defaults: {session: {verify_every: 31m}}\ncredentials:\n"
    (found,) = mistakes(text + "".join(ACME.replace("acme", name) for name in "abcde"))
    assert found.endswith(" (credentials a, b, c and 2 more)")


def test_what_does_not_fit_the_defaults_is_told_where_the_credential_wrote_it(mistakes: Mistakes):
    text = VAULT + "defaults: {session: {refresh_every: 40m}}\ncredentials:\n" + ACME
    assert mistakes(text + "    session: {timeout: 1h, verify_every: 15m}\n")[0].startswith(
        "10: credentials.acme.session.timeout: refresh_every (40m)"
    )


@pytest.mark.parametrize(
    "line",
    [
        "    session: {client_secret: hunter2}\n",
        "    session: {client_secret: {file: a, env: hunter2}}\n",
        "    session: {client_secret: {value: hunter2}}\n",
        "    session: {client_secret: [hunter2]}\n",
        "    session: {client_secret: 12345678}\n",
        "    login_url: https://x:hunter2@acme.example\n",
        "    consumer_key: hunter2 hunter2\n",
        '    deploy: {command: [/bin/x, "hunter2\\0"]}\n',
    ],
)
def test_a_secret_in_the_file_is_a_mistake_and_is_not_repeated(write: Write, line: str):
    key = line.partition(":")[0]
    others = [other for other in GOOD.splitlines(keepends=True) if not other.startswith(key)]
    with pytest.raises(ConfigurationError) as refused:
        load(write("".join(others) + line))
    assert len(refused.value.problems) == 1
    assert "hunter2" not in str(refused.value)
    assert "12345678" not in repr(refused.value.problems)


def test_several_circles_are_all_told(mistakes: Mistakes):
    def member(name: str, after: str) -> str:
        return ACME.replace("acme", name) + f"    rollout: {{after: [{after}]}}\n"

    text = VAULT + "credentials:\n" + "".join(member(a, b) for a, b in ("ab", "ba", "cd", "de", "ec"))
    circles = [found.split(": ")[2] for found in mistakes(text)]
    assert sorted(sorted(set(circle.split(" -> "))) for circle in circles) == [["a", "b"], ["c", "d", "e"]]


def test_aliases_that_multiply_are_refused(mistakes: Mistakes):
    lines = [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    (found,) = mistakes("a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "\n".join(lines))
    assert "its aliases multiply beyond measure" in found


def test_an_alias_within_what_it_names_is_refused(mistakes: Mistakes):
    assert "2: b: there is no anchor 'a' before" in "\n".join(mistakes("a: &a\n  b: *a\n")).replace(
        "a.b", "b"
    )


@pytest.mark.parametrize("bracket", ["[", "{a: ", "- "])
def test_a_bottomless_file_is_refused(mistakes: Mistakes, bracket: str):
    (found,) = mistakes(bracket * 100_000)
    assert "is nested more than 24 deep" in found


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a: \x01", b"a: \x00", b"\xed\xa0\x80"])
def test_a_file_that_is_no_text_is_refused(write: Write, data: bytes):
    file = write("")
    file.write_bytes(data)
    with pytest.raises(ConfigurationError):
        load(file)


YAML_PIECES = st.sampled_from(
    [
        *"[]{},:&*!|>-?#'\"%@` \n\t",
        "\n  ",
        "a",
        "<<",
        "~",
        "---\n",
        "...\n",
        "1",
        "&a ",
        "*a",
        "!!str ",
        "vault: ",
    ]
)


@given(st.one_of(st.text(max_size=60), st.lists(YAML_PIECES, max_size=40).map("".join)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
def test_garbage_is_a_mistake_and_never_a_crash(write: Write, text: str):
    file = write("")
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ConfigurationError):
        load(file)


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=12),
        st.sampled_from(["30d", "0s"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "file",
                    "env",
                    "cron",
                    "duration",
                    "directory",
                    "username",
                    "method",
                    "publisher",
                    "with",
                    "x",
                ]
            ),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)
SECTIONS = ["vault", "salesforce", "fleet", "log", "defaults", "credentials"]
KEYS = [
    "users",
    "key",
    "rotation",
    "session",
    "proof",
    "deploy",
    "rollout",
    "login_url",
    "app",
    "login",
    "address",
]


@given(
    st.dictionaries(
        st.sampled_from(SECTIONS),
        st.one_of(VALUES, st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4)),
        max_size=6,
    ),
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=5),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_values_of_any_shape_are_mistakes_and_never_a_crash(
    write: Write, sections: dict[str, object], credential: dict[str, object]
):
    sections.setdefault("credentials", {"acme": credential})
    with contextlib.suppress(ConfigurationError):
        load(write(yaml.safe_dump(sections)))
