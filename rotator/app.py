"""The composition root: from a configuration to the objects that work, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
from rotator.errors import KeyRefused, Misconfigured, RotatorError, Transient
from rotator.performer import Driver, Station
from rotator.performer.identity import mismatch, other_org
from rotator.performer.toolbox import Toolbox, Wires
from rotator.publishers import Publisher
from rotator.publishers.command import CommandPublisher
from rotator.publishers.manual import ManualPublisher
from rotator.publishers.metadata import MetadataPublisher
from rotator.salesforce.appfiles import App, AppKind
from rotator.salesforce.http import WireSettings
from rotator.salesforce.rest import Org
from rotator.salesforce.transport import trust
from rotator.secret import Secret
from rotator.show.logs import redactor
from rotator.vault.client import VaultClient
from rotator.vault.documents import Documents
from rotator.vault.examine import examine
from rotator.vault.settings import AppRole, Certificate, Jwt, Kubernetes, Login, Token, VaultSettings


@dataclass(frozen=True)
class Prepared:
    """Another configuration, of which all files were read and whose Vault was tried: nothing is in its way any more.

    Attributes:
        client: speaks to its Vault, logged in; the present one where Vault's settings are the same.
    """

    configuration: Configuration
    wires: WireSettings
    client: VaultClient
    documents: Documents


@dataclass
class Application:
    """Everything that a command or the daemon works with.

    Attributes:
        token_file: speak to Vault with the token in it, and not as the configuration says.
    """

    configuration: Configuration
    client: VaultClient
    documents: Documents
    tools: Toolbox
    driver: Driver
    token_file: Path | None = None

    def prepare(self, configuration: Configuration) -> Prepared:
        """Read and try what another configuration needs, so that nothing is left that can fail. Nothing changes yet.

        Where Vault's settings changed, the new Vault is logged in to and asked for requests. That takes no longer than
        its time limits let it. Raises RotatorError, also where that Vault does not answer: tokens would stop by it.
        """
        wires = wire_settings(configuration.salesforce)
        trust(wires.ca_file)
        vault = vault_settings(configuration.vault, self.token_file, unwrapped=self.client.has_unwrapped)
        examine(vault)
        if vault == self.client.settings:
            return Prepared(configuration, wires, self.client, self.documents)
        client = VaultClient(vault, before=self.client)
        documents = Documents(client)
        try:
            documents.list_requests()
        except RotatorError as error:
            client.close()
            raise type(error)(
                f"its Vault cannot be used: {error.message}", code=error.code, hint=error.hint
            ) from None
        return Prepared(configuration, wires, client, documents)

    def renew(self, prepared: Prepared) -> bool:
        """Work by another configuration from now on; only what must is built anew.

        Returns whether Vault's settings changed. The stations stay: :meth:`renew_station` makes another of each whose own
        changed, or whose place in Vault did. Steps under way keep the driver that they have, and with it the Vault.
        """
        self.tools.wires.renew(prepared.wires)
        self.driver.neighbours.renew(prepared.configuration.fleet)
        self.configuration = prepared.configuration
        if prepared.client is self.client:
            return False
        former, self.client = self.client, prepared.client
        self.documents = prepared.documents
        self.tools = self.tools.renewed(self.documents)
        self.driver = replace(self.driver, tools=self.tools)
        former.close()
        return True

    def take_up(self, credential: CredentialConfig) -> Station:
        """Serve a credential that was not served before."""
        station = self.driver.stations[credential.name] = self.station_of(credential)
        return station

    def renew_station(self, station: Station, credential: CredentialConfig) -> Station:
        """Serve a credential by other settings, or with another Vault. To be called between two steps of it."""
        with station.lock:
            renewed = station.renewed(self.station_of(credential))
            self.driver.stations[station.name] = renewed
        return renewed

    def station_of(self, credential: CredentialConfig) -> Station:
        """Return a station of a credential with its publisher, of which nothing is known yet."""
        app = app_of(credential)
        publisher = _publisher(credential, app, lambda: self.driver)
        return Station(credential.name, credential, credential.terms(), app, publisher, self.documents.place)

    def close(self) -> None:
        """Give all connections back."""
        self.tools.wires.close()
        self.client.close()


@contextmanager
def application(configuration: Configuration, token_file: Path | None = None) -> Iterator[Application]:
    """Put the parts together. Nothing is sent before the first call.

    Args:
        token_file: speak to Vault with this token, and not as the daemon does.
    """
    client = VaultClient(vault_settings(configuration.vault, token_file))
    documents = Documents(client)
    tools = Toolbox(documents, Wires(wire_settings(configuration.salesforce)))
    driver = Driver.of(tools, configuration.fleet)
    app = Application(configuration, client, documents, tools, driver, token_file)
    for credential in configuration.credentials.values():
        app.take_up(credential)
    try:
        yield app
    finally:
        app.close()


def app_of(credential: CredentialConfig) -> App:
    """Return the app that holds the certificate; one without a name is called after its credential."""
    if credential.app is None:
        return App(AppKind.EXTERNAL_CLIENT_APP, credential.name, credential.consumer_key)
    return App(AppKind(credential.app.type), credential.app.name, credential.consumer_key)


def _publisher(credential: CredentialConfig, app: App, driver: Callable[[], Driver]) -> Publisher:
    deploy, tools = credential.deploy, driver().tools
    if deploy.publisher == "manual" or (deploy.publisher == "command" and deploy.command is None):
        return ManualPublisher(app, clock=tools.clock)
    if deploy.command is not None and deploy.publisher == "command":
        return CommandPublisher(
            deploy.command, credential=credential.name, timeout=deploy.timeout, clock=tools.clock
        )
    source = None if isinstance(deploy.source, str) else deploy.source.directory
    deployer = credential.deployer_name or credential.name
    session = deployer_session(deployer, driver, target=credential.name)
    return MetadataPublisher(tools.wires, session, app, source, clock=tools.clock)


def deployer_session(name: str, present: Callable[[], Driver], *, target: str) -> Callable[[], Org]:
    """Return what makes a session for deploys to the app of ``target``.

    It is minted with the deployer's key as its first user, and never published. Where the org takes no key, as while
    the deployer's own certificate is changed, the one that is kept alive serves.

    Args:
        present: returns the driver by then: the session outlives a change of Vault.
    """

    def session() -> Org:
        driver = present()
        tools, station = driver.tools, driver.stations.get(name)
        if station is None:
            raise Misconfigured(
                f"the deployer {name} is not in service",
                code="deployer.absent",
                hint=f"Mend credentials.{name}.",
            )
        if not station.place == driver.stations[target].place == tools.documents.place:
            raise Transient(
                f"{target} and its deployer {name} are just being taken over into another Vault",
                code="deployer.elsewhere",
                hint="It is tried again; there is nothing to do.",
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


def vault_settings(
    config: VaultConfig, token_file: Path | None = None, *, unwrapped: bool = False
) -> VaultSettings:
    """Return how Vault is reached, and as whom: as configured, or with the token in a file.

    Args:
        unwrapped: a wrapped secret_id was unwrapped before, so that nobody misses its file.
    """
    tls = config.client_certificate
    return VaultSettings(
        address=config.address,
        login=_login(config, unwrapped=unwrapped) if token_file is None else Token(token_file),
        mount=config.mount,
        base_path=config.base_path,
        namespace=config.namespace,
        ca_file=config.ca_file,
        client_certificate=(tls.certificate_file, tls.key_file) if tls else None,
        redirect_hosts=config.redirect_hosts,
        timeout_seconds=config.timeout.total_seconds(),
    )


def _login(config: VaultConfig, *, unwrapped: bool) -> Login:
    match config.login:
        case AppRoleLogin() as login:
            return AppRole(
                role_id=_source(login.role_id),
                secret_id=_source(login.secret_id, may_be_gone=login.wrapped and unwrapped),
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


def _source(value: str | SecretReference, *, may_be_gone: bool = False) -> Secret | Path:
    """Return a secret, or the file that is read anew at each login."""
    if isinstance(value, str):
        return Secret(value)
    path = value.path()
    if path is not None:
        if path.exists() or not may_be_gone:
            redactor.remember(
                value.read(), path
            )  # also sees to it that the file may be read, and by us alone
        return path
    secret = value.read()
    redactor.remember(secret)
    return secret
