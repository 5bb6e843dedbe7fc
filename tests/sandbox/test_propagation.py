"""How a change of certificate spreads over the servers of the org."""

from __future__ import annotations

import pytest

from rotator.sandbox.org.seed import ACME

MINUTES = 600


def outcomes(sandbox, pair, tries=30):
    return {sandbox.takes(pair) for _ in range(tries)}


def swap(sandbox, pair):
    known = {sandbox.old.base64, sandbox.new.base64}
    files = sandbox.acme_files()
    for text in known:
        files = {path: content.replace(text, pair.base64) for path, content in files.items()}
    assert sandbox.deploy(files)["success"]


def test_while_a_change_spreads_logins_alternate_and_afterwards_they_do_not(sandbox):
    sandbox.org.set_knobs(propagation_seconds=MINUTES)
    swap(sandbox, sandbox.new)
    seen = []
    for _ in range(20):
        seen.append((outcomes(sandbox, sandbox.old), outcomes(sandbox, sandbox.new)))
        sandbox.clock.pass_seconds(MINUTES / 20)
    assert seen[0] == ({True}, {False})
    assert ({True, False}, {True, False}) in seen
    assert (outcomes(sandbox, sandbox.old), outcomes(sandbox, sandbox.new)) == ({False}, {True})


def test_no_server_learns_of_a_change_before_the_least_time(sandbox):
    sandbox.org.set_knobs(propagation_least_seconds=MINUTES / 2, propagation_seconds=MINUTES)
    swap(sandbox, sandbox.new)
    sandbox.clock.pass_seconds(MINUTES / 2 - 1)
    assert outcomes(sandbox, sandbox.new) == {False}
    sandbox.clock.pass_seconds(MINUTES / 2 + 1)
    assert outcomes(sandbox, sandbox.new) == {True}


def test_no_server_takes_both_keys(sandbox):
    sandbox.org.set_knobs(propagation_seconds=MINUTES)
    swap(sandbox, sandbox.new)
    slot = sandbox.org.app(ACME).slot
    for _ in range(20):
        held = [slot.seen_by(server, sandbox.clock.now.timestamp()).certificate for server in range(3)]
        assert all(
            certificate.fingerprint in {sandbox.old.fingerprint, sandbox.new.fingerprint}
            for certificate in held
        )
        sandbox.clock.pass_seconds(MINUTES / 20)


def test_an_older_change_that_arrives_late_does_not_undo_a_newer_one(sandbox):
    sandbox.org.set_knobs(propagation_seconds=MINUTES)
    swap(sandbox, sandbox.new)
    sandbox.org.set_knobs(propagation_seconds=0)
    swap(sandbox, sandbox.old)
    for _ in range(20):
        assert outcomes(sandbox, sandbox.new, 10) == {False}
        sandbox.clock.pass_seconds(MINUTES / 20)


def test_the_same_seed_spreads_the_same_way(sandbox):
    sandbox.org.set_knobs(propagation_seconds=MINUTES)
    runs = []
    for _ in range(2):
        sandbox.org.set_knobs(seed=42)
        swap(sandbox, sandbox.new)
        arrivals = sandbox.org.app(ACME).slot.latest.arrivals
        runs.append([at - sandbox.clock.now.timestamp() for at in arrivals])
        sandbox.clock.pass_seconds(MINUTES)
        swap(sandbox, sandbox.old)
        sandbox.clock.pass_seconds(MINUTES)
    assert runs[0] == pytest.approx(runs[1])
    assert len(set(runs[0])) == 3


def test_a_broken_certificate_locks_both_keys_out_until_the_next_deploy(sandbox):
    sandbox.org.set_knobs(break_certificate=1)
    swap(sandbox, sandbox.new)
    assert (outcomes(sandbox, sandbox.old), outcomes(sandbox, sandbox.new)) == ({False}, {False})
    swap(sandbox, sandbox.old)
    assert outcomes(sandbox, sandbox.old) == {True}


def test_a_broken_certificate_is_mended_by_the_same_one_again(sandbox):
    sandbox.org.set_knobs(break_certificate=1)
    swap(sandbox, sandbox.new)
    swap(sandbox, sandbox.new)
    assert outcomes(sandbox, sandbox.new) == {True}


def test_a_stalled_certificate_never_arrives_and_the_old_key_works_on(sandbox):
    sandbox.org.set_knobs(stall_certificate=1)
    swap(sandbox, sandbox.new)
    sandbox.clock.pass_seconds(10 * MINUTES)
    assert (outcomes(sandbox, sandbox.old), outcomes(sandbox, sandbox.new)) == ({True}, {False})
    assert sandbox.new.base64 in "".join(sandbox.acme_files().values())
    swap(sandbox, sandbox.new)
    assert outcomes(sandbox, sandbox.new) == {True}


def test_a_new_app_is_unknown_where_it_has_not_arrived(sandbox):
    sandbox.org.set_knobs(propagation_seconds=MINUTES)
    app = sandbox.org.new_app("ExternalClientApplication", "Fresh")
    app.documents = sandbox.org.app(ACME).draft().documents
    sandbox.org.apps[app.kind, app.name] = app
    sandbox.org.install(app, sandbox.clock.now.timestamp())
    assert sandbox.refusal(sandbox.mint(iss=app.consumer_key)) == (
        "invalid_client_id",
        "client identifier invalid",
    )
    sandbox.clock.pass_seconds(MINUTES)
    assert sandbox.mint(iss=app.consumer_key).status_code == 200
