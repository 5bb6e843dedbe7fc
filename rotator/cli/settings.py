"""The options that commands share, before the command or after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from rotator.cli.names import credential_names, nearest
from rotator.errors import Misconfigured, RotatorError

if TYPE_CHECKING:
    from rotator.app import Application
    from rotator.config import Configuration, CredentialConfig, Problem

CONFIG: Final = "ROTATOR_CONFIG"
TOKEN_FILE: Final = "ROTATOR_VAULT_TOKEN_FILE"  # noqa: S105 - a name of a variable

_NEEDS_DAEMON: Final = "This command needs the daemon's rights, which an operator's token has not: run it as root on the host of the service."

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Settings:
    """What was given on the command line."""

    config: Path | None = None
    token_file: Path | None = None

    def file(self) -> Path:
        """Return where the configuration is. Raises click.UsageError when nobody said so."""
        if self.config is None:
            raise click.UsageError(f"Which configuration? Give -c FILE, or set {CONFIG}.")
        return self.config

    def load(
        self, names: Sequence[str] = (), *, works: bool = False, tells: bool = True
    ) -> tuple[Configuration, tuple[Problem, ...]]:
        """Return what holds of the configuration, and what does not; the credentials named are seen to be in it.

        Raises ConfigurationError or click.UsageError.

        Args:
            works: the command does what a daemon does, and not for a credential whose deployer is set aside.
            tells: where credentials are named, what does not hold is told; the command does not tell it itself.
        """
        from rotator.config import load_lenient

        configuration, problems = load_lenient(self.file(), dependents=not works)
        see_to_names(configuration, problems, names)
        if names and problems and tells:
            from rotator.cli.aside import concerning, tell_elsewhere, tell_not_in_force

            tell_not_in_force(concerning(problems, names))
            tell_elsewhere(problems, names)
        return configuration, problems

    @contextmanager
    def application(
        self,
        names: Sequence[str] = (),
        *,
        works: bool = False,
        tells: bool = True,
        as_daemon: bool = False,
    ) -> Iterator[tuple[Application, tuple[Problem, ...]]]:
        """Put the parts together, for the configuration as :meth:`load` returns it.

        Args:
            works: as for :meth:`load`; and a secret_id that can be unwrapped once may be unwrapped by this command.
            tells: as for :meth:`load`.
            as_daemon: the command needs the rights of the daemon, and says so where Vault does not grant them.
        """
        from rotator.app import application

        configuration, problems = self.load(names, works=works, tells=tells)
        if not works and self.token_file is None:
            leave_wrapped(configuration)
        try:
            with application(configuration, self.token_file) as app:
                yield app, problems
        except RotatorError as error:
            if as_daemon:
                error.hint = self.daemons_hint(error.code, error.hint)
            raise

    def daemons_hint(self, code: str, hint: str) -> str:
        """Return what mends an error of a command with the daemon's rights: not that a person is granted the keys."""
        from rotator.vault.refusals import PERMISSION_DENIED

        return _NEEDS_DAEMON if code == PERMISSION_DENIED and self.token_file is not None else hint


def leave_wrapped(configuration: Configuration) -> None:
    """Raise Misconfigured when the configuration's login would use up what the daemon needs at its start."""
    from rotator.config.model import AppRoleLogin

    login = configuration.vault.login
    if isinstance(login, AppRoleLogin) and login.wrapped:
        raise Misconfigured(
            "the secret_id of vault.login is wrapped: it can be unwrapped once, and that is for `run` and `once`",
            code="config.wrapped",
            hint=f"Give --vault-token-file FILE, or set {TOKEN_FILE}, with a Vault token of your own. "
            "`rotator vault-policy operator` prints the policy that it needs for most commands.",
        )


def see_to_names(configuration: Configuration, problems: Sequence[Problem], names: Sequence[str]) -> None:
    """Raise ConfigurationError or click.UsageError when a credential is set aside, or is not there."""
    from rotator.config import ConfigurationError

    for name in names:
        if name in configuration.credentials:
            continue
        # What stands in an included file that can't be read nobody knows.
        own = [problem for problem in problems if problem.credential in (name, None)]
        if own:
            raise ConfigurationError(own)
        known = list(configuration.credentials)
        raise click.UsageError(
            f"There is no credential {name!r} in {configuration.file}. {nearest(name, known)}"
        )


def user_of(credential: CredentialConfig, user: str | None) -> str:
    """Return a user of a credential: the one named, else the first. Raises click.UsageError for a stranger."""
    known = credential.usernames
    if user is not None and user not in known:
        raise click.UsageError(f"{credential.name} has no user {user!r}. There are: {', '.join(known)}.")
    return user or known[0]


def _remember(context: click.Context, parameter: click.Parameter, value: Path | None) -> None:
    if value is not None and parameter.name is not None:
        setattr(context.ensure_object(Settings), parameter.name, value)


def config_option(function: F) -> F:
    """Add ``-c``: the configuration."""
    return click.option(
        "-c",
        "--config",
        "config",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        expose_value=False,
        callback=_remember,
        help=f"The configuration. [default: ${CONFIG}]",
    )(function)


def token_option(function: F) -> F:
    """Add ``--vault-token-file``: speak to Vault with a token of one's own."""
    return click.option(
        "--vault-token-file",
        "token_file",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        expose_value=False,
        callback=_remember,
        help=f"Speak to Vault with the token in this file, not with the configuration's login. "
        f"[default: ${TOKEN_FILE}]",
    )(function)


def on_vault(function: F) -> F:
    """Add the options of a command that speaks to Vault."""
    return config_option(token_option(function))


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def complete_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the credentials that a shell may complete a NAME to."""
    settings = context.find_object(Settings)
    file = (settings and settings.config) or context.find_root().params.get("config")
    given = context.params.get(parameter.name or "")
    taken = given if isinstance(given, tuple) else ()
    known = credential_names(Path(file).expanduser()) if file else []
    return [name for name in known if name.startswith(incomplete) and name not in taken]


name_argument = click.argument("name", metavar="NAME", shell_complete=complete_names)
some_names_argument = click.argument(
    "names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete_names
)
names_argument = click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_names)
user_option = click.option("--user", metavar="USERNAME", help="As whom to log in. [default: the first user]")
pass_settings = click.make_pass_decorator(Settings, ensure=True)
