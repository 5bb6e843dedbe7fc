"""Make, adopt and destroy key pairs; hand certificates to publishers."""

from __future__ import annotations

from datetime import datetime

from rotator.core.effects import Answer, CreateKey, Deploy, Destroy, Dismiss, Kind, Poll, Validate
from rotator.errors import Misconfigured
from rotator.keypairs import KeyPair, adopt_key_pair
from rotator.performer.identity import other_app, stopped
from rotator.performer.station import Station
from rotator.performer.toolbox import Toolbox, refused
from rotator.publishers import TOO_LATE
from rotator.publishers.manual import ManualPublisher

UNUSABLE = frozenset({"vault.key.destroyed"})


def perform_create(tools: Toolbox, station: Station, action: CreateKey) -> Answer:
    """Write a key pair once and read it back. If another daemon was faster, its pair is the one."""
    try:
        pair = _adopted(tools, station, action) if action.adopt else _made(tools, station, action)
        if pair is None:
            return Answer(
                Kind.ABSENT,
                tools.clock(),
                code="request.absent",
                message="the request that held the key is gone",
                hint="Ask again: rotator adopt.",
            )
        stored = tools.documents.write_key(station.name, action.serial, pair)
    except Misconfigured as error:
        if error.code in UNUSABLE or error.code.startswith("key."):
            return refused(error, tools.clock())
        raise
    return Answer(Kind.OK, tools.clock(), key=stored.facts(action.serial))


def _made(tools: Toolbox, station: Station, action: CreateKey) -> KeyPair:
    key = station.config.key
    with tools.making:
        return tools.make_pair(
            bits=key.bits,
            subject=station.config.subject(),
            lifetime=key.lifetime,
            credential=station.name,
            serial=action.serial,
            now=tools.clock(),
        )


def _adopted(tools: Toolbox, station: Station, action: CreateKey) -> KeyPair | None:
    """Return the key pair that an operator brought, or the one that was stored before; None if neither is there."""
    waiting = tools.documents.read_request(station.name)
    if waiting is not None and {"key", "certificate"} <= waiting.payload.keys():
        given = waiting.payload
        # Never decrypted here: how long that takes, hours if need be, is for the key to say. `adopt` has done it.
        return adopt_key_pair(given["key"].reveal().encode(), given["certificate"].reveal().encode())
    try:
        return tools.documents.read_key(station.name, action.serial)
    except Misconfigured as error:
        if error.code == "vault.key.absent":
            return None
        raise


def perform_validate(tools: Toolbox, station: Station, action: Validate) -> Answer:
    """Ask the publisher whether it could deploy."""
    if action.by_hand:
        return Answer(Kind.OK, tools.clock())
    if (differs := other_app(station)) is not None:
        return stopped(station, differs, tools.clock())
    return station.publisher.validate(_certificate(tools, station, action.serial), action.ticket)


def perform_deploy(tools: Toolbox, station: Station, action: Deploy, busy_until: datetime) -> Answer:
    """Ask the publisher to bring the certificate in. Nothing is sent after the lease."""
    publisher = ManualPublisher(station.app, clock=tools.clock) if action.by_hand else station.publisher
    if not action.by_hand and (differs := other_app(station)) is not None:
        return stopped(station, differs, tools.clock())
    certificate = _certificate(tools, station, action.serial)
    if tools.clock() >= busy_until:
        late = "the lease was over before it was sent"
        return Answer(Kind.FAILED, tools.clock(), code="lease.over", message=late, hint=TOO_LATE)
    return publisher.deploy(certificate, busy_until)


def perform_poll(tools: Toolbox, station: Station, action: Poll) -> Answer:
    """Ask the publisher what became of a deploy; where a person was asked the proofs tell."""
    if action.by_hand:
        return Answer(Kind.OK, tools.clock())
    certificate = _certificate(tools, station, action.serial)
    return station.publisher.poll(certificate, ticket=action.ticket, since=action.since, cancel=action.cancel)


def perform_destroy(tools: Toolbox, station: Station, action: Destroy) -> Answer:
    """Destroy a private key, in Vault and in memory."""
    tools.documents.destroy_key(station.name, action.serial)
    tools.forget_key(station.name, action.serial)
    return Answer(Kind.OK, tools.clock())


def perform_dismiss(tools: Toolbox, station: Station, action: Dismiss) -> Answer:
    """Delete a request that was answered."""
    tools.documents.delete_request(station.name, action.request_id)
    station.waiting = None
    return Answer(Kind.OK, tools.clock())


def _certificate(tools: Toolbox, station: Station, serial: int) -> str:
    return tools.key_pair(station.name, serial).certificate_pem
