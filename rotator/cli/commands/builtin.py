"""Commands that print what is built in: schema, events, vault-policy, completion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from rotator.cli.exits import Exit
from rotator.cli.settings import Settings, config_option, json_option, pass_settings
from rotator.cli.teaching import ALONE, command

if TYPE_CHECKING:
    from rotator.vault.policies import Holder

_DEFAULT_MOUNT, _DEFAULT_BASE_PATH = "secret", "salesforce"


@command(
    "Print the JSON Schema of the configuration.",
    ALONE,
    "rotator schema > rotator.schema.json",
    "# then, at the top of the configuration:",
    "# yaml-language-server: $schema=rotator.schema.json",
    "rotator schema --included > config.d/included.schema.json",
)
@click.option("--included", is_flag=True, help="That of the files which `include` names.")
def schema(*, included: bool) -> None:
    """Print the JSON Schema of the configuration, or of the files that it includes, for editors."""
    from rotator.config import schema_text

    click.echo(schema_text(included=included), nl=False)


SHELLS = ("bash", "zsh", "fish")


@command(
    "Print what completes commands and NAMEs in a shell.",
    ALONE + " Completing reads the configuration that is named by -c or $ROTATOR_CONFIG, and nothing else.",
    "rotator completion bash > /etc/bash_completion.d/rotator",
    "rotator completion zsh > /usr/local/share/zsh/site-functions/_rotator",
    "rotator completion fish > ~/.config/fish/completions/rotator.fish",
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script with which a shell completes commands, options and the NAMEs of credentials at TAB."""
    from click.shell_completion import get_completion_class

    known = get_completion_class(shell)
    if known is None:
        raise click.UsageError(f"click completes nothing in {shell}.")
    root = click.get_current_context().find_root()
    click.echo(known(root.command, {}, "rotator", "_ROTATOR_COMPLETE").source())


@command("Print the catalogue of the log's events.", ALONE, "rotator events --alerts")
@click.option("--alerts", is_flag=True, help="Only those for which a person must act.")
@json_option
def events(*, alerts: bool, as_json: bool) -> None:
    """Print all that the log may say: event, level, section of the runbook, meaning; with --json the fields, too."""
    from rotator.cli.output import ROOMY, console, print_json, show, table
    from rotator.cli.topics import described
    from rotator.events import CATALOGUE

    chosen = [event for event in CATALOGUE if event.alert or not alerts]
    if as_json:
        print_json(chosen)
        return
    if console().width < ROOMY:
        show(*described(chosen))
        return
    table(
        ("EVENT", "LEVEL", "RUNBOOK", "MEANING"),
        [
            (event.name, event.level, event.runbook or "-", event.meaning.replace("``", "`"))
            for event in chosen
        ],
    )


@command(
    "Print the least rights that somebody needs in Vault.",
    ALONE + " A configuration, if there is one, tells mount and base path.",
    "rotator vault-policy daemon | bao policy write rotator -",
    "rotator vault-policy operator --credential acme",
    "rotator vault-policy consumer --credential acme --user integration@acme.example",
    name="vault-policy",
    exits=[Exit.PROBLEM, Exit.USAGE],
)
@click.argument("holder", type=click.Choice(["daemon", "operator", "consumer"]))
@click.option("--credential", metavar="NAME", help="Only for this credential; a consumer's policy needs it.")
@click.option("--user", metavar="USERNAME", help="consumer: only the token of this user.")
@click.option(
    "--mount", metavar="PATH", help=f"Mount of the KV engine. [default: as configured, or {_DEFAULT_MOUNT}]"
)
@click.option(
    "--base-path",
    metavar="PATH",
    help=f"Below it all documents live. [default: as configured, or {_DEFAULT_BASE_PATH}]",
)
@config_option
@pass_settings
def vault_policy(
    settings: Settings,
    *,
    holder: Holder,
    credential: str | None,
    user: str | None,
    mount: str | None,
    base_path: str | None,
) -> None:
    """Print the policy of the daemon, of an operator, or of the consumers of a credential, in HCL."""
    from rotator.vault.policies import policy

    if holder == "consumer" and not credential:
        raise click.UsageError("A consumer's policy is for one credential: name it with --credential NAME.")
    if settings.config is not None and (mount is None or base_path is None):
        vault = settings.load()[0].vault
        mount, base_path = mount or vault.mount, base_path or vault.base_path
    mount, base_path = mount or _DEFAULT_MOUNT, base_path or _DEFAULT_BASE_PATH
    click.echo(policy(holder, mount, base_path, credential=credential, user=user), nl=False)


COMMANDS = (schema, events, vault_policy, completion)
