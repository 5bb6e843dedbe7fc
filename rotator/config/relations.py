"""Whether the credentials of one file go together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from rotator.config.credential import CredentialConfig
from rotator.config.flaws import Flaw

WITH = (("deploy", "with"), ("deploy", "publisher"))
AFTER = (("rollout", "after"),)

Credentials = Mapping[str, CredentialConfig]
Found = tuple[str, Flaw]
"""The credential that has to be changed, and why."""


def flaws_between(
    credentials: Credentials, names: Collection[str], *, complete: bool = True
) -> Iterator[Found]:
    """Yield what does not go together.

    ``names`` are all that the files have, those that can't be read included. They are not ``complete`` where a file
    can't be read: then nobody can say that there is no credential of a name.
    """
    yield from _consumer_keys(credentials)
    for name, credential in credentials.items():
        for flaw in (
            *_deployer(credential, credentials, names, complete=complete),
            *_predecessors(credential, names, complete=complete),
        ):
            yield name, flaw
    yield from _circles(credentials, _deployers_of, WITH, "deploy for each other in a circle")
    yield from _circles(credentials, _after, AFTER, "wait for each other in a circle")


def _consumer_keys(credentials: Credentials) -> Iterator[Found]:
    owners: dict[str, str] = {}
    for name, credential in credentials.items():
        key = credential.consumer_key
        if key is None:
            continue
        if key in owners:
            yield (
                name,
                Flaw(
                    (("consumer_key",),),
                    f"{owners[key]} has this consumer key already, and an app has one certificate",
                    f"List all its users under {owners[key]}, or give each credential an app of its own.",
                ),
            )
        owners.setdefault(key, name)


def _deployer(
    credential: CredentialConfig, credentials: Credentials, names: Collection[str], *, complete: bool
) -> Iterator[Flaw]:
    deploy, name = credential.deploy, credential.deploy.deployer
    if deploy.publisher == "metadata" and name is None and not deploy.allow_self:
        yield Flaw(
            WITH,
            "publisher metadata needs a credential that deploys",
            "Name it: `with: NAME`. One that deploys for others needs another publisher, such as `publisher: manual`, "
            "or `allow_self: true` to deploy for itself.",
        )
    if name is None:
        return
    if name not in names and complete:
        yield Flaw(WITH, f"there is no credential {name!r}", f"Name one of {', '.join(sorted(names))}.")
    elif deploy.publisher != "metadata":
        return  # the others may have it from the defaults
    elif name == credential.name and not deploy.allow_self:
        yield Flaw(
            WITH,
            "the credential would deploy its own certificate, and nobody could bring the old one back",
            "Name another credential, or accept that with allow_self: true.",
        )
    elif name != credential.name and (deployer := credentials.get(name)) is not None:
        yield from _fitness(credential, name, deployer)


def _fitness(credential: CredentialConfig, name: str, deployer: CredentialConfig) -> Iterator[Flaw]:
    if deployer.publish:
        yield Flaw(
            WITH,
            f"{name} deploys, so its tokens must not be published",
            f"Write `publish: false` under credentials.{name}.",
        )
    elif deployer.session.format == "jwt" and credential.deploy.source == "org":
        yield Flaw(
            WITH,
            f"{name} has JWT-format tokens, with which the app's files can't be read from the org (SOAP refuses them)",
            f"Use opaque tokens for {name}, or keep the files: deploy.source: {{directory: PATH}}.",
        )


def _predecessors(credential: CredentialConfig, names: Collection[str], *, complete: bool) -> Iterator[Flaw]:
    for index, name in enumerate(credential.rollout.after):
        key = ("rollout", "after", index)
        if name == credential.name:
            yield Flaw((key,), "the credential would wait for itself", "Remove it from the list.")
        elif name not in names and complete:
            yield Flaw((key,), f"there is no credential {name!r}", f"Name one of {', '.join(sorted(names))}.")


def _deployers_of(credential: CredentialConfig) -> Iterable[str]:
    return () if credential.deployer_name is None else (credential.deployer_name,)


def _after(credential: CredentialConfig) -> Iterable[str]:
    return credential.rollout.after


def _circles(
    credentials: Credentials,
    follow: Callable[[CredentialConfig], Iterable[str]],
    keys: tuple[tuple[str, ...], ...],
    what: str,
) -> Iterator[Found]:
    """Yield circles until none is left, each at one of its members. To point at oneself is no circle here."""
    graph = {name: set(follow(credential)) - {name} for name, credential in credentials.items()}
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1][
                ::-1
            ]  # told from predecessor to successor; ours point at predecessors
            yield circle[0], Flaw(keys, f"{' -> '.join(circle)}: they {what}", "Take one of them out.")
            del graph[circle[0]]
        else:
            return
