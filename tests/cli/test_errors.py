"""What goes wrong is told with its mend, no traceback, and an exit code that tells what it was."""

from __future__ import annotations

import socket

import click
import pytest
from click.testing import CliRunner

from rotator.cli import Commands
from rotator.cli.settings import Settings
from rotator.vault import refusals


def test_a_bad_configuration_tells_every_mistake_with_line_and_mend_and_ends_with_2(rotator, tmp_path):
    path = tmp_path / "rotator.yaml"
    path.write_text(
        "vault: {address: 'http://vault.example.com', login: {method: token, token: {file: t}}}\n"
        "credentials:\n"
        "  acme:\n"
        "    login_url: https://acme.my.salesforce.com\n"
        "    users: [integration@acme.example]\n"
        "    rotation: {renew_befor: 30d}\n"
    )
    for command in ("check", "status", "run", "doctor"):
        ran = rotator(command, config=path)
        assert ran.code == 2
        assert f"{path}:1: vault.address:" in ran.err
        assert f"{path}:6: credentials.acme.rotation.renew_befor:" in ran.err
        assert "mend: " in ran.err
        assert "error: the configuration has 2 mistakes" in ran.err
        assert "Traceback" not in ran.err
    problems = rotator("check", "--json", config=path).json["problems"]
    assert [(one["line"], one["key"]) for one in problems] == [
        (1, "vault.address"),
        (6, "credentials.acme.rotation.renew_befor"),
    ]


def test_a_configuration_that_holds_is_said_to_hold(rotator):
    assert rotator("check").out.endswith("rotator.yaml holds: 3 credentials\n")
    assert rotator("check", "--json").json == {
        "well": True,
        "problems": [],
        "credentials": ["acme", "globex", "deployer"],
    }


def test_a_bad_credential_is_set_aside_and_the_good_ones_are_shown(rotator, tmp_path):
    credentials = rotator.settings()["credentials"]
    credentials["globex"]["users"] = ["nobody"]
    config = rotator.variant(tmp_path, credentials=credentials)
    ran = rotator("status", config=config)
    assert ran.code == 1
    assert "acme" in ran.out
    kept = "; a daemon that served globex goes on with its former settings until it restarts"
    assert ("not in force: " in ran.out, kept in ran.out) == (True, True)
    planned = rotator("plan", config=config)
    assert (planned.code, "not in force: " in planned.err, kept in planned.err) == (1, True, True)
    assert ran.out.endswith("1 of 3 credentials needs you: globex\n")
    assert rotator("status", "--json", config=config).json["set_aside"][0]["credential"] == "globex"
    assert rotator("history", "acme", config=config).code == 0
    assert rotator("history", "globex", config=config).code == 2
    assert "credentials.globex.users" in rotator("history", "globex", config=config).err


def test_a_bad_deployer_hides_nobody_for_whom_it_deploys_and_keeps_no_request_from_the_daemon(
    rotator, tmp_path
):
    credentials = rotator.settings()["credentials"]
    credentials["deployer"]["users"] = ["nobody"]
    config = rotator.variant(tmp_path, credentials=credentials)
    aside = "credentials.acme.deploy.with: deployer, which deploys for it, is set aside; a daemon that served acme"
    ran = rotator("status", config=config)
    assert (ran.code, "credentials.deployer.users[0]" in ran.out) == (1, True)
    assert f"{aside}, globex goes on with their former settings until it restarts\n" in ran.out
    assert "credentials.globex" not in ran.out, "it is told once"
    assert ran.out.endswith("3 of 3 credentials need you: acme, deployer, globex\n")
    ran = rotator("status", "acme", config=config)
    assert (ran.code, "credentials.acme.deploy.with" in ran.out) == (1, True)
    assert "credentials.globex" not in ran.out
    assert ran.err.startswith("note: mistakes are elsewhere in the configuration: deployer; `rotator check`")
    ran = rotator("history", "acme", config=config)
    assert (ran.code, aside in ran.err) == (0, True)
    ran = rotator("pause", "acme", "--within", "1ms", config=config)
    assert (ran.code, "waits in Vault" in ran.err) == (4, True), "only a daemon may have settings that hold"
    ran = rotator("withdraw", "acme", config=config)
    assert (ran.code, aside in ran.err) == (0, True)
    for command in (("pause", "acme", "--here"), ("once", "acme")):
        ran = rotator(*command, config=config)
        assert (ran.code, "credentials.acme.deploy.with" in ran.err) == (2, True)
    assert rotator.status("acme")["paused"] is None


def test_who_names_a_credential_is_told_in_a_line_of_mistakes_elsewhere(rotator, tmp_path):
    credentials = rotator.settings()["credentials"]
    credentials["globex"]["users"] = ["nobody"]
    config = rotator.variant(tmp_path, credentials=credentials)
    note = "note: mistakes are elsewhere in the configuration: globex; `rotator check` tells them\n"
    for command in ("status", "plan", "history", "certificate"):
        ran = rotator(command, "acme", config=config)
        assert (ran.code, ran.err) == (0, note)


def test_an_included_file_that_does_not_hold_is_told_and_the_others_are_shown(rotator, tmp_path):
    settings = rotator.settings()
    config = rotator.variant(tmp_path, include=["more/*.yaml"])
    (config.parent / "more").mkdir()
    (config.parent / "more" / "a.yaml").write_text("credentials: [\n")
    ran = rotator("check", config=config)
    assert (ran.code, "more/a.yaml:2: is not YAML" in ran.err) == (2, True)
    ran = rotator("status", config=config)
    assert (ran.code, "acme" in ran.out, "not in force: " in ran.out) == (1, True, True)
    assert "; a daemon that served its credentials goes on with their former settings" in ran.out
    assert all(name in ran.out for name in settings["credentials"])
    found = rotator("status", "--json", config=config).json["set_aside"]
    assert [one["credential"] for one in found] == [None]
    ran = rotator("history", "umbrella", config=config)
    assert (ran.code, "more/a.yaml:2" in ran.err) == (2, True)
    (subject,) = {
        one["subject"]
        for one in rotator("doctor", "--json", config=config).json["findings"]
        if "more/" in one["message"]
    }
    assert subject.startswith("configuration: ")


def test_a_mistake_of_usage_is_told_as_every_other_with_where_to_read_on(rotator):
    for arguments, message, command in (
        (["statsu"], "No such command 'statsu'. Did you mean 'status'?", ""),
        (["--colour", "status"], "No such option '--colour'", ""),
        (["rotate"], "Missing argument 'NAME'.", " rotate"),
        (["help", "xyzzy"], "There is no topic or command 'xyzzy'. `rotator help` lists the topics", " help"),
    ):
        ran = rotator(*arguments)
        assert (ran.code, ran.out) == (2, "")
        first, second = ran.err.splitlines()
        assert first.startswith(f"error: {message}")
        assert second.endswith(f"{command} --help` tells how it is used.")


def test_no_configuration_and_an_unknown_name_are_usage_errors():
    ran = CliRunner(env={"ROTATOR_CONFIG": None}).invoke(_main(), ["status"])
    assert ran.exit_code == 2
    assert "ROTATOR_CONFIG" in ran.stderr


def test_an_unknown_credential_is_answered_with_the_nearest(rotator):
    for command in ("rotate", "status", "token", "doctor"):
        ran = rotator(command, "acne")
        assert ran.code == 2
        assert "Did you mean acme?" in ran.err


def test_the_configuration_may_be_named_before_or_after_the_command(rotator, tmp_path):
    nowhere = tmp_path / "nowhere.yaml"
    assert rotator("-c", rotator.stage.config, "check", config=nowhere).code == 0
    assert rotator("check", "-c", rotator.stage.config, config=nowhere).code == 0
    assert rotator("-c", nowhere, "check", "-c", rotator.stage.config).code == 0
    assert rotator("check", config=nowhere).code == 2


def test_a_vault_that_is_not_there_ends_with_3(rotator, tmp_path):
    with socket.socket() as taken:  # bound, and not listening
        taken.bind(("127.0.0.1", 0))
        vault = rotator.settings()["vault"]
        vault["address"] = f"http://127.0.0.1:{taken.getsockname()[1]}"
        config = rotator.variant(tmp_path, vault=vault)
        for command in (("status",), ("rotate", "acme"), ("history", "acme"), ("plan",)):
            ran = rotator(*command, config=config)
            assert ran.code == 3
            assert ran.err.startswith("error: ")
            assert "hint: " in ran.err
        assert rotator("doctor", config=config).code == 3
        config.chmod(0o666)
        assert rotator("doctor", config=config).code == 1, "and that is to be mended now"


def test_an_org_in_maintenance_ends_with_3(rotator, knobs):
    knobs(maintenance=True)
    ran = rotator("token", "acme")
    assert ran.code == 3
    assert ran.err.startswith("error: ")
    assert rotator("doctor", "acme").code == 3


def test_a_vault_that_is_sealed_ends_with_3(rotator, stage):
    stage.vault.seal()
    try:
        ran = [rotator(*command) for command in (("status",), ("doctor",), ("doctor", "--json"))]
    finally:
        stage.vault.unseal()
    assert [one.code for one in ran] == [3, 3, 3]


def test_a_wrapped_secret_id_is_left_to_the_daemon(rotator, stage, tmp_path):
    """Whoever unwraps it second would be told that somebody stole it."""
    wrapping = tmp_path / "wrapping"
    wrapping.write_text(stage.vault.wrapped_secret_id("rotator"))
    wrapping.chmod(0o600)
    vault = rotator.settings()["vault"]
    vault["login"] |= {"secret_id": {"file": str(wrapping)}, "wrapped": True}
    config = rotator.variant(tmp_path, vault=vault)
    commands = (
        ("status",), ("plan",), ("history", "acme"), ("certificate", "acme"), ("doctor",), ("token", "acme"),
        ("rotate", "acme"), ("rotate", "acme", "--here"), ("init", "acme"), ("pause", "acme"),
    )  # fmt: skip
    for command in commands:
        ran = rotator(*command, config=config)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith("error: the secret_id of vault.login is wrapped")
        assert "--vault-token-file" in ran.err
    assert rotator("check", config=config).code == 0
    assert rotator("status", "--vault-token-file", stage.operator_token_file, config=config).code == 0
    assert rotator("once", config=config).code == 0, "nobody has unwrapped it before"


@pytest.mark.parametrize("command", [("plan",), ("plan", "acme"), ("certificate", "acme"), ("token", "acme")])
def test_who_lacks_the_rights_of_the_daemon_is_not_told_to_grant_them_to_a_person(rotator, command):
    ran = rotator.operator(*command)
    said = " ".join(ran.err.split())
    assert ran.code == 1
    assert "Vault's policy does not allow read on" in said
    assert "needs the daemon's rights" in said
    assert "as root on the host of the service" in said
    assert "The policy lacks" not in said


def test_without_a_token_of_ones_own_the_missing_rule_is_told():
    denied = refusals.denied("secret/data/x", "read")
    assert Settings(token_file=None).daemons_hint(denied.code, denied.hint) == denied.hint
    assert (
        'The policy lacks: path "secret/data/x" { capabilities = ["read"] }. `rotator vault-policy daemon`'
        in denied.hint
    )


def test_what_nobody_foresaw_is_told_without_secrets_and_ends_with_70():
    ran = CliRunner().invoke(_main(), ["fail"])
    assert ran.exit_code == 70
    assert "RuntimeError: nobody foresaw this" in ran.stderr
    assert "hvs." not in ran.stderr
    assert "in fail" in ran.stderr


def _main() -> click.Group:
    """The real command, and one that fails as none should."""
    from rotator.cli import main

    @click.command()
    def fail() -> None:
        raise RuntimeError("the token was hvs.CAESIJ3n1kG8Yq2v6Zb0pRr4WxT7sLm9")

    return Commands(
        "rotator", params=main.params, callback=main.callback, commands={**main.commands, "fail": fail}
    )
