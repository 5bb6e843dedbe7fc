"""Looks whether Vault is fit for the daemon; `rotator doctor` prints what is found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus

from rotator.errors import RotatorError
from rotator.finding import Finding, failure
from rotator.vault.client import VaultClient
from rotator.vault.kv import Kv
from rotator.vault.paths import folder
from rotator.vault.policies import ANY, Rule, rules
from rotator.vault.refusals import accept, body_of, part, refusal
from rotator.wording import one_line

_MOST_SKEW = timedelta(minutes=1)
_SHOWN = 40  # characters of what an answer says
_PERFORMANCE_STANDBY = 473  # status of sys/health


def verify(client: VaultClient, credentials: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    """Yield what is found about server, login, clock, mount and policy; stops at what makes the rest pointless.

    Args:
        credentials: the users of each credential. Its policy is looked up for their very paths.
    """
    try:
        yield _health(client)
        yield from _login(client)
        yield _clock(client)
        yield from _mount(client)
        for name, users in credentials.items():
            yield from _policy(client, name, users)
    except RotatorError as error:
        yield failure(error.code, error)


def _health(client: VaultClient) -> Finding:
    response = client.health()
    if response.status_code not in {HTTPStatus.OK, HTTPStatus.TOO_MANY_REQUESTS, _PERFORMANCE_STANDBY}:
        raise refusal(response)
    version = one_line(str((body_of(response) or {}).get("version", "unknown")), _SHOWN)
    role = "active" if response.status_code == HTTPStatus.OK else "a standby, which forwards"
    return Finding(True, "vault.server", f"{client.settings.address} is {role}, version {version}.")


def _login(client: VaultClient) -> Iterator[Finding]:
    data = part(accept(client.call(lambda vault: vault.auth.token.lookup_self())), "data")
    policies = _texts(data.get("policies"))
    if "root" in policies:
        yield Finding(
            False,
            "vault.login",
            "We are root in Vault.",
            "Log in with an AppRole, and the policy that `rotator vault-policy daemon` prints.",
        )
    elif data.get("ttl") and not data.get("renewable") and data.get("type") != "batch":
        yield Finding(
            False,
            "vault.login",
            f"The token ends in {one_line(str(data['ttl']), _SHOWN)} s and cannot be renewed.",
            "Use a login that makes tokens, or a periodic token.",
        )
    else:
        yield Finding(True, "vault.login", f"Logged in with the policies {', '.join(policies)}.")


def _clock(client: VaultClient) -> Finding:
    skew = client.clock_skew()
    if skew is not None and abs(skew) > _MOST_SKEW:
        return Finding(
            False,
            "vault.clock",
            f"Vault's clock and ours differ by {abs(skew).total_seconds():.0f} s.",
            "Let both follow an NTP server; nothing is deployed while clocks differ by more than a minute.",
        )
    return Finding(True, "vault.clock", "Vault's clock agrees with ours.")


def _mount(client: VaultClient) -> Iterator[Finding]:
    mount = folder("mount", client.settings.mount)
    Kv(client, mount).require_version_2()
    yield Finding(True, "vault.mount", f"{mount} is a KV engine of version 2.")
    answer = accept(client.call(lambda vault: vault.secrets.kv.v2.read_configuration(mount_point=mount)))
    after = one_line(str(part(answer, "data").get("delete_version_after", "0s")), _SHOWN)
    if after in {"0s", ""} or after.startswith("-"):
        yield Finding(True, "vault.deletion", f"{mount} deletes nothing by itself.")
    else:
        yield Finding(
            False,
            "vault.deletion",
            f"{mount} deletes every version after {after}, private keys too.",
            f"Set `bao write {mount}/config delete_version_after=0s`, or use a mount without it.",
        )


def _policy(client: VaultClient, name: str, users: Sequence[str]) -> Iterator[Finding]:
    """Compare what our token may do with the lines of the policy, for the paths of one credential."""
    settings = client.settings
    wanted = {
        _sample(rule): rule
        for user in users
        for rule in rules("daemon", settings.mount, settings.base_path, credential=name, user=user)
    }
    body = {"paths": list(wanted)}
    answer = accept(client.call(lambda vault: vault.adapter.post("/v1/sys/capabilities-self", json=body)))
    granted = part(answer, "data")
    lacking = {path: rule for path, rule in wanted.items() if _lacks(rule, _texts(granted.get(path)))}
    for path, rule in lacking.items():
        capabilities = ", ".join(f'"{capability}"' for capability in rule.capabilities)
        yield Finding(
            False,
            "vault.policy",
            f"{name}: the policy does not allow {' and '.join(rule.capabilities)} on {path}: {rule.why}.",
            f'Add: path "{rule.path}" {{ capabilities = [{capabilities}] }}',
        )
    if not lacking:
        yield Finding(True, "vault.policy", f"{name}: the policy allows all that the daemon does.")


def _sample(rule: Rule) -> str:
    """Return a path that the rule is about, with a number for each wildcard."""
    return "/".join("1" if part == ANY else part for part in rule.path.split("/"))


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _lacks(rule: Rule, granted: list[str]) -> bool:
    return "root" not in granted and not set(rule.capabilities) <= set(granted)
