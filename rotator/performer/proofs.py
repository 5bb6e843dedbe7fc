"""Prove which key an org takes."""

from __future__ import annotations

import base64
from dataclasses import replace

from rotator.core.effects import Answer, Kind, Probe, Prove
from rotator.core.model import Serial
from rotator.core.slot import RIVAL_TAKEN
from rotator.errors import KeyRefused, Misconfigured, Rejected, RotatorError, SessionDead
from rotator.keypairs import certificate_fingerprint, serial_of
from rotator.performer.identity import identity_of, mismatch, stopped
from rotator.performer.station import Station
from rotator.performer.toolbox import Toolbox, answer_to, no_signer, refused
from rotator.salesforce.rest import query_accounts

KEY_LOST = "key.lost"


def perform_prove(tools: Toolbox, station: Station, action: Prove) -> Answer:
    """See the org take the target (mint and Account query) and refuse the rival, over fresh connections.

    Without the second half a change could be declared done while the org still takes both, one server this key and
    another that. A key that is to be destroyed may not be shown by the org either.
    """
    try:
        grant = tools.mint(station, action.user, action.target, fresh=True)
    except KeyRefused as error:
        return refused(error, tools.clock())
    if (differs := mismatch(station, grant.org_id)) is not None:
        return stopped(station, differs, tools.clock())
    query_accounts(tools.wires(), tools.org(station, grant), station.config.proof.query, fresh=True)
    answer = Answer(Kind.OK, tools.clock(), identity=identity_of(station, grant))
    if action.rival is None:
        return answer
    try:
        tools.mint(station, action.user, action.rival, fresh=True)
    except KeyRefused:
        back = _brought_back(tools, station, action.rival) if action.clears else None
        return back or replace(answer, at=tools.clock())
    return Answer(
        Kind.REFUSED,
        tools.clock(),
        code=RIVAL_TAKEN,
        message=f"the org takes key pair {action.rival} as well, which it must refuse",
        hint="Usual for some minutes after a change: not all servers have the new certificate yet.",
    )


def _brought_back(tools: Toolbox, station: Station, serial: Serial) -> Answer | None:
    """Return the refusal of a clearance where the org shows the certificate of the key that is to be destroyed.

    Somebody deployed it a moment ago, and the servers that answered do not have it yet. Where the slot can't be seen
    their refusal has to do. Raises RotatorError where it can't be looked at just now.
    """
    try:
        shown, facts = _shown(station), station.record.key(serial)
    except (KeyRefused, SessionDead):
        raise
    except (Misconfigured, Rejected):
        return None
    if not shown or facts is None or certificate_fingerprint(shown) != facts.fingerprint:
        return None
    return Answer(
        Kind.REFUSED,
        tools.clock(),
        code=RIVAL_TAKEN,
        message=f"the org shows the certificate of key pair {serial}, which was replaced: somebody brought it back",
        hint="Does a pipeline deploy the app with an old certificate? Take the certificate out of its files.",
    )


def _shown(station: Station) -> str:
    """Return the certificate (base64) that is in the slot; empty where that can't be seen. Raises RotatorError."""
    return base64.b64encode(station.publisher.certificate_shown() or b"").decode()


def perform_probe(tools: Toolbox, station: Station, action: Probe) -> Answer:
    """Find a kept key that the org takes.

    A user that gives no answer because of a trouble of its own does not keep the others from asking.
    """
    refusal: Answer | None = None
    trouble: Answer | None = None
    for serial in action.serials:
        for user in action.users:
            try:
                grant = tools.mint(station, user, serial, fresh=True)
            except KeyRefused as error:
                refusal = refused(error, tools.clock())
            except Misconfigured as error:
                trouble = answer_to(error, tools.clock())
            else:
                if (differs := mismatch(station, grant.org_id)) is not None:
                    return stopped(station, differs, tools.clock())
                return Answer(Kind.OK, tools.clock(), serial=serial)
    if refusal is not None:
        return _with_lost_key(station, refusal)
    return trouble or answer_to(no_signer(station), tools.clock())


def _with_lost_key(station: Station, refusal: Answer) -> Answer:
    """Return a refusal of all kept keys, with the serial of one that is lost if the org shows its certificate.

    A certificate of rotator carries credential and serial. A serial that was not given yet, or was given to another
    key, tells that Vault was restored from a backup of before that key. One of a destroyed key tells nothing of Vault.
    """
    try:
        shown = _shown(station)
        made_for, serial = (serial_of(shown) if shown else None) or ("", 0)
        known = station.record.key(serial)
        is_ours = (
            serial <= station.record.newest
            if known is None
            else known.fingerprint == certificate_fingerprint(shown)
        )
        if made_for != station.name or is_ours:
            return refusal
    except RotatorError:
        return refusal  # it can't be looked at now; the next probe looks again
    return replace(
        refusal,
        code=KEY_LOST,
        message=f"the org has the certificate of key pair {serial}, which Vault does not know: it was restored from a "
        "backup of before that key",
        lost=serial,
    )
