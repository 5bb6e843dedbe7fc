"""How long things live in the sandbox: for a story of a minute, or for an afternoon of trying things out."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Seconds of everything that takes time. The names are those of the configuration, or of the org's knobs.

    Attributes:
        first_due_seconds: after so long the first certificate of ``acme`` is due to be replaced.
        stagger_seconds: that of ``globex`` so much later.
        certificate_seconds: life of the certificates that rotator makes.
        deployer_certificate_seconds: the same for the deployer, which is rotated as well.
    """

    first_due_seconds: float
    stagger_seconds: float
    certificate_seconds: float
    deployer_certificate_seconds: float
    renew_before_seconds: float
    urgent_before_seconds: float
    backoff_seconds: float
    quarantine_seconds: float
    session_timeout_seconds: float
    refresh_seconds: float
    verify_seconds: float
    consumer_lag_seconds: float
    proofs: int
    proof_span_seconds: float
    proof_retry_seconds: float
    proof_deadline_seconds: float
    slow_servers_seconds: float
    deploy_deadline_seconds: float
    poll_seconds: float
    lease_seconds: float
    connect_timeout_seconds: float
    read_timeout_seconds: float
    retry_seconds: float
    reconcile_seconds: float
    propagation_seconds: float
    deploy_seconds: float


DEMO = Lifetimes(
    first_due_seconds=12,
    stagger_seconds=3,
    certificate_seconds=150,
    deployer_certificate_seconds=3600,
    renew_before_seconds=75,
    urgent_before_seconds=20,
    backoff_seconds=10,
    quarantine_seconds=15,
    session_timeout_seconds=60,
    refresh_seconds=12,
    verify_seconds=10,
    consumer_lag_seconds=3,
    proofs=4,
    proof_span_seconds=3,
    proof_retry_seconds=0.5,
    proof_deadline_seconds=12,
    slow_servers_seconds=8,
    deploy_deadline_seconds=15,
    poll_seconds=0.5,
    lease_seconds=13,
    connect_timeout_seconds=2,
    read_timeout_seconds=4,
    retry_seconds=0.5,
    reconcile_seconds=1,
    propagation_seconds=2,
    deploy_seconds=1,
)
"""Rotations come due after seconds."""

SANDBOX = Lifetimes(
    first_due_seconds=300,
    stagger_seconds=60,
    certificate_seconds=1200,
    deployer_certificate_seconds=7200,
    renew_before_seconds=600,
    urgent_before_seconds=300,
    backoff_seconds=30,
    quarantine_seconds=300,
    session_timeout_seconds=900,
    refresh_seconds=120,
    verify_seconds=60,
    consumer_lag_seconds=30,
    proofs=4,
    proof_span_seconds=3,
    proof_retry_seconds=1,
    proof_deadline_seconds=60,
    slow_servers_seconds=60,
    deploy_deadline_seconds=60,
    poll_seconds=1,
    lease_seconds=17,
    connect_timeout_seconds=2,
    read_timeout_seconds=6,
    retry_seconds=1,
    reconcile_seconds=1,
    propagation_seconds=5,
    deploy_seconds=2,
)
"""Rotations come due after minutes."""

FIRST_HOUR = replace(SANDBOX, certificate_seconds=14_400, deployer_certificate_seconds=14_400)
"""Nothing comes due before a person has had the time to read."""
