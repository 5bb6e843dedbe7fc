"""What a person can do where a request was refused, and is to know where it was taken."""

from __future__ import annotations

from rotator.core.model import Ask, PauseKind, Phase, Record, Terms

BEGINNINGS = frozenset({Ask.INIT, Ask.ADOPT})


def besides(what: Ask, terms: Terms) -> str:
    """Return what the answer to a request that was taken leaves out; empty where it says all."""
    if what is Ask.REHEARSE and terms.by_hand:
        return (
            "rotator deploys nothing here, for a person brings certificates in: upload this one once more, if that is to "
            "be tried. The proofs cannot tell whether it was done, since the org takes its key already"
        )
    return ""


def instead(what: Ask, record: Record, name: str) -> str:
    """Return what to do instead, given where a credential stands; empty where the refusal says all."""
    match record.phase:
        case Phase.EMPTY:
            if what in BEGINNINGS:
                return ""
            return f"Begin with a key pair: rotator init {name} makes one, rotator adopt {name} takes one."
        case Phase.LOCKED_OUT:
            return (
                f"First bring a certificate whose key is kept into the app: rotator status {name} tells the steps. "
                f"After that, rotator deployed {name} has it proved at once."
            )
        case Phase.STEADY:
            return _instead_in_steady(what, record, name)
        case _:
            return (
                f"Wait until the change under way is over (rotator status {name} --watch), "
                f"or call it off: rotator abort {name}."
            )


def _instead_in_steady(what: Ask, record: Record, name: str) -> str:
    if what in BEGINNINGS:
        return f"It has a key pair, which rotator rotate {name} replaces. Another app is another credential."
    if what in (Ask.ABORT, Ask.DEPLOYED):
        return f"See how it stands, and how the last changes ended: rotator history {name}."
    if record.paused is not None and what is not Ask.RESUME:
        by_org = record.paused.kind is PauseKind.IDENTITY
        look = "Look whether the org is the right one, then" if by_org else "When it may go on:"
        return f"{look} rotator resume {name}."
    if what is Ask.ROLLBACK:
        return f"A new key pair is made by rotator rotate {name}."
    return ""
