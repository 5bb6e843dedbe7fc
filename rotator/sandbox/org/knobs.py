"""The knobs: every way in which the org can be made slow, rude or wrong, by name, with its default."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def _knob(default: Any, meaning: str, *, most: float = math.inf) -> Any:
    return field(default=default, metadata={"meaning": meaning, "most": most})


def _share(meaning: str) -> Any:
    return _knob(0.0, f"Share of requests (0 to 1) {meaning}", most=1.0)


@dataclass(slots=True)
class Knobs:
    """Values of all knobs. Counters ("the next N") count down as they take effect."""

    seed: int = _knob(1, "Seed of every random choice; setting it starts the sequences afresh.")
    servers: int = _knob(
        3, "Servers behind the org's host; each learns of a change at its own time.", most=100
    )
    sticky_connections: bool = _knob(
        False, "Keep a connection on one server, instead of choosing for each request."
    )
    propagation_seconds: float = _knob(0.0, "Longest time that a server takes to learn of a new certificate.")
    propagation_least_seconds: float = _knob(0.0, "Shortest time that it takes, at most the longest.")
    deploy_seconds: float = _knob(0.0, "Time from the acceptance of a deploy to its end.")
    retrieve_seconds: float = _knob(0.0, "Time from the acceptance of a retrieve to its end.")
    fail_deploys: int = _knob(0, "The next N deploys fail with a component failure (checkOnly not counted).")
    break_certificate: int = _knob(
        0, "The next N deploys succeed, but no server accepts the certificate they brought, nor the old one."
    )
    stall_certificate: int = _knob(
        0, "The next N deploys succeed, but no server ever learns of the certificate."
    )
    stall_deploys: bool = _knob(
        False,
        "No deploy comes to its end, not even one that is cancelled, before this is unset (checkOnly not concerned).",
    )
    late_deploy_seconds: float = _knob(
        0.0, "While set, a deploy ends as Failed (or Canceled), yet is committed so many seconds later."
    )
    lose_deploy_answer: int = _knob(
        0,
        "The next N deploys are accepted, and the connection cut before the answer (checkOnly not counted).",
    )
    rate_limit: int = _knob(
        0,
        "The next N requests are over a limit: login rate exceeded at the token endpoint, else REQUEST_LIMIT_EXCEEDED.",
    )
    throttle: int = _knob(0, "The next N requests get 429 with Retry-After (undocumented by Salesforce).")
    maintenance: bool = _knob(False, "Answer everything with 503 and an HTML page.")
    unknown_error_rate: float = _share("at the token endpoint answered with 400 unknown_error.")
    slow_seconds: float = _knob(0.0, "Wait before each answer.")
    cut_rate: float = _share(
        "whose connection is closed without an answer, half of them after taking effect."
    )
    wrong_json_rate: float = _share("answered with a JSON text that is cut in the middle.")
    empty_body_rate: float = _share("answered with the right status and no body.")
    fault_rate: float = _share("that meet a transient fault of a random kind.")
    swap_kills_sessions: bool = _knob(False, "A deploy of an app ends all sessions of that app.")
    lock_sessions_to_ip: bool = _knob(False, "A session serves only the address that it was made from.")
    login_limit_per_hour: int = _knob(3600, "Logins, refused ones included, that a user may try in an hour.")
    daily_api_requests: int = _knob(100_000, "REST calls in 24 hours, as told by Sforce-Limit-Info.")
    session_timeout_seconds: float = _knob(
        7200.0, "Life of a session without activity, unless the app says otherwise."
    )
    timeout_reaches_sessions: bool = _knob(
        False,
        "A session_timeout_seconds that is set holds for living sessions, too (not known of Salesforce).",
    )
    mint_counts_as_activity: bool = _knob(
        False, "A repeated grant prolongs the session (not known of Salesforce)."
    )
    jwt_tokens: bool = _knob(False, "Every app issues JWT-format access tokens, whatever its settings say.")
    jwt_timeout_seconds: float = _knob(1800.0, "Life of a JWT-format token, unless the app says otherwise.")
    clock_offset_seconds: float = _knob(
        0.0, "How far the org's wall clock (Date header, exp) is off; may be negative."
    )
    skew_tolerance_seconds: float = _knob(5.0, "How long an assertion is still taken after its exp.")
    exp_ceiling_seconds: float = _knob(
        0.0,
        "How far ahead the exp of an assertion may lie; 0: as far as it likes (what Salesforce does is unknown).",
    )
    deny_metadata: bool = _knob(False, "Nobody may use the Metadata API.")
    hide_certificate: bool = _knob(False, "Retrieve and readMetadata leave the certificate out.")
    allow_new_connected_apps: bool = _knob(
        False, "Connected Apps may be created (restricted by Salesforce since Spring '26)."
    )

    def set(self, wanted: Mapping[str, object]) -> None:
        """Set all knobs given, or none: raises ValueError, which says what is wrong."""
        known = {knob.name: knob for knob in fields(self)}
        for name in wanted:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                raise ValueError(f"no knob {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        for name, value in {name: _checked(known[name], value) for name, value in wanted.items()}.items():
            setattr(self, name, value)

    def take(self, name: str) -> bool:
        """Whether the counter `name` is still above zero; if so, count it down."""
        left = int(getattr(self, name))
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0

    def values(self) -> dict[str, object]:
        return {knob.name: getattr(self, knob.name) for knob in fields(self)}


def meanings() -> dict[str, dict[str, object]]:
    """Each knob's default and meaning."""
    return {
        knob.name: {"default": knob.default, "meaning": knob.metadata["meaning"]} for knob in fields(Knobs)
    }


def _checked(knob: Any, value: object) -> object:
    kind = type(knob.default)
    if isinstance(value, bool) != (kind is bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{knob.name}: a {kind.__name__} is needed, not {value!r}")
    if kind is int and not isinstance(value, int):
        raise ValueError(f"{knob.name}: a whole number is needed, not {value!r}")
    low = -math.inf if knob.name == "clock_offset_seconds" else 1 if knob.name == "servers" else 0
    if not (math.isfinite(value) and low <= value <= knob.metadata["most"]):
        raise ValueError(f"{knob.name}: {value!r} is out of range")
    return kind(value)
