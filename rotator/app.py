"""The composition root: from a configuration to the objects that work, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rotator.config import Configuration, CredentialConfig, SecretReference
from rotator.config.model import (
    AppRoleLogin,
    CertificateLogin,
    JwtLogin,
    KubernetesLogin,
    SalesforceConfig,
    TokenLogin,
    VaultConfig,
)
from rotator.core.slot import signers
from rotator.errors import KeyRefused, Misconfigured
from rotator.performer import Driver, Station, Tokens
from rotator.performer.identity import mismatch, other_org
from rotator.performer.toolbox import Toolbox, Wires
from rotator.publishers import Publisher
from rotator.publishers.command import CommandPublisher
from rotator.publishers.manual import ManualPublisher
from rotator.publishers.metadata import MetadataPublisher
from rotator.salesforce.appfiles import App, AppKind
from rotator.salesforce.budget import LoginBudget
from rotator.salesforce.http import WireSettings
from rotator.salesforce.rest import Org
from rotator.secret import Secret
from rotator.show.logs import redactor
from rotator.vault.client import VaultClient
from rotator.vault.documents import Documents
from rotator.vault.settings import AppRole, Certificate, Jwt, Kubernetes, Login, Token, VaultSettings


@dataclass(frozen=True, slots=True)
class Kept:
    """What outlives an application that another one replaces.

    Attributes:
        client: what it has of a login serves on: a wrapped secret_id can be unwrapped once.
        budget: the logins of the hour are not given anew.
        sessions: credential, consumer key -> user -> token, of those that publish none: no other copy of it is anywhere,
            and while a certificate is changed no key may bring another.
    """

    client: VaultClient
    budget: LoginBudget
    sessions: Mapping[tuple[str, str | None], Tokens]


@dataclass
class Application:
    """Everything that a command or the daemon works with."""

    configuration: Configuration
    client: VaultClient
    documents: Documents
    tools: Toolbox
    driver: Driver

    @property
    def kept(self) -> Kept:
        """Return what the application that replaces this one takes over."""
        sessions = {
            (name, station.config.consumer_key): dict(station.tokens)
            for name, station in self.driver.stations.items()
            if not station.config.publish
        }
        return Kept(self.client, self.tools.budget, sessions)

    def close(self) -> None:
        """Give all connections back."""
        self.tools.wires.close()
        self.client.close()


@contextmanager
def application(
    configuration: Configuration, token_file: Path | None = None, before: Kept | None = None
) -> Iterator[Application]:
    """Put the parts together. Nothing is sent before the first call.

    Args:
        token_file: speak to Vault with this token, and not as the daemon does.
        before: of the application that this one replaces.
    """
    login: Login | None = Token(token_file) if token_file is not None else None
    client = VaultClient(vault_settings(configuration.vault, login), before=before.client if before else None)
    documents = Documents(client)
    budget = before.budget if before else LoginBudget()
    tools = Toolbox(documents, Wires(wire_settings(configuration.salesforce)), budget)
    driver = Driver(tools, configuration.fleet)
    for name, credential in configuration.credentials.items():
        driver.stations[name] = station = station_of(credential, tools, driver)
        if before and not credential.publish:
            station.tokens |= before.sessions.get((name, credential.consumer_key), {})
    app = Application(configuration, client, documents, tools, driver)
    try:
        yield app
    finally:
        app.close()


def station_of(credential: CredentialConfig, tools: Toolbox, driver: Driver) -> Station:
    """Return the station of a credential with its publisher."""
    app = app_of(credential)
    publisher = _publisher(credential, app, tools, driver)
    return Station(credential.name, credential, credential.terms(), app, publisher)


def app_of(credential: CredentialConfig) -> App:
    """Return the app that holds the certificate; one without a name is called after its credential."""
    if credential.app is None:
        return App(AppKind.EXTERNAL_CLIENT_APP, credential.name, credential.consumer_key)
    return App(AppKind(credential.app.type), credential.app.name, credential.consumer_key)


def _publisher(credential: CredentialConfig, app: App, tools: Toolbox, driver: Driver) -> Publisher:
    deploy = credential.deploy
    if deploy.publisher == "manual" or (deploy.publisher == "command" and deploy.command is None):
        return ManualPublisher(app, clock=tools.clock)
    if deploy.command is not None and deploy.publisher == "command":
        return CommandPublisher(
            deploy.command, credential=credential.name, timeout=deploy.timeout, clock=tools.clock
        )
    source = None if isinstance(deploy.source, str) else deploy.source.directory
    deployer = credential.deployer_name or credential.name
    session = deployer_session(deployer, tools, driver, target=credential.name)
    return MetadataPublisher(tools.wires, session, app, source, clock=tools.clock)


def deployer_session(name: str, tools: Toolbox, driver: Driver, *, target: str) -> Callable[[], Org]:
    """Return what makes a session for deploys to the app of ``target``.

    It is minted with the deployer's key as its first user, and never published. Where the org takes no key, as while
    the deployer's own certificate is changed, the one that is kept alive serves.
    """

    def session() -> Org:
        station = driver.stations.get(name)
        if station is None:
            raise Misconfigured(
                f"the deployer {name} is not in service",
                code="deployer.absent",
                hint=f"Mend credentials.{name}.",
            )
        driver.acquaint(station)
        user, serials = station.terms.users[0], signers(station.record, station.terms, tools.clock())
        try:
            grant, _serial = tools.mint_first(station, user, serials)
        except KeyRefused:
            known, _version = station.tokens.get(user, (None, 0))
            if known is None:
                raise
            _refuse_other_org(station, driver.stations[target], known.org_id)
            return Org(known.instance_url, known.access_token, known.api_version)
        _refuse_other_org(station, driver.stations[target], grant.org_id)
        return tools.org(station, grant)

    return session


def _refuse_other_org(deployer: Station, target: Station, org_id: str) -> None:
    """Raise Misconfigured when a deployer would deploy into an org in which the app to be changed is not."""
    differs = mismatch(deployer, org_id) or other_org(target, org_id)
    if differs is not None:
        raise Misconfigured(
            f"the deployer {deployer.name} logs in elsewhere: {differs}",
            code="deployer.other_org",
            hint=f"Check the login_url of {deployer.name} and of {target.name}, or let another one deploy.",
        )


def wire_settings(config: SalesforceConfig) -> WireSettings:
    """Return how Salesforce is reached."""
    proxy = config.proxy.read().reveal() if isinstance(config.proxy, SecretReference) else config.proxy
    if isinstance(config.proxy, SecretReference) and proxy is not None:
        redactor.remember(proxy)
    return WireSettings(
        connect_timeout_seconds=config.connect_timeout.total_seconds(),
        read_timeout_seconds=config.read_timeout.total_seconds(),
        ca_file=config.ca_file,
        proxy=proxy,
    )


def vault_settings(config: VaultConfig, login: Login | None = None) -> VaultSettings:
    """Return how Vault is reached, and as whom."""
    tls = config.client_certificate
    return VaultSettings(
        address=config.address,
        login=login or _login(config),
        mount=config.mount,
        base_path=config.base_path,
        namespace=config.namespace,
        ca_file=config.ca_file,
        client_certificate=(tls.certificate_file, tls.key_file) if tls else None,
        redirect_hosts=config.redirect_hosts,
        timeout_seconds=config.timeout.total_seconds(),
    )


def _login(config: VaultConfig) -> Login:
    match config.login:
        case AppRoleLogin() as login:
            return AppRole(
                role_id=_source(login.role_id),
                secret_id=_source(login.secret_id),
                mount=login.mount,
                wrapped=login.wrapped,
                role_name=login.role_name,
            )
        case KubernetesLogin() as login:
            return Kubernetes(login.role, login.token_file, login.mount)
        case CertificateLogin() as login:
            return Certificate(login.certificate_file, login.key_file, login.role or "", login.mount)
        case JwtLogin() as login:
            return Jwt(login.role, login.token_file, login.mount)
        case TokenLogin() as login:
            return Token(_source(login.token))


def _source(value: str | SecretReference) -> Secret | Path:
    """Return a secret, or the file that is read anew at each login."""
    if isinstance(value, str):
        return Secret(value)
    path = value.path()
    if path is not None:
        redactor.remember(value.read(), path)  # also sees to it that the file may be read, and by us alone
        return path
    secret = value.read()
    redactor.remember(secret)
    return secret
