"""The whole file: Vault, Salesforce, the fleet, the log, and the credentials."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, PrivateAttr, Tag

from rotator.config.credential import CredentialConfig
from rotator.config.durations import Duration
from rotator.config.secrets import SecretField
from rotator.config.shape import (
    AnyUrl,
    BaseUrl,
    CredentialName,
    FilePath,
    HostAndPort,
    Section,
    Text,
    matching,
    text_or_mapping,
)
from rotator.config.web import WebConfig

_SEGMENT = r"(?!-(?:/|$))[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*"
VaultPath = Annotated[
    str,
    AfterValidator(lambda path: path.rstrip("/")),
    matching(
        rf"{_SEGMENT}(?:/{_SEGMENT})*",
        "cannot be used as a path in Vault",
        "Use letters, digits, `_`, `-` and single dots, with `/` between segments.",
    ),
]
Namespace = Annotated[
    str,
    matching(
        r"[!-~]+",
        "cannot name a namespace: HTTP headers carry visible ASCII characters alone",
        "Write its path, such as team-a or team-a/rotator.",
    ),
]
TextOrSecret = Annotated[
    Annotated[Text, Tag("text")] | Annotated[SecretField, Tag("mapping")], Discriminator(text_or_mapping)
]
ProxyUrl = Annotated[
    Annotated[AnyUrl, Tag("text")] | Annotated[SecretField, Tag("mapping")], Discriminator(text_or_mapping)
]


_METHOD = "Auth method."
_MOUNT = "Where Vault has the auth method mounted."


class AppRoleLogin(Section):
    """Log in to Vault with role_id and secret_id."""

    method: Literal["approle"] = Field(description=_METHOD)
    mount: VaultPath = Field(default="approle", description=_MOUNT)
    role_id: TextOrSecret = Field(description="No secret by itself.", examples=["5f1b0c9e-rotator"])
    secret_id: SecretField = Field(
        description="Where the secret_id is.", examples=[{"file": "credentials/secret_id"}]
    )
    wrapped: bool = Field(
        default=False,
        description="secret_id holds a response-wrapping token, good for one start of `run` or `once`. Other commands "
        "then need --vault-token-file.",
    )
    role_name: Text | None = Field(
        default=None, description="wrapped: the role that the wrapping token must come from."
    )


class KubernetesLogin(Section):
    """Log in to Vault with the pod's service account."""

    method: Literal["kubernetes"] = Field(description=_METHOD)
    mount: VaultPath = Field(default="kubernetes", description=_MOUNT)
    role: Text = Field(description="Role to log in with.", examples=["rotator"])
    token_file: FilePath = Field(
        default=Path("/var/run/secrets/kubernetes.io/serviceaccount/token"),
        description="Token of the service account.",
    )


class CertificateLogin(Section):
    """Log in to Vault with a TLS client certificate."""

    method: Literal["cert"] = Field(description=_METHOD)
    mount: VaultPath = Field(default="cert", description=_MOUNT)
    certificate_file: FilePath = Field(
        description="Client certificate (PEM).", examples=["credentials/vault-client.pem"]
    )
    key_file: FilePath = Field(
        description="Its private key (PEM).", examples=["credentials/vault-client.key"]
    )
    role: Text | None = Field(default=None, description="Default: Vault tries all roles.")


class JwtLogin(Section):
    """Log in to Vault with a JSON Web Token that somebody else keeps fresh in a file."""

    method: Literal["jwt"] = Field(description=_METHOD)
    mount: VaultPath = Field(default="jwt", description=_MOUNT)
    role: Text = Field(description="Role to log in with.", examples=["rotator"])
    token_file: FilePath = Field(description="File with the token.", examples=["/run/rotator/identity.jwt"])


class TokenLogin(Section):
    """Use a Vault token that somebody else made."""

    method: Literal["token"] = Field(description=_METHOD)
    token: SecretField = Field(description="Where the token is.", examples=[{"file": "vault-token"}])


VaultLogin = Annotated[
    AppRoleLogin | KubernetesLogin | CertificateLogin | JwtLogin | TokenLogin, Field(discriminator="method")
]


class ClientCertificate(Section):
    """TLS client certificate for a listener of Vault that demands one."""

    certificate_file: FilePath = Field(
        description="Client certificate (PEM).", examples=["credentials/vault-client.pem"]
    )
    key_file: FilePath = Field(
        description="Its private key (PEM).", examples=["credentials/vault-client.key"]
    )


class VaultConfig(Section):
    """Where keys, records and tokens are kept."""

    address: BaseUrl = Field(
        description="Base URL of Vault or OpenBao.", examples=["https://vault.example.com:8200"]
    )
    login: VaultLogin = Field(
        description="How rotator logs in.",
        examples=[
            {
                "method": "approle",
                "role_id": "5f1b0c9e-rotator",
                "secret_id": {"file": "credentials/secret_id"},
            }
        ],
    )
    namespace: Namespace | None = Field(
        default=None, description="Namespace, where Vault has them.", examples=["team-a"]
    )
    ca_file: FilePath | None = Field(
        default=None,
        description="Certificates to trust instead of the system's.",
        examples=["/etc/ssl/vault-ca.pem"],
    )
    client_certificate: ClientCertificate | None = Field(
        default=None, description="For a listener that demands a client certificate."
    )
    redirect_hosts: tuple[HostAndPort, ...] = Field(
        default=(),
        description="Further hosts (host or host:port) that a standby may send requests on to. The Vault token goes with them.",
        examples=[["vault-1.example.com:8200"]],
    )
    mount: VaultPath = Field(default="secret", description="Mount of the KV version 2 engine.")
    base_path: VaultPath = Field(default="salesforce", description="All documents of rotator live below it.")
    timeout: Duration = Field(
        default=timedelta(seconds=10),
        description="For connecting, and between two bytes of an answer.",
        examples=["10s"],
    )


class SalesforceConfig(Section):
    """How Salesforce is reached."""

    connect_timeout: Duration = Field(
        default=timedelta(seconds=10), description="For connecting.", examples=["10s"]
    )
    read_timeout: Duration = Field(
        default=timedelta(seconds=30), description="Between two bytes of an answer.", examples=["30s"]
    )
    ca_file: FilePath | None = Field(
        default=None, description="Certificates to trust instead of the built-in ones."
    )
    proxy: ProxyUrl | None = Field(
        default=None,
        description="HTTP proxy; one with a password by reference.",
        examples=["http://proxy.example.com:3128"],
    )

    @property
    def longest_request(self) -> timedelta:
        """How long a request may take."""
        return self.connect_timeout + self.read_timeout


class FleetConfig(Section):
    """What holds for all credentials together."""

    max_concurrent_rotations: int = Field(
        default=3, ge=1, description="Rotations under way at a time, at the most."
    )
    stop_after_failures: int = Field(
        default=3,
        ge=1,
        description="While the latest rotations of so many different credentials all failed, no other is begun by itself.",
    )
    workers: int = Field(default=8, ge=1, le=256, description="Steps done at a time.")
    reconcile_every: Duration = Field(
        default=timedelta(seconds=15),
        description="How often requests of operators are looked for, and what was missed is taken up again.",
        examples=["15s"],
    )


class LogConfig(Section):
    """What is logged, and how."""

    format: Literal["auto", "json", "journal", "console"] = Field(
        default="auto",
        description="auto: console on a terminal, journal where the journal of systemd listens, JSON elsewhere. "
        "journal: JSON with the level before each line, for `journalctl -p warning`.",
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is logged."
    )


class General(Section):
    """All but the credentials."""

    vault: VaultConfig = Field(description="Where keys, records and tokens are kept.")
    salesforce: SalesforceConfig = Field(default=SalesforceConfig(), description="How Salesforce is reached.")
    fleet: FleetConfig = Field(default=FleetConfig(), description="What holds for all credentials together.")
    log: LogConfig = Field(default=LogConfig(), description="What is logged, and how.")
    include: tuple[Text, ...] = Field(
        default=(),
        description="Further files with credentials, from the folder of this one: names, or patterns with `*`, `?` and "
        "`**` (for folders), taken in the order of their names. Each holds `credentials`, and perhaps `defaults` for "
        "those alone, over the `defaults` of this file.",
        examples=[["config.d/*.yaml"]],
    )
    web: WebConfig = Field(
        default=WebConfig(), description="Health, metrics and the status page, on one port."
    )


class Configuration(General):
    """A configuration that holds. Make one with :func:`rotator.config.load`."""

    credentials: dict[CredentialName, CredentialConfig] = Field(
        min_length=1, description="The credentials by name."
    )

    _file: Path = PrivateAttr(default=Path())
    _origins: dict[str, Path] = PrivateAttr(default_factory=dict)
    _kept: frozenset[str] = PrivateAttr(default=frozenset())

    @property
    def file(self) -> Path:
        """Where it was read from."""
        return self._file

    def model_post_init(self, context: Any, /) -> None:
        self._file = (context or {}).get("file", Path())
        self._origins = (context or {}).get("origins", {})
        self._kept = frozenset((context or {}).get("kept", ()))

    @property
    def kept(self) -> frozenset[str]:
        """The credentials that have the settings of a configuration before this one."""
        return self._kept

    def origin(self, name: str) -> Path:
        """Return the file in which a credential stands, or stood when it was read."""
        return self._origins.get(name, self._file)

    def keeping(self, names: Iterable[str], old: Configuration) -> Configuration:
        """Return this configuration with some credentials as they are in another one."""
        kept = {name: old.credentials[name] for name in names}
        origins = {name: self.origin(name) for name in self.credentials} | {
            name: old.origin(name) for name in kept
        }
        return type(self).model_validate(
            {**dict(self), "credentials": {**self.credentials, **kept}},
            context={"file": self._file, "origins": origins, "kept": kept},
        )
