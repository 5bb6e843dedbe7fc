"""The printed policies give what is used, and nothing else."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest

from rotator.sandbox.settings import BASE_PATH, MOUNT
from rotator.sandbox.vault import BaoServer
from rotator.vault.policies import policy, rules
from tests.world.audit import AuditedBao
from tests.world.commands import Rotator
from tests.world.http_fake import Answer
from tests.world.matrix import (
    OTHER_MOUNT,
    USERS,
    Tries,
    furnish,
    granted,
    pattern,
    universe,
)
from tests.world.rude import CALM
from tests.world.site import site
from tests.world.vault_proxy import VaultProxy, instead

pytestmark = pytest.mark.timeout(600)

POLICIES = {
    "rotator": rules("daemon", MOUNT, BASE_PATH),
    "rotator-operator": rules("operator", MOUNT, BASE_PATH),
    "rotator-consumer-acme": rules("consumer", MOUNT, BASE_PATH, credential="acme"),
    "rotator-consumer-globex": rules("consumer", MOUNT, BASE_PATH, credential="globex"),
}
LOOKS = {
    ("rotator-operator", "read", f"{MOUNT}/data/{BASE_PATH}/+/tokens/+"): "how far tokens are proved, where it may be seen",
    ("rotator-operator", "read", f"{MOUNT}/data/{BASE_PATH}/-/requests/+"): "whether a request is really in the way",
    ("rotator-operator", "list", f"{MOUNT}/metadata/{BASE_PATH}/-/requests/"): "which requests wait, where it may be seen",
}  # fmt: skip
"""What commands try although the policy denies it, so as to say more where another one allows it."""


def test_a_whole_life_uses_every_right_that_the_policies_give_and_asks_for_no_other(tmp_path, figures):
    with AuditedBao("root-token-of-the-audited-vault", tmp_path) as bao:
        with (
            VaultProxy(bao) as proxy,
            site(vault=bao, adopt=False, weather=CALM) as here,
        ):
            here.edit(lambda settings: settings["vault"].update(address=proxy.address))
            for kind in ("record", "tokens/.*", "keys/2"):
                # A write is lost, between the settings of its document and itself: both are done again.
                proxy.spoil(instead(Answer(503)), f"/data/{BASE_PATH}/acme/{kind}$", method="POST", times=1)
                # Somebody removes the settings of a document that is about to be written.
                proxy.spoil(removed(bao), f"/data/{BASE_PATH}/globex/{kind}$", method="POST", times=1)
            live(here)
        asked = list(bao.asked())
    denied = {(one.holder, one.capability, one.path) for one in asked if one.denied}
    unforeseen = {one for one in denied if not any(_is_look(one, look) for look in LOOKS)}
    assert unforeseen == set()
    used = {
        (one.holder, rule.path, one.capability)
        for one in asked
        if not one.denied
        for rule in POLICIES.get(one.holder, ())
        if pattern(rule.path).fullmatch(one.path)
    }
    given = {
        (holder, rule.path, capability)
        for holder, held in POLICIES.items()
        for rule in held
        for capability in rule.capabilities
    }
    figures(
        requests=len(asked), rights_given=len(given), rights_used=len(used & given), looks_denied=len(denied)
    )
    assert given - used == set()


def removed(bao):
    """Remove all there is of a document before it is written."""

    def spoil(request, forward):
        path = unquote(request.path).removeprefix("/v1/").replace("/data/", "/metadata/")
        bao.request("DELETE", path)
        return forward()

    return spoil


def _is_look(one, look):
    return one[:2] == look[:2] and pattern(look[2]).fullmatch(one[2])


def live(here):
    """Let daemon, operator and consumers do all that they ever do."""
    rotator = Rotator(here.stage)
    with here.consuming():
        here.adopt()
        assert [here.rotate("acme"), here.rotate("globex")] == [2, 2]
        since = here.journal.mark()
        here.control.knobs(break_certificate=1)
        here.ask("acme")
        here.journal.wait_for("change.restored", since, credential="acme")
        here.await_steady()
        here.until("retired keys are destroyed", lambda: not here.ledger.record("acme")["retired"])
        for arguments in (
            "status",
            "history acme",
            "rehearse deployer --wait",
            "pause deployer",
            "resume deployer",
        ):
            assert rotator.operator(*arguments.split()).code == 0
        for arguments in ("doctor", "plan", "token acme", "certificate acme", "rollback globex"):
            rotator(*arguments.split())
        here.await_steady()
        here.until("consumers have read", lambda: all(one.calls for one in here.consumers))
    here.daemon.stop()
    for who in (rotator, rotator.operator):
        first, second = (who("pause", "acme", "--ask-only", "--within", "100ms") for _ in range(2))
        assert "to take it back" in " ".join(first.err.split()).lower(), first
        assert "waits already" in second.err, second
        assert "`rotator withdraw acme`" in " ".join(first.err.split())
        assert who("withdraw", "acme").code == 0
        assert who("pause", "acme", "--ask-only", "--within", "1ms").code == 4, "it had been taken back"
        assert who("withdraw", "acme").code == 0


HOLDERS = {
    "daemon": {"holder": "daemon"},
    "daemon of acme": {"holder": "daemon", "credential": "acme"},
    "daemon of +": {"holder": "daemon", "credential": "+"},
    "operator": {"holder": "operator"},
    "operator of acme": {"holder": "operator", "credential": "acme"},
    "consumer of acme": {"holder": "consumer", "credential": "acme"},
    "consumer of +": {"holder": "consumer", "credential": "+"},
    "consumer of one user": {"holder": "consumer", "credential": "acme", "user": USERS[2]},
    "consumer of the user +": {"holder": "consumer", "credential": "acme", "user": "+"},
}


@pytest.fixture(scope="module")
def bao():
    with BaoServer("root-token-of-the-matrix") as bao:
        bao.request("POST", f"sys/mounts/{OTHER_MOUNT}", {"type": "kv", "options": {"version": "2"}})
        yield bao


@pytest.fixture(scope="module")
def by_default(bao):
    """What everybody may do who has a token, by the server's own policy."""
    furnish(bao)
    tries = Tries(bao, bao.make_token(["default"]))
    allowed = {one for one in universe() if not tries.is_denied(one)}
    tries.close()
    return allowed


@pytest.mark.parametrize("name", HOLDERS)
def test_each_right_of_a_policy_works_and_everything_else_is_denied(name, bao, by_default, figures):
    furnish(bao)
    narrowed = dict(HOLDERS[name])
    holder = narrowed.pop("holder")
    title = re.sub(r"\W+", "-", name)
    bao.install_policy(title, policy(holder, MOUNT, BASE_PATH, **narrowed))
    held = rules(holder, MOUNT, BASE_PATH, **narrowed)
    tries = Tries(bao, bao.make_token([title]))
    wanted = {one: granted(held, one) for one in universe()}
    found = {one: not tries.is_denied(one) for one in wanted}
    tries.close()
    figures(
        permitted=sum(wanted.values()),
        denied=sum(not one for one in wanted.values()),
        by_the_servers_own_policy=len(by_default),
    )
    assert sum(wanted.values()) >= len(held)
    assert {one for one in wanted if found[one] and not wanted[one] and one not in by_default} == set()
    assert {one for one in wanted if wanted[one] and not found[one]} == set()
