"""The sections of a credential: users, app, keys, rotation, sessions, proof, deploy, rollout."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from rotator.config.durations import Duration, DurationOrZero
from rotator.config.secrets import SecretField
from rotator.config.shape import (
    BaseUrl,
    CredentialName,
    FilePath,
    Section,
    Text,
    located,
    matching,
    mistake,
    text_or_mapping,
)
from rotator.config.windows import MaintenanceWindow

SUBJECT_LIMIT_BYTES = 64  # of a common name (RFC 5280 appendix A.1, ub-common-name); we hold all to it

Username = Annotated[
    str, matching(r"[^\s@]+@[^\s@]+", "is no Salesforce username", "Usernames look like name@example.com.")
]
AppName = Annotated[
    str,
    matching(
        r"[A-Za-z]\w*", "is no API name of an app", "Use the name without spaces, such as Rotator_Acme."
    ),
]
Country = Annotated[str, matching(r"[A-Z]{2}", "is no country code", "Use two capitals, such as DE.")]
MailAddress = Annotated[
    str, matching(r"[!-?A-~]{1,64}@[!-?A-~]{1,64}", "is no mail address", "Write it as ops@example.com.")
]


def _short(text: str) -> str:
    if len(text.encode()) > SUBJECT_LIMIT_BYTES:
        raise mistake(f"has more than {SUBJECT_LIMIT_BYTES} bytes", "Shorten it.")
    return text


SubjectText = Annotated[Text, AfterValidator(_short)]


class User(Section):
    """A user that the app acts as."""

    username: Username = Field(
        description="The user's name in Salesforce.", examples=["integration@acme.example"]
    )
    login_url: BaseUrl | None = Field(default=None, description="Default: that of the credential.")
    audience: BaseUrl | None = Field(default=None, description="Default: follows from login_url.")


class App(Section):
    """The app in Salesforce that holds the certificate."""

    type: Literal["external_client_app", "connected_app"] = Field(
        default="external_client_app", description="Which of Salesforce's two kinds of app it is."
    )
    name: AppName = Field(description="API name of the app.", examples=["Rotator_Acme"])


class Subject(Section):
    """Subject of the certificates. Credential and serial are added to it in any case."""

    common_name: SubjectText | None = Field(default=None, description="Default: the credential's name.")
    organization: SubjectText | None = Field(default=None, description="Organization (O).", examples=["Acme"])
    organizational_unit: SubjectText | None = Field(
        default=None, description="Organizational unit (OU).", examples=["Integration"]
    )
    locality: SubjectText | None = Field(default=None, description="Town (L).", examples=["Berlin"])
    state: SubjectText | None = Field(
        default=None, description="State or province (ST).", examples=["Berlin"]
    )
    country: Country | None = Field(default=None, description="Country code (C).", examples=["DE"])
    email: MailAddress | None = Field(
        default=None, description="Mail address.", examples=["ops@acme.example"]
    )


class Key(Section):
    """The key pairs that rotator makes."""

    bits: Literal[2048, 3072, 4096] = Field(default=2048, description="Size of the RSA key.")
    lifetime: Duration = Field(
        default=timedelta(days=365), description="Life of a certificate.", examples=["365d"]
    )
    subject: Subject = Field(default=Subject(), description="Subject of the certificates.")


class Rotation(Section):
    """When a key pair is replaced."""

    renew_before: Duration = Field(
        default=timedelta(days=30),
        description="How long before a certificate ends it is due to be replaced.",
        examples=["30d"],
    )
    urgent_before: Duration = Field(
        default=timedelta(days=7),
        description="How long before a certificate ends window, rank and rehearsal no longer hold a rotation back.",
        examples=["7d"],
    )
    jitter: DurationOrZero = Field(
        default=timedelta(hours=12),
        description="Rotations of a fleet are spread over so long a time, always the same share for each.",
        examples=["12h"],
    )
    window: MaintenanceWindow | None = Field(
        default=None, description="When a rotation may begin. Default: any time."
    )
    staging_deadline: Duration = Field(
        default=timedelta(hours=24),
        description="How long a new key may wait for its deploy before it is given up.",
        examples=["24h"],
    )
    quarantine: Duration = Field(
        default=timedelta(days=30),
        description="How long a replaced key is kept, for a deploy of its certificate may still land late.",
        examples=["30d"],
    )
    backoff_floor: Duration = Field(
        default=timedelta(hours=1),
        description="Pause after a rotation that failed; it doubles with each.",
        examples=["1h"],
    )
    backoff_ceiling: Duration = Field(
        default=timedelta(hours=24), description="Longest such pause.", examples=["24h"]
    )
    swaps_a_day: int = Field(
        default=4, ge=1, description="Deploys of another certificate within 24 hours, at the most."
    )


class Session(Section):
    """The sessions behind access tokens, as the org is set up."""

    timeout: Duration = Field(
        default=timedelta(hours=2),
        description="Session timeout of app, profile or org, whichever counts. A call proves half of it.",
        examples=["2h"],
    )
    format: Literal["opaque", "jwt"] = Field(
        default="opaque", description="Format of the access tokens. A JWT-format token can't be prolonged."
    )
    refresh_every: Duration = Field(
        default=timedelta(minutes=30),
        description="How often a token is minted and published anew.",
        examples=["30m"],
    )
    verify_every: Duration = Field(
        default=timedelta(minutes=10),
        description="How often the published token is tried out.",
        examples=["10m"],
    )
    consumer_lag: DurationOrZero = Field(
        default=timedelta(minutes=5),
        description="How long consumers may go on with a token after a newer one is published. Vault Agent reads every "
        "5 minutes or so, External Secrets Operator every hour, unless told otherwise.",
        examples=["5m"],
    )
    client_secret: SecretField | None = Field(
        default=None,
        description="The app's consumer secret; with it the life of a token is asked for, not assumed.",
    )


class Retry(Section):
    """Repeats of what failed for a while: network, Vault, rate limits."""

    floor: Duration = Field(
        default=timedelta(seconds=5),
        description="First pause; it doubles with each failure.",
        examples=["5s"],
    )
    ceiling: Duration = Field(default=timedelta(minutes=5), description="Longest pause.", examples=["5m"])


class Proof(Section):
    """What shows that the org took a certificate: it takes the new key, and refuses the other one."""

    count: int = Field(default=5, ge=1, description="Consecutive proofs; each user gives at least one.")
    span: DurationOrZero = Field(
        default=timedelta(minutes=10),
        description="The proofs are spread over so long a time.",
        examples=["10m"],
    )
    retry: Duration = Field(
        default=timedelta(seconds=15), description="Pause after a proof that failed.", examples=["15s"]
    )
    deadline: Duration = Field(
        default=timedelta(minutes=30),
        description="After so long the current certificate is brought back.",
        examples=["30m"],
    )
    query: Text = Field(
        default="SELECT Id FROM Account LIMIT 1", description="SOQL that a working token must be able to run."
    )
    slow_servers: Duration = Field(
        default=timedelta(minutes=30),
        description="For so long after a change a refusal is taken for a server that is behind.",
        examples=["30m"],
    )
    doubts: int = Field(
        default=3, ge=1, description="Refusals of the current key in a row that count as its loss."
    )
    probe_every: Duration = Field(
        default=timedelta(minutes=5),
        description="When the org takes no key: how often all kept keys are tried.",
        examples=["5m"],
    )


class AppFiles(Section):
    """Metadata files of the app that the operator keeps."""

    directory: FilePath = Field(
        description="Folder with the app's metadata files. Where the org shows the app, files that would change "
        "another setting than the certificate are refused.",
        examples=["/etc/rotator/acme-app"],
    )

    @model_validator(mode="before")
    @classmethod
    def _located(cls, value: object) -> object:
        return located(value, "directory")


class Deploy(Section):
    """How a certificate comes into the org."""

    publisher: Literal["metadata", "command", "manual"] = Field(
        default="manual",
        description="By the Metadata API, by a program of yours, or by a person who is alerted.",
    )
    deployer: CredentialName | None = Field(
        default=None,
        alias="with",
        description="metadata: the credential whose first user deploys, in the org that holds the app. With the other "
        "publishers it only looks at the org's settings for `rotator doctor`.",
        examples=["deployer"],
    )
    allow_self: bool = Field(
        default=False,
        description="Let the credential deploy its own certificate. Nobody can bring the old one back when that fails.",
    )
    source: Annotated[
        Annotated[Literal["org"], Tag("text")] | Annotated[AppFiles, Tag("mapping")],
        Discriminator(text_or_mapping),
    ] = Field(default="org", description="metadata: where the app's files come from.")
    deadline: Duration = Field(
        default=timedelta(minutes=15),
        description="A deploy that takes longer is cancelled.",
        examples=["15m"],
    )
    poll_every: Duration = Field(
        default=timedelta(seconds=5), description="How often a deploy is asked after.", examples=["5s"]
    )
    lease: Duration = Field(
        default=timedelta(minutes=3),
        description="So long one step may take; no other daemon acts on the credential before it is over.",
        examples=["3m"],
    )
    accept_gap: bool = Field(
        default=False,
        description="Deploy although no token outlives the change: consumers may fail meanwhile.",
    )
    command: tuple[Text, ...] | None = Field(
        default=None,
        min_length=1,
        description="command: program (absolute path) and arguments; no shell reads them.",
        examples=[["/usr/local/bin/install-cert", "--org", "acme"]],
    )
    timeout: Duration = Field(
        default=timedelta(seconds=60), description="command: longest run of the program.", examples=["60s"]
    )
    by_hand_every: Duration = Field(
        default=timedelta(minutes=15),
        description="manual: how often it is looked whether the certificate is there.",
        examples=["15m"],
    )
    by_hand_deadline: Duration = Field(
        default=timedelta(days=14),
        description="manual: for how long a person is waited for.",
        examples=["14d"],
    )


class Rollout(Section):
    """Who goes first in a fleet."""

    rank: int = Field(default=10, ge=0, description="Lower ranks are rotated first.")
    after: tuple[CredentialName, ...] = Field(
        default=(), description="Credentials that have to be through a rotation first.", examples=[["globex"]]
    )
    rehearse_first: bool | None = Field(
        default=None,
        description="The first unattended rotation waits for `rotator rehearse`. Default: true for a production org "
        "whose certificate is not brought in by hand.",
    )
