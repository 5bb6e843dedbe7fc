"""The lists of docs/disasters.md, followed on the sandbox: each command as it stands there."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from rotator.sandbox.org.seed import ACME, USERS, add_external_client_app
from rotator.sandbox.pairs import make_pair
from rotator.sandbox.settings import APPS, BASE_PATH, MOUNT
from tests.world import backup
from tests.world.commands import Rotator
from tests.world.rude import CALM
from tests.world.site import LASTING, change, site

pytestmark = pytest.mark.timeout(300)

PAGE = (Path(__file__).parents[2] / "docs" / "disasters.md").read_text()
ANOTHER_ORG = "00D5g00000REFRSEAU"


class Night:
    """A person who follows one list, for one credential after the other."""

    def __init__(self, here, title, folder):
        (self._list,) = re.findall(
            rf"^## {re.escape(title)}\n(.+?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL
        )
        self._rotator, self._folder, self.followed = Rotator(here.stage), folder, 0

    def does(self, command, name="acme", codes=(0,)):
        """Run a command that stands on the list and ends as the list foresees; return what it printed."""
        assert f"`{command}" in self._list, f"{command} is not on the list"
        words = shlex.split(command.replace("NAME", name))[1:]
        ran = self._rotator.process(*words, cwd=self._folder)
        assert ran.code in codes, (command, ran)
        self.followed += 1
        return ran.out


def upload(here, name, pem):
    """Bring a certificate in as Setup does."""
    here.control.put_certificate(APPS[name], pem)


def test_vault_is_lost(tmp_path, figures):
    with site(weather=CALM) as here:
        here.daemon.stop()
        forget_everything(here.stage.vault)
        night = Night(here, "Vault is lost", tmp_path)
        since = here.journal.mark()
        here.daemon.start()
        here.journal.wait_for("daemon.started", since)
        for name in ("deployer", "acme", "globex"):
            night.does("rotator init NAME --directory NAME-app", name)
            upload(here, name, night.does("rotator certificate NAME", name))
            night.does("rotator deployed NAME --wait", name)
        for user in USERS[ACME]:
            here.journal.wait_for("token.published", since, user=user)
        night.does("rotator status --problems")
        assert here.rotate("acme") == 2
        here.daemon.stop()
        figures(commands=night.followed)


def forget_everything(vault, path=""):
    """Leave Vault as a new one is."""
    for key in vault.request("LIST", f"{MOUNT}/metadata/{BASE_PATH}/{path}")["data"]["keys"]:
        if key.endswith("/"):
            forget_everything(vault, path + key)
        else:
            vault.request("DELETE", f"{MOUNT}/metadata/{BASE_PATH}/{path}{key}")


def test_vault_was_restored_from_yesterday(tmp_path, figures):
    with site(replace(LASTING, backoff_seconds=1), weather=CALM, durable=True) as here:
        yesterday = backup.take(here.stage.vault)
        assert here.rotate("acme") == 2
        since = here.journal.mark()
        backup.restore(here.stage.vault, yesterday)
        here.journal.wait_for("vault.went_back", since, credential="acme")
        here.journal.wait_for("vault.reconciled", since, credential="acme")
        here.await_steady()
        night = Night(here, "Vault was restored from yesterday", tmp_path)
        night.does("rotator status --problems")
        night.does("rotator rotate NAME --compromised --wait")
        night.does("rotator pause NAME")
        night.does("rotator status --problems")
        here.daemon.stop()
        figures(commands=night.followed)


def test_a_certificate_is_put_back_by_a_pipeline(tmp_path, figures):
    with site(weather=CALM) as here, here.consuming():
        assert here.rotate("acme") == 2
        older = Rotator(here.stage).stored_key_pair("acme", 1)["certificate_pem"]
        since = here.journal.mark()
        upload(here, "acme", older)
        here.journal.wait_for("certificate.reverted", since, credential="acme")
        here.await_steady()
        night = Night(here, "A certificate was replaced by hand or by a pipeline", tmp_path)
        night.does("rotator history NAME")
        night.does("rotator rotate NAME --wait")
        night.does("rotator status NAME")
        here.daemon.stop()
        figures(commands=night.followed, **here.audit())


def test_a_private_key_leaked(tmp_path, figures):
    with site(weather=CALM) as here:
        leaked = Rotator(here.stage).stored_key_pair("acme")["private_key_pem"]
        assert here.log_in("acme", USERS[ACME][0], leaked).ok
        night = Night(here, "A private key leaked", tmp_path)
        night.does("rotator rotate NAME --compromised --wait")
        here.until("its key is refused", lambda: not here.log_in("acme", USERS[ACME][0], leaked).ok)
        here.until("all is well", lambda: not here.ledger.troubles())
        night.does("rotator status NAME")
        here.daemon.stop()
        figures(commands=night.followed)


def test_locked_out(tmp_path, figures):
    with site(weather=CALM, names=["acme"]) as here:
        since = here.journal.mark()
        upload(here, "acme", make_pair("by hand", 3600).certificate)
        here.journal.wait_for("credential.locked_out", since, credential="acme")
        night = Night(here, "Locked out", tmp_path)
        night.does("rotator status NAME", codes=[1])
        upload(here, "acme", night.does("rotator certificate NAME"))
        night.does("rotator deployed NAME --wait")
        here.until("no trouble is left", lambda: not here.ledger.troubles())
        night.does("rotator status NAME")
        here.daemon.stop()
        figures(commands=night.followed)


def test_a_sandbox_is_refreshed_from_production(tmp_path, figures):
    with site(weather=CALM, names=["acme"]) as here:
        since = here.journal.mark()
        consumer_key = refresh(here)
        night = Night(here, "A sandbox was refreshed from production", tmp_path)
        change(here.stage.config, lambda said: said["credentials"]["acme"].update(consumer_key=consumer_key))
        night.does("rotator check")
        here.daemon.reload()
        here.journal.wait_for("credential.locked_out", since, credential="acme")
        upload(here, "acme", night.does("rotator certificate NAME"))
        night.does("rotator deployed NAME", codes=[0, 1])  # it may have found the certificate by itself
        here.journal.wait_for("identity.mismatch", since, credential="acme")
        resumed = here.journal.mark()
        night.does("rotator resume NAME")
        for user in USERS[ACME]:
            here.journal.wait_for("token.published", resumed, user=user)
        here.until("no trouble is left", lambda: not here.ledger.troubles())
        night.does("rotator doctor NAME")
        night.does("rotator status --problems")
        assert here.ledger.record("acme")["identity"]["org_id"] == ANOTHER_ORG
        here.daemon.stop()
        figures(commands=night.followed)


def refresh(here):
    """Let the org be another one, with the app of production; return its consumer key."""
    here.control.delete_app(ACME)
    org = here.stage.org.org
    with org.lock:
        org.org_id = ANOTHER_ORG
        return add_external_client_app(org, ACME, make_pair("production", 3600).certificate).consumer_key
