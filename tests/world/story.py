"""All that may happen to a daemon and its operators, so that it can be searched for what it showed meanwhile."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import requests
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tests.world.canary import FORESEEN_BY_NOBODY, Canary, bug, invented
from tests.world.ledger import APPS
from tests.world.program import install_program
from tests.world.taps import Tap

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("json", "console")
BUGS = (
    "rotator.salesforce.assertion:sign_assertion",  # the private key, and an assertion
    "rotator.salesforce.oauth:trade",  # an assertion, and an access token
    "rotator.salesforce.http:Wire._exchange",  # a request as the library knows it
    "rotator.vault.login:_granted",  # a token of Vault
    "rotator.vault.kv:Kv._call",  # a document of Vault as it comes over the wire
    "rotator.performer.tokens:publish",  # a token document
    "rotator.run.ready:Ready.take",  # in a thread of its own, outside of every step
    "rotator.run.daemon:Daemon.start",  # in the main thread
)
"""Where nobody foresees an error, and what is at hand there."""


def configure(it: Canary) -> None:
    """Let everything go through the taps, with every setting that names a secret."""
    secret = it.here.stage.org.org.app(APPS["acme"]).consumer_secret
    it.write("client-secret", secret, "the client secret")
    it.write("proxy-url", it.org.url, "the proxy's URL")
    it.write("web-token", invented(), "the token of the port")
    command, _log = install_program(it.work, it.here.stage.org.control_url, APPS["globex"])

    def edit(settings: dict[str, Any]) -> None:
        settings["vault"] |= {"address": it.vault.address, "timeout": "2s"}
        settings["salesforce"]["proxy"] = {"file": str(it.work / "proxy-url")}
        settings["log"] = {"format": "json", "level": "debug"}
        settings["web"] = {"listen": "127.0.0.1:0", "token": {"file": str(it.work / "web-token")}}
        credentials = settings["credentials"]
        credentials["acme"]["session"] = {"client_secret": {"file": str(it.work / "client-secret")}}
        credentials["globex"]["deploy"] = {"publisher": "command", "command": command, "timeout": "5s"}

    it.here.edit(edit)


def begin(it: Canary) -> None:
    """One credential begins with a key pair that is made for it, one with an encrypted key of its administrator's."""
    vault = it.here.stage.vault
    passphrase = invented()
    waiting = vault.request("GET", "secret/data/salesforce/-/requests/acme")["data"]["data"]["payload"]
    for name in ("acme", "globex"):
        vault.request("DELETE", f"secret/metadata/salesforce/-/requests/{name}")
    it.named[waiting["key"]] = "the key of an administrator"
    it.write("acme.crt", waiting["certificate"])
    encrypted = load_pem_private_key(waiting["key"].encode(), None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase.encode())
    )
    files = [
        "--key", it.write("acme.key", encrypted.decode(), "the encrypted key"), "--cert", it.work / "acme.crt",
        "--passphrase-file",
    ]  # fmt: skip
    it.daemon.start()
    wrong = it.write("wrong-passphrase", passphrase[::-1], "a wrong passphrase")
    it.run("adopt", "acme", *files, wrong, code=1)
    it.run_apart("adopt", "acme", *files, it.write("passphrase", passphrase, "the passphrase"), code=0)
    it.run_apart("init", "globex", "--directory", it.work / "app", code=0)
    bring_in(it, "globex")
    for name in APPS:
        it.here.journal.wait_for("key.promoted", credential=name, serial=1)
    it.here.ledger.keep_all_versions()


def bring_in(it: Canary, name: str) -> None:
    """Let a person bring in the certificate that belongs into an app."""
    certificate = it.run("certificate", name, code=0)
    it.here.control.put_certificate(APPS[name], certificate.out)
    it.run("deployed", name, code=0)


def change(it: Canary) -> None:
    """Key pairs are replaced by the Metadata API and by a program, and given back."""
    for command, name in (
        ("rotate", "acme"),
        ("rotate", "globex"),
        ("rollback", "acme"),
        ("rehearse", "acme"),
    ):
        it.run(command, name, "--wait", code=0)
    it.here.await_steady()


def look(it: Canary) -> None:
    """Somebody looks at all that the port shows: pages, health and metrics."""
    url = it.here.journal.find("web.listening")[-1]["url"].rstrip("/")
    token = (it.work / "web-token").read_text()
    for path in (
        "/",
        "/metrics",
        "/livez",
        "/readyz",
        *(f"/{kind}/{name}" for kind in ("credentials", "readyz") for name in APPS),
    ):
        answer = requests.get(url + path, headers={"Authorization": f"Bearer {token}"}, timeout=60)
        assert answer.status_code in {200, 503}, answer.text
        it.show("pages, health and metrics", f"{answer.headers}\n{answer.text}")
        refused = requests.get(url + path, headers={"Authorization": f"Bearer {token[1:]}"}, timeout=60)
        it.show("pages, health and metrics", f"{refused.headers}\n{refused.text}")


def lock_out(it: Canary) -> None:
    """No kept key is taken any more, until a person brings the certificate in again."""
    journal = it.here.journal
    since = journal.mark()
    it.here.control.knobs(break_certificate=2)
    it.here.ask("acme")
    alert = journal.wait_for("credential.locked_out", since, credential="acme")
    it.here.control.put_certificate(APPS["acme"], alert["certificate"])
    it.here.await_steady()


def weather(it: Canary, tap: Tap) -> None:
    """Answers are spoilt in every way while the daemon rotates, and while commands run."""
    tap.rage()
    it.here.ask("acme")
    it.here.until("every fault was met", tap.storm.is_through, within_seconds=180)
    for arguments in (["status"], ["doctor"], ["token", "acme"], ["certificate", "acme"]):
        it.run(*arguments)
    tap.heal()
    it.daemon.kill()  # a refused login is not tried again for a while
    since = it.here.journal.mark()
    it.daemon.start()
    it.here.journal.wait_for("web.listening", since)
    it.here.await_steady()


def surprise(it: Canary) -> None:
    """Errors come up that nobody foresaw, in the daemon and in commands."""
    for place in BUGS:
        _stumble(it, it.here.stage.config, place)
    for place in BUGS[:3]:
        it.run_apart("token", "acme", code=70, **bug(place))


def speak_otherwise(it: Canary) -> None:
    """The daemon logs at each level and in both formats while it stumbles, and logs in with a wrapped secret_id."""
    vault = it.rotator.settings()["vault"]
    for level, form in itertools.product(LEVELS, FORMATS):
        name = f"{level}-{form}"
        file = it.write(
            f"wrapped-{name}", it.here.stage.vault.wrapped_secret_id("rotator"), "a wrapping token"
        )
        login = {**vault["login"], "wrapped": True, "secret_id": {"file": str(file)}}
        config = it.variant(name, log={"level": level, "format": form}, vault={**vault, "login": login})
        _stumble(it, config, BUGS[1])


def _stumble(it: Canary, config: Path, place: str) -> None:
    """Let a daemon run until it has told of an error that nobody foresaw."""
    with it.another_daemon(config, **bug(place)) as journal:
        it.here.until(
            f"a traceback from {place}", lambda: any(FORESEEN_BY_NOBODY in one for one in journal.text)
        )


def lose_everything(it: Canary) -> None:
    """Vault, org and proxy are away, or not what they should be; the certificate of TLS is none."""
    settings = it.rotator.settings()
    gone = it.write("gone.url", it.org.url.rpartition(":")[0] + ":1", "the URL of a proxy that is gone")
    wrong = it.write("wrong.url", it.org.url.replace("@", "x@"), "the URL of a proxy with a wrong password")
    secure = {
        name: {**one, "login_url": one["login_url"].replace("http:", "https:")}
        for name, one in settings["credentials"].items()
    }
    worlds = {
        "no-proxy": {"salesforce": {**settings["salesforce"], "proxy": {"file": str(gone)}}},
        "wrong-proxy": {"salesforce": {**settings["salesforce"], "proxy": {"file": str(wrong)}}},
        "no-vault": {"vault": {**settings["vault"], "address": "http://127.0.0.1:1"}},
        "no-tls-of-vault": {"vault": {**settings["vault"], "address": it.vault.address.replace("http:", "https:")}},
        "no-tls-of-the-org": {"credentials": secure},
    }  # fmt: skip
    for name, sections in worlds.items():
        config = it.variant(name, **sections)
        for command in ("doctor", "token acme"):
            it.run(*command.split(), config=config)
