"""`once`: all that is due, changes to their end, and an honest answer."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from rotator.core.effects import Wait
from rotator.core.model import Ask, PauseKind, Phase, Reason
from rotator.errors import Misconfigured, Transient
from rotator.run.ask import acquaint
from rotator.run.once import MOST_FAILURES, run_to_rest
from rotator.vault.refusals import PERMISSION_DENIED
from tests.world.lab import GLOBEX, NAMES

USER = GLOBEX[0]


def hastily(said):
    """Try again sooner than anybody would."""
    said["defaults"]["retry"] = {"floor": "20ms", "ceiling": "40ms"}


def test_all_that_is_due_is_done_side_by_side(ready):
    with ready.application() as app:
        assert run_to_rest(app) == []
    assert len(ready.told("token.published")) == 3


def test_nobody_chosen_nothing_done(ready):
    with ready.application() as app:
        assert run_to_rest(app, []) == []


def test_a_change_is_seen_through_to_its_end(ready):
    ready.ask("globex", Ask.ROTATE)
    with ready.application() as app:
        acquaint(app)
        decisions: list[object] = []
        assert run_to_rest(app, ["globex"], told=lambda _name, decision: decisions.append(decision)) == []
        assert isinstance(decisions[-1], Wait)
    assert (ready.record("globex").phase, ready.record("globex").current) == (Phase.STEADY, 2)


def test_a_request_is_not_missed_while_the_record_of_the_deployer_is_being_read(ready):
    ready.ask("globex", Ask.ROTATE)
    with ready.application() as app, ThreadPoolExecutor() as pool:
        with app.driver.stations["deployer"].lock:
            resting = pool.submit(run_to_rest, app, ["globex"])
            with pytest.raises(TimeoutError):
                resting.result(timeout=0.3)
        assert resting.result() == []
    assert ready.record("globex").current == 2


def test_salesforce_away_is_told_and_ends_by_itself(ready):
    ready.control.knobs(maintenance=True)
    with ready.application(hastily) as app:
        assert run_to_rest(app) == list(NAMES)
        tries = app.driver.stations["globex"].held[f"mint:{USER}"].failures
        assert tries in (
            MOST_FAILURES,
            MOST_FAILURES + 1,
        )  # one more where its pause was over before it was looked at
    assert ready.record("globex").trouble == ()


def test_a_fault_that_passes_is_waited_for(ready):
    ready.control.knobs(unknown_error_rate=0.5)
    with ready.application(hastily) as app:
        assert run_to_rest(app, ["globex"]) == []


def test_a_change_that_salesforce_keeps_from_beginning_is_left_to_a_later_run(ready):
    ready.ask("globex", Ask.ROTATE)
    with ready.application(hastily) as app:
        acquaint(app)
        run_to_rest(app, ["deployer"])
        ready.control.knobs(maintenance=True)
        assert run_to_rest(app, ["globex"]) == ["globex"]
    assert ready.record("globex").phase is Phase.STAGED
    ready.control.knobs(maintenance=False)
    with ready.application(hastily) as app:
        acquaint(app)
        assert run_to_rest(app, ["globex"]) == []
    assert ready.record("globex").current == 2


def test_a_foreign_org_ends_it_and_is_not_well(ready):
    with ready.application(hastily) as app:
        run_to_rest(app, ["globex"])
    record = ready.record("globex")
    identity = replace(record.identity, org_id="00D000000000001AAA")
    ready.edit_record("globex", replace(record, identity=identity))
    ready.ask("globex", Ask.ROTATE)
    with ready.application(hastily) as app:
        acquaint(app)
        assert run_to_rest(app, ["globex"]) == ["globex"]


def test_vault_away_is_an_error(ready):
    with ready.application(hastily) as app:

        def call(_send):
            raise Transient("Vault does not answer", code="vault.unreachable", hint="Mend it.")

        app.client.call = call
        with pytest.raises(Transient):
            run_to_rest(app, ["globex"])


def test_a_damaged_record_is_the_trouble_of_one(ready):
    ready.put("acme/record", {"phase": "nonsense", "schema": 1})
    with ready.application() as app:
        assert run_to_rest(app) == ["acme"]
        assert "phase" in app.driver.stations["acme"].sentence
    assert ready.told("token.published", user=USER)


def test_a_request_that_cannot_be_read_keeps_nobody_from_work(ready):
    ready.put("-/requests/globex", {"request": "nonsense", "schema": 1})
    with ready.application() as app:
        assert run_to_rest(app, ["globex"]) == []


def test_a_request_whose_answer_cannot_be_recorded_keeps_no_token_from_consumers(ready, monkeypatch):
    ready.ask("globex", Ask.PAUSE)

    def denied(*_written):
        raise Misconfigured("Vault's policy does not allow it", code=PERMISSION_DENIED, hint="Mend it.")

    with ready.application() as app:
        monkeypatch.setattr(app.documents, "write_record", denied)
        assert run_to_rest(app, ["globex"]) == ["globex"]
        assert app.driver.stations["globex"].sentence == "Vault's policy does not allow it"
    assert ready.told("token.published", user=USER)


def test_it_does_not_wait_for_a_person(lab):
    lab.steady()
    lab.edit_record(
        "globex", replace(lab.record("globex"), phase=Phase.EMPTY, current=None, keys=(), newest=0)
    )

    def by_hand(said):
        said["credentials"]["globex"]["deploy"] = {"publisher": "manual"}

    lab.put("globex/keys/1", {"destroyed": True})
    lab.vault.request("DELETE", f"secret/metadata/{lab.base}/globex/keys/1")
    lab.ask("globex", Ask.INIT, 0)
    with lab.application(by_hand) as app:
        run_to_rest(app, ["globex"])
        record = app.driver.stations["globex"].record
    assert (record.phase, record.change.reason) == (Phase.PROVING, Reason.INIT)


def test_it_stops_when_told(ready):
    ready.control.knobs(maintenance=True)
    stop = threading.Event()
    with ready.application(hastily) as app:
        ended = threading.Thread(target=run_to_rest, args=(app,), kwargs={"stop": stop})
        ended.start()
        stop.set()
        ended.join(15)
        assert not ended.is_alive()


def test_who_is_paused_is_served_and_well(ready):
    ready.ask("globex", Ask.PAUSE)
    with ready.application() as app:
        assert run_to_rest(app, ["globex"]) == []
    assert ready.record("globex").paused.kind is PauseKind.OPERATOR
    assert ready.told("token.published", user=USER)
