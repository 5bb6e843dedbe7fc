"""Commands that write what other programs take: export postman."""

from __future__ import annotations

from pathlib import Path

import click

from rotator.cli.exits import Exit
from rotator.cli.settings import (
    Settings,
    json_option,
    name_argument,
    on_vault,
    pass_settings,
    user_option,
)
from rotator.cli.teaching import command, family

_WHO = (
    "Acts by itself. It needs the configuration alone, and speaks to nobody; only for --with-assertion and "
    "--with-private-key it reads the key in Vault with the rights of the daemon (`rotator vault-policy daemon`)."
)


@command(
    "Write a Postman collection that tries a credential by hand.",
    _WHO,
    "rotator export postman acme",
    "rotator export postman acme --with-assertion",
    "newman run acme.postman_collection.json -e acme.postman_environment.json",
    exits=[Exit.PROBLEM, Exit.USAGE, Exit.UNAVAILABLE],
)
@name_argument
@user_option
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Where both files are written. [default: here]",
)
@click.option(
    "--with-assertion",
    is_flag=True,
    help="Put a fresh assertion into the environment: good for one user, and for two minutes.",
)
@click.option(
    "--with-private-key",
    is_flag=True,
    help="Put the private key itself into the environment. Whoever reads that file can log in.",
)
@click.option(
    "--overwrite", is_flag=True, help="Write also over files that differ, and may have been edited."
)
@on_vault
@json_option
@pass_settings
def postman(
    settings: Settings,
    name: str,
    *,
    user: str | None,
    directory: Path,
    with_assertion: bool,
    with_private_key: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write a Postman collection (v2.1) and its environment, for Postman and newman.

    They are the calls with which people try a credential: a token for a signed assertion, who it stands for, Accounts
    by query and by sobjects/Account, limits, introspection. Each request tells what mends a refusal. The collection
    is the same for all users; the environment (mode 0600) is for one. Neither holds a secret unless you ask: paste
    the private key into the variable private_key, or ask for an assertion, which the first request sends as it is.
    """
    from rotator.cli.postman import Wishes, export_postman

    wishes = Wishes(user, directory, with_assertion, with_private_key, overwrite)
    export_postman(settings, name, wishes, as_json=as_json)


export = family(
    "export",
    "Write what other programs take.",
    "Write what other programs take, such as Postman.",
    _WHO,
    "rotator export postman acme",
    commands=[postman],
)

COMMANDS = (export,)
