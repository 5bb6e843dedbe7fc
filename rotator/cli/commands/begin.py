"""Commands with which a credential begins: init, adopt."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from rotator.cli.commands.request import ASKING, common_options, request_options
from rotator.cli.settings import Settings, pass_settings, some_names_argument
from rotator.cli.teaching import ASKS, command


@command(
    "Begin with a new key pair, and a new app.",
    ASKS
    + " To write the app's files, the certificate is read beside the key: that needs the daemon's rights.",
    "rotator init acme --directory acme-app",
    "rotator init deployer acme --here --directory apps      # before there is a daemon",
    exits=ASKING,
)
@some_names_argument
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the metadata files of the apps are written. [default: the name of the first app, here]",
)
@click.option(
    "--permission-set",
    metavar="NAME",
    help="Permission set whose users may use the app. [default: Rotator_Deployer for who brings certificates in, "
    "else Rotator_Integration]",
)
@click.option(
    "--contact-email",
    metavar="ADDRESS",
    help="Whom Salesforce writes to about the app. [default: key.subject.email, else the first user]",
)
@common_options
@pass_settings
def init(
    settings: Settings,
    names: tuple[str, ...],
    *,
    directory: Path | None,
    permission_set: str | None,
    contact_email: str | None,
    where: str | None,
    within: timedelta | None,
    as_json: bool,
) -> None:
    """Begin credentials: make the first key pair of each NAME, and the metadata files of their apps.

    A private key is made and stored in Vault by the daemon and never leaves it. Then this writes the files of an
    External Client App (or Connected App) for each certificate into one folder, and prints what a person does with
    them. A key pair signs once the org takes it. May be repeated: the files and the list are made again.
    """
    from rotator.cli.requests.asking import Manner
    from rotator.cli.requests.first_keys import NewAppWishes, init_credentials

    manner = Manner(where=where, within=within, as_json=as_json)
    wishes = NewAppWishes(directory, permission_set, contact_email)
    click.get_current_context().exit(init_credentials(settings, names, wishes, manner))


@command(
    "Begin with a key pair that the app holds already.",
    ASKS,
    "rotator adopt acme --key acme.key --cert acme.crt",
    "rotator adopt acme --key acme.key --cert acme.crt --passphrase-file passphrase",
    exits=ASKING,
)
@click.option(
    "--key",
    "key_file",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The private key (PEM or DER; PKCS#1 or PKCS#8, encrypted or not).",
)
@click.option(
    "--cert",
    "certificate_file",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The certificate (PEM or DER) that the app holds.",
)
@click.option(
    "--passphrase-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Holds the passphrase of an encrypted key.",
)
@click.option(
    "--no-wait", is_flag=True, help="Don't stay until the org has taken the key pair several times."
)
@request_options
@pass_settings
def adopt(
    settings: Settings,
    name: str,
    *,
    key_file: Path,
    certificate_file: Path,
    passphrase_file: Path | None,
    no_wait: bool,
    where: str | None,
    within: timedelta | None,
    as_json: bool,
) -> None:
    """Take over a key pair whose certificate the app holds already, such as OpenSSL made.

    Key and certificate are looked at here first: they must belong together. The key travels to the daemon in its
    request, which nobody else can read, and is deleted with it. It signs once the org has taken it several times.
    Delete your own copies of the key afterwards.
    """
    from rotator.cli.requests.asking import Manner
    from rotator.cli.requests.first_keys import KeyFiles, adopt_pair

    manner = Manner(where=where, within=within, as_json=as_json, wait=not no_wait)
    files = KeyFiles(key_file, certificate_file, passphrase_file)
    click.get_current_context().exit(adopt_pair(settings, name, files, manner))


COMMANDS = (init, adopt)
