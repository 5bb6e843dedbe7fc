"""Whether the times of one credential fit together.

A successful call at time t proves a session until t + T/2 and no further, T being the session timeout: a call in the
first half of it does not prolong the session (Salesforce help 000383251). A JWT-format token names its own end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta

from rotator.config.credential import CredentialConfig
from rotator.config.durations import format_duration
from rotator.config.flaws import Flaw
from rotator.config.windows import longest_closed

DAY = timedelta(days=1)


def flaws_of(credential: CredentialConfig, request: timedelta | None) -> Iterator[Flaw]:
    """Yield what does not fit together within a credential.

    ``request`` is how long a request to Salesforce may take; None if the file does not tell, because it is wrong there.
    """
    yield from _tokens(credential)
    yield from _bridge(credential)
    yield from _proofs(credential)
    yield from _renewal(credential)
    yield from _window(credential)
    yield from _publisher(credential)
    yield from _lease(credential, request)
    yield from _users(credential)


def _tokens(credential: CredentialConfig) -> Iterator[Flaw]:
    session = credential.session
    opaque = session.format == "opaque"
    proved = session.timeout / 2 if opaque else session.timeout
    what = "half of session.timeout" if opaque else "session.timeout, the life of a JWT-format token"
    age = session.refresh_every + session.consumer_lag
    if age >= proved:
        yield Flaw(
            (("session", "refresh_every"), ("session", "consumer_lag"), ("session", "timeout")),
            f"refresh_every ({_(session.refresh_every)}) and consumer_lag ({_(session.consumer_lag)}) together must "
            f"be less than {what} ({_(proved)}): consumers would hold tokens past what is proved of them",
            f"Lower refresh_every or consumer_lag, or raise the timeout in the org and here above "
            f"{_(age * 2 if opaque else age)}.",
        )
    often = session.timeout / 4 if opaque else session.timeout
    if session.verify_every > often:
        yield Flaw(
            (("session", "verify_every"), ("session", "timeout")),
            f"must be at most {_(often)}, {'a quarter of ' if opaque else ''}session.timeout "
            f"({_(session.timeout)}), to notice a dead session in time",
            f"Write {_(often)} or less.",
        )


def _bridge(credential: CredentialConfig) -> Iterator[Flaw]:
    """A token that can't be prolonged has to outlive a change from the moment that it is minted for it.

    The core takes a token for fresh while it is younger than T/8, hence the margin.
    """
    session, deploy = credential.session, credential.deploy
    if session.format == "opaque" or deploy.accept_gap:
        return
    needed = timedelta(seconds=math.ceil((credential.bridge * 8 / 7).total_seconds()))
    if session.timeout < needed:
        yield Flaw(
            (("session", "timeout"), ("session", "format"), ("deploy", "deadline"), ("proof", "deadline")),
            f"a JWT-format token of {_(session.timeout)} does not outlive a change: two deploys and their proving may "
            f"take {_(credential.bridge)}",
            f"Raise the token's life in the app and here to {_(needed)} or more, lower deploy.deadline and "
            "proof.deadline, use opaque tokens, or accept that consumers may fail meanwhile: deploy.accept_gap: true.",
        )


def _proofs(credential: CredentialConfig) -> Iterator[Flaw]:
    proof, retry = credential.proof, credential.retry
    if proof.span + proof.retry >= proof.deadline:
        yield Flaw(
            (("proof", "span"), ("proof", "deadline"), ("proof", "retry")),
            f"span ({_(proof.span)}) and one retry ({_(proof.retry)}) must fit into proof.deadline "
            f"({_(proof.deadline)}): no change could ever succeed",
            f"Lower proof.span, or raise proof.deadline above {_(proof.span + proof.retry)}.",
        )
    if retry.floor > retry.ceiling:
        yield _order(("retry", "floor"), retry.floor, ("retry", "ceiling"), retry.ceiling, "must not exceed")


def _renewal(credential: CredentialConfig) -> Iterator[Flaw]:
    rotation, lifetime = credential.rotation, credential.key.lifetime
    settled = lifetime - rotation.renew_before - rotation.jitter
    if settled <= timedelta():
        yield Flaw(
            (("rotation", "renew_before"), ("key", "lifetime"), ("rotation", "jitter")),
            f"renew_before ({_(rotation.renew_before)}) and jitter ({_(rotation.jitter)}) must be less than "
            f"key.lifetime ({_(lifetime)}): every new certificate would be due at once",
            "Lower renew_before or jitter, or raise key.lifetime.",
        )
    elif DAY / settled > rotation.swaps_a_day:
        yield Flaw(
            (("rotation", "swaps_a_day"), ("key", "lifetime"), ("rotation", "renew_before")),
            f"certificates that are replaced every {_(settled)} need {int(DAY / settled) + 1} deploys a day, and "
            f"swaps_a_day allows {rotation.swaps_a_day}",
            f"Write swaps_a_day: {int(DAY / settled) + 1} or more, or raise key.lifetime.",
        )
    before = ("rotation", "renew_before")
    if rotation.urgent_before >= rotation.renew_before:
        yield _order(("rotation", "urgent_before"), rotation.urgent_before, before, rotation.renew_before)
    if rotation.backoff_floor >= rotation.renew_before:
        yield _order(("rotation", "backoff_floor"), rotation.backoff_floor, before, rotation.renew_before)
    if rotation.backoff_floor > rotation.backoff_ceiling:
        ceiling = ("rotation", "backoff_ceiling")
        yield _order(
            ("rotation", "backoff_floor"),
            rotation.backoff_floor,
            ceiling,
            rotation.backoff_ceiling,
            "must not exceed",
        )


def _window(credential: CredentialConfig) -> Iterator[Flaw]:
    rotation, window = credential.rotation, credential.rotation.window
    if window is None:
        return
    closed = longest_closed(window.cron, window.duration, window.time_zone)
    planned = rotation.renew_before - rotation.urgent_before
    if closed >= planned > timedelta():
        yield Flaw(
            (("rotation", "window", "cron"), ("rotation", "renew_before"), ("rotation", "urgent_before")),
            f"the window may stay closed for {_(closed)}, but only {_(planned)} lie between renew_before and "
            "urgent_before: a rotation could not wait for it",
            f"Let it open more often, or raise renew_before above {_(closed + rotation.urgent_before)}.",
        )


def _publisher(credential: CredentialConfig) -> Iterator[Flaw]:
    deploy = credential.deploy
    if deploy.poll_every >= deploy.deadline:
        yield _order(("deploy", "poll_every"), deploy.poll_every, ("deploy", "deadline"), deploy.deadline)
    if deploy.publisher == "command":
        if deploy.command is None:
            yield Flaw(
                (("deploy", "command"), ("deploy", "publisher")),
                "publisher command needs deploy.command",
                "Write `command: [/path/of/program, argument]`.",
            )
        elif not deploy.command[0].startswith("/"):
            yield Flaw(
                (("deploy", "command"),),
                f"the program {deploy.command[0]!r} is no absolute path",
                "Write where it is: no search path is used.",
            )
    # Where nobody deploys the app would not help; that is told instead.
    if credential.deployer_name is not None and credential.app is None:
        yield Flaw(
            (("app",), ("deploy", "publisher")),
            "publisher metadata needs to know the app",
            "Write `app: {type: external_client_app, name: Rotator_Acme}`.",
        )


def _lease(credential: CredentialConfig, request: timedelta | None) -> Iterator[Flaw]:
    deploy, session = credential.deploy, credential.session
    # The deployer logs in, then sends the deploy; each may take as long as a request may.
    call = {
        "metadata": None if request is None else 2 * request,
        "command": deploy.timeout,
        "manual": timedelta(),
    }[deploy.publisher]
    if session.format == "opaque" and not deploy.accept_gap and deploy.lease > session.timeout / 4:
        yield Flaw(
            (("deploy", "lease"), ("session", "timeout"), ("deploy", "publisher")),
            f"lease ({_(deploy.lease)}) must not exceed a quarter of session.timeout ({_(session.timeout)}): while a "
            "deploy is being sent nobody keeps the consumers' sessions alive",
            f"Lower deploy.lease to {_(session.timeout / 4)} or less, or raise session.timeout.",
        )
    if call is not None and deploy.lease <= call:
        yield Flaw(
            (("deploy", "lease"), ("deploy", "timeout"), ("deploy", "publisher")),
            f"lease ({_(deploy.lease)}) must be longer than a deploy call may take ({_(call)}): another daemon would "
            "act while the call is under way",
            f"Raise deploy.lease above {_(call)}, or lower "
            f"{'deploy.timeout' if deploy.publisher == 'command' else 'the timeouts under salesforce'}.",
        )


def _users(credential: CredentialConfig) -> Iterator[Flaw]:
    seen: set[str] = set()
    for index, name in enumerate(credential.usernames):
        if name.lower() in seen:  # Salesforce does not tell upper from lower case in usernames
            yield Flaw(
                (("users", index),),
                f"{name} is named twice",
                "Name each user once; other users of the app follow.",
            )
        seen.add(name.lower())


def _order(
    less: tuple[str, str],
    small: timedelta,
    more: tuple[str, str],
    big: timedelta,
    relation: str = "must be less than",
) -> Flaw:
    return Flaw(
        (less, more),
        f"{'.'.join(less)} ({_(small)}) {relation} {'.'.join(more)} ({_(big)})",
        f"Lower {'.'.join(less)} or raise {'.'.join(more)}.",
    )


def _(duration: timedelta) -> str:
    return format_duration(duration)
