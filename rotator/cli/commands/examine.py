"""Commands that try things out: check, doctor, token."""

from __future__ import annotations

import click

from rotator.cli.exits import Exit
from rotator.cli.settings import (
    Settings,
    config_option,
    json_option,
    name_argument,
    names_argument,
    on_vault,
    pass_settings,
    user_of,
    user_option,
)
from rotator.cli.teaching import ALONE, AS_DAEMON, command


@command(
    "Tell every mistake in the configuration.",
    ALONE + " `rotator doctor` tries Vault and Salesforce.",
    "rotator check -c rotator.yaml && systemctl reload rotator",
    exits=[Exit.USAGE],
)
@config_option
@json_option
@pass_settings
def check(settings: Settings, *, as_json: bool) -> None:
    """Read the configuration and tell every mistake in it: file, line, key, what is wrong, what mends it."""
    from rotator.cli.output import GOOD, print_json, say
    from rotator.config import ConfigurationError, load

    try:
        configuration = load(settings.file())
    except ConfigurationError as error:
        if not as_json:
            raise
        print_json({"well": False, "problems": error.problems})
        click.get_current_context().exit(Exit.USAGE)
    if as_json:
        print_json({"well": True, "problems": [], "credentials": list(configuration.credentials)})
    else:
        count = len(configuration.credentials)
        say(f"{configuration.file} holds: {count} credential{'s' if count > 1 else ''}", GOOD)


@command(
    "Try every part online, and tell what mends it.",
    AS_DAEMON,
    "rotator doctor",
    "rotator doctor acme --json",
    "rotator doctor --survey acme",
    exits=[Exit.PROBLEM, Exit.USAGE, Exit.UNAVAILABLE],
)
@names_argument
@click.option(
    "--survey",
    "as_survey",
    is_flag=True,
    help="Tell how the org of one NAME behaves, and look at nothing else.",
)
@on_vault
@json_option
@pass_settings
def doctor(settings: Settings, names: tuple[str, ...], *, as_survey: bool, as_json: bool) -> None:
    """Try every part online, and tell for each failure what mends it. Changes nothing.

    This machine (files and their modes, the daemon's sign of life), the configuration, Vault with its policy and
    clock; then for each credential (NAMEs, or all) the login of every
    user, identity and scopes, an Account query, the API version, the calls that the org has left today, the published
    token, the certificate's end, whether a deploy would be taken (checkOnly), how long sessions live compared with
    `session.timeout`, and whether they are bound to an address. What nobody may read there is told as unseen, with the
    way to look by hand; that is no failure. Ends with exit code 3 where nothing fails but what cannot be reached at the
    moment.

    With --survey it answers questions about the org of one NAME that Salesforce's documentation leaves open. It only
    logs in and reads; nothing is deployed, not even checkOnly. As the first user it sends at most 9 logins, each
    signed with the key that signs now and none with a wrong one: one as configured, exp after 180, 300 and 600
    seconds and in milliseconds, and the audiences login.salesforce.com, test.salesforce.com, login_url and instance
    URL. Some are refused; all stand in the user's Login History. With the first token it reads services/data, limits
    and introspection (if there is a session.client_secret), and sends SOAP describeMetadata. As the deployer it logs in
    once, and reads SecuritySettings (readMetadata), the user's newest AuthSession, and the app (listMetadata, retrieve);
    where no deployer uses the Metadata API, the user asks itself, and leaves the app out.
    """
    if as_survey:
        if len(names) != 1:
            raise click.UsageError("--survey needs one NAME: each survey logs in several times.")
        _survey(settings, names[0], as_json=as_json)
        return
    from itertools import chain

    from rotator.cli.findings import show_findings, show_summary, verdict
    from rotator.cli.host import examine_machine
    from rotator.cli.output import print_json
    from rotator.doctor import examine

    with settings.application(names, tells=False, as_daemon=True) as (app, problems):
        looked = chain(examine_machine(app.configuration), examine(app, problems, names))
        found = list(looked) if as_json else show_findings(looked, app.configuration)
    if as_json:
        print_json({"well": all(finding.ok for finding in found), "findings": found})
    else:
        show_summary(found)
    click.get_current_context().exit(verdict(found))


def _survey(settings: Settings, name: str, *, as_json: bool) -> None:
    from rotator.cli.output import FAINT, hanging, print_json, say, show
    from rotator.survey import Observation, survey

    with settings.application([name], as_daemon=True) as (app, _problems):
        seen: list[Observation] = []
        for observation in survey(app, app.driver.stations[name]):
            seen.append(observation)
            if not as_json:
                say(observation.question, "bold")
                show(hanging("    ", observation.answer), hanging("    ", f"({observation.how})", FAINT))
    if as_json:
        print_json({"credential": name, "observations": seen})


@command(
    "Mint an access token, and show how.",
    AS_DAEMON,
    "rotator token acme",
    "rotator token acme --user reports@acme.example --json",
    "rotator token acme --show-secrets",
    exits=[Exit.PROBLEM, Exit.USAGE, Exit.UNAVAILABLE],
)
@name_argument
@user_option
@click.option("--show-secrets", is_flag=True, help="Print the access token, which is masked otherwise.")
@on_vault
@json_option
@pass_settings
def token(settings: Settings, name: str, *, user: str | None, show_secrets: bool, as_json: bool) -> None:
    """Mint an access token with the key pair that signs now, call the org with it, and show how.

    Publishes nothing. Salesforce gives the same token again while its session lives, so this may be the very token
    that consumers hold: don't revoke it.
    """
    from rotator.cli.minting import mint_and_tell

    with settings.application([name], as_daemon=True) as (app, _problems):
        user = user_of(app.configuration.credentials[name], user)
        mint_and_tell(app, name, user, show_secrets=show_secrets, as_json=as_json)


COMMANDS = (check, doctor, token)
