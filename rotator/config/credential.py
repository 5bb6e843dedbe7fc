"""One credential, as the file describes it: the app, its users, and how it is rotated."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Discriminator, Field, PrivateAttr, Tag

from rotator.config.sections import App, Deploy, Key, Proof, Retry, Rollout, Rotation, Session, User, Username
from rotator.config.shape import BaseUrl, Section, matching, text_or_mapping
from rotator.core.model import Terms
from rotator.loopback import is_loopback

ConsumerKey = Annotated[
    str,
    matching(
        r"\S{1,256}",
        "is no consumer key",
        "Copy it from the app: text without spaces, often 3MVG9...",
        secret=True,  # it is none, but the app shows it beside one
    ),
]
ApiVersion = Annotated[str, matching(r"[1-9]\d{1,2}\.0", "is no API version", 'Write it as "66.0".')]


@dataclass(frozen=True, slots=True)
class LoginTarget:
    """Where and as whom one user logs in."""

    username: str
    login_url: str
    audience: str


class CredentialConfig(Section):
    """One consumer key with its one certificate slot."""

    login_url: BaseUrl = Field(
        description="Where the users log in: My Domain, site, login.salesforce.com or test.salesforce.com.",
        examples=["https://acme.my.salesforce.com"],
    )
    audience: BaseUrl | None = Field(
        default=None,
        description="Audience of the assertions. Default: https://login.salesforce.com for a production My Domain, "
        "otherwise login_url itself.",
        examples=["https://login.salesforce.com"],
    )
    consumer_key: ConsumerKey | None = Field(
        default=None,
        description="Consumer key (client id) of the app; absent until the app is made.",
        examples=["3MVG9..."],
    )
    app: App | None = Field(default=None, description="The app that holds the certificate.")
    users: tuple[
        Annotated[
            Annotated[Username, Tag("text")] | Annotated[User, Tag("mapping")], Discriminator(text_or_mapping)
        ],
        ...,
    ] = Field(
        min_length=1,
        description="The users that the app acts as; each has a token of its own.",
        examples=[["integration@acme.example"]],
    )
    api_version: ApiVersion | None = Field(
        default=None,
        description="Version of Salesforce's APIs. Default: the newest that org and rotator know.",
        examples=["66.0"],
    )
    publish: bool = Field(default=True, description="False for a deployer: its tokens are never published.")
    key: Key = Field(default=Key(), description="The key pairs that are made.")
    rotation: Rotation = Field(default=Rotation(), description="When a key pair is replaced.")
    session: Session = Field(default=Session(), description="The sessions behind access tokens.")
    retry: Retry = Field(default=Retry(), description="Repeats of what failed for a while.")
    proof: Proof = Field(default=Proof(), description="What shows that the org took a certificate.")
    deploy: Deploy = Field(default=Deploy(), description="How a certificate comes into the org.")
    rollout: Rollout = Field(default=Rollout(), description="Who goes first in a fleet.")

    _name: str = PrivateAttr(default="")

    def model_post_init(self, context: Any, /) -> None:
        self._name = (context or {}).get("credential", "")

    @property
    def name(self) -> str:
        """Name of the credential: its key in the file."""
        return self._name

    @property
    def usernames(self) -> tuple[str, ...]:
        return tuple(target.username for target in self.logins)

    @property
    def logins(self) -> tuple[LoginTarget, ...]:
        """Where and as whom each user logs in, in the order of the file."""
        return tuple(
            self._login(User(username=user) if isinstance(user, str) else user) for user in self.users
        )

    @property
    def deployer_name(self) -> str | None:
        """The credential that deploys; None where rotator does not deploy by itself."""
        if self.deploy.publisher != "metadata":
            return None
        return self.deploy.deployer or (self.name if self.deploy.allow_self else None)

    @property
    def bridge(self) -> timedelta:
        """How long a token must live that can't be prolonged, for consumers to notice nothing of a change.

        A deploy, proving that fails, the deploy that restores, and the spreading of the restored certificate, taken
        for half of the proving deadline: 75 minutes by default.
        """
        return 2 * self.deploy.deadline + self.proof.deadline * 3 / 2

    def terms(self) -> Terms:
        """Return what decisions need to know of this credential."""
        rotation, session, proof, deploy = self.rotation, self.session, self.proof, self.deploy
        by_hand = deploy.publisher == "manual"
        return Terms(
            name=self.name,
            users=self.usernames,
            renew_before=rotation.renew_before,
            urgent_before=rotation.urgent_before,
            jitter=rotation.jitter,
            session_timeout=session.timeout,
            refresh_every=session.refresh_every,
            verify_every=session.verify_every,
            proofs_needed=proof.count,
            proof_span=proof.span,
            proof_retry=proof.retry,
            proving_deadline=proof.deadline,
            deploy_deadline=deploy.deadline,
            staging_deadline=rotation.staging_deadline,
            poll_every=deploy.poll_every,
            bridge=self.bridge,
            accept_gap=deploy.accept_gap,
            lease=deploy.lease,
            slow_servers=proof.slow_servers,
            doubts_needed=proof.doubts,
            quarantine=rotation.quarantine,
            by_hand=by_hand,
            by_hand_every=deploy.by_hand_every,
            by_hand_deadline=deploy.by_hand_deadline,
            probe_every=proof.probe_every,
            backoff_floor=rotation.backoff_floor,
            backoff_ceiling=rotation.backoff_ceiling,
            swaps_a_day=rotation.swaps_a_day,
            retry_floor=self.retry.floor,
            retry_ceiling=self.retry.ceiling,
            rehearse_first=self._rehearses_first() and not by_hand,
        )

    def sharing(self, pool: dict[Section, Section]) -> CredentialConfig:
        """Return this credential with its sections taken from the pool where it has equal ones.

        In a large fleet most are equal, and 10,000 credentials take a third of the memory.
        """
        sections = {key: value for key, value in self if isinstance(value, Section)}
        return self.model_copy(update={key: pool.setdefault(value, value) for key, value in sections.items()})

    def subject(self) -> dict[str, str]:
        """Return the certificate's subject as :func:`rotator.keypairs.make_key_pair` wants it."""
        return self.key.subject.model_dump(exclude_none=True)

    def _login(self, user: User) -> LoginTarget:
        if user.login_url is None:
            audience = user.audience or self.audience or default_audience(self.login_url)
            return LoginTarget(username=user.username, login_url=self.login_url, audience=audience)
        audience = user.audience or default_audience(user.login_url)
        return LoginTarget(username=user.username, login_url=user.login_url, audience=audience)

    def _rehearses_first(self) -> bool:
        asked = self.rollout.rehearse_first
        return is_production(self.login_url) if asked is None else asked


@lru_cache(1024)
def default_audience(login_url: str) -> str:
    """Return the audience that fits a login URL where nothing else is configured.

    Production knows itself as login.salesforce.com, also behind a My Domain. Sandboxes and scratch orgs behind a
    My Domain take that (and external client apps there take nothing else), sites their own URL (Salesforce help,
    remoteaccess_oauth_jwt_flow).
    """
    url = login_url.rstrip("/")
    try:
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:
        return url
    if host == "test.salesforce.com" or re.fullmatch(r"cs\d+\.salesforce\.com", host):
        return "https://test.salesforce.com"
    of_sandbox = "--" in host or re.search(r"\.(sandbox|scratch)\.my\.", host)
    if host == "login.salesforce.com" or (host.endswith(".salesforce.com") and not of_sandbox):
        return "https://login.salesforce.com"
    return url


def is_production(login_url: str) -> bool:
    """Tell whether the org behind a URL is, as far as its name tells, not a sandbox, scratch or loopback org."""
    host = urlsplit(login_url).hostname or ""
    names = host.split(".")
    trial = host == "test.salesforce.com" or "--" in names[0] or {"sandbox", "scratch"} & set(names)
    return not trial and not is_loopback(host)
