"""With what a deployer deploys while its own certificate is changed, so that no key may mint."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rotator.app import Application, deployer_session
from rotator.errors import KeyRefused, Misconfigured, Transient
from rotator.sandbox.pairs import make_pair
from rotator.sandbox.settings import APPS
from tests.world.lab import DEPLOYER, Hand, Lab


@pytest.fixture
def deployer(lab):
    lab.steady("globex", "deployer")
    with lab.application() as app:
        hand = Hand(app, "deployer")
        hand.until_wait()
        yield hand


def test_where_the_org_takes_no_key_the_session_that_is_kept_alive_serves(lab, deployer):
    session = deployer_session("deployer", lambda: deployer.app.driver, target="deployer")
    lab.control.put_certificate(APPS["deployer"], make_pair("stranger", 3600).certificate)
    known, _version = deployer.station.tokens[DEPLOYER[0]]
    assert session().access_token == known.access_token
    deployer.station.tokens.clear()
    with pytest.raises(KeyRefused):
        session()


def elsewhere(lab: Lab, app: Application) -> None:
    """Let an application go on in another place in Vault, as a reload does before any credential has had a step."""
    app.renew(
        app.prepare(lab.configuration(lambda said: said["vault"].update(base_path=f"{lab.base}/elsewhere")))
    )


@pytest.mark.parametrize("first", ["deployer", "globex"])
def test_where_a_change_of_vault_has_come_to_one_of_both_alone_there_is_no_session(lab, deployer, first):
    app = deployer.app
    session = deployer_session("deployer", lambda: app.driver, target="globex")
    assert session().access_token
    elsewhere(lab, app)
    station = app.driver.stations[first]
    app.renew_station(station, station.config)
    with pytest.raises(Transient, match="taken over into another Vault"):
        session()


def test_who_came_into_another_vault_before_its_deployer_does_not_try_to_deploy(lab, deployer):
    app, now = deployer.app, deployer.clock()
    held = lambda: app.driver.neighbours.allowed(app.driver.stations["globex"], now, 0.0).may_not_deploy  # noqa: E731
    assert held() is None
    elsewhere(lab, app)
    app.renew_station(app.driver.stations["globex"], app.configuration.credentials["globex"])
    assert "taken over into another Vault" in held()


def test_the_record_of_one_vault_is_not_read_into_what_is_known_of_another(lab, deployer):
    former, station = deployer.app.driver, deployer.station
    elsewhere(lab, deployer.app)
    renewed = deployer.app.renew_station(station, station.config)
    assert not former.acquaint(renewed)
    assert (renewed.version, renewed.read_at) == (0, None)
    assert deployer.app.driver.acquaint(renewed)
    assert renewed.read_at


def test_a_key_that_was_read_in_one_vault_does_not_sign_in_another(lab, deployer):
    station = deployer.station
    station.record = replace(station.record, keys=())
    deployer.app.tools.signing_key("deployer", 1)
    elsewhere(lab, deployer.app)
    deployer.app.renew_station(station, station.config)
    with pytest.raises(Misconfigured, match="there is no such key pair"):
        deployer.app.tools.signing_key("deployer", 1)


def test_a_session_that_nobody_publishes_outlives_a_reload_unless_the_app_is_another(lab, deployer):
    app, known = deployer.app, dict(deployer.station.tokens)
    assert known.keys() == set(DEPLOYER)
    slower = lab.configuration(lambda said: said["credentials"]["deployer"].update(session={"timeout": "3h"}))
    renewed = app.renew_station(deployer.station, slower.credentials["deployer"])
    assert renewed.tokens == known
    another = lab.configuration(lambda said: said["credentials"]["deployer"].update(consumer_key="another"))
    assert app.renew_station(renewed, another.credentials["deployer"]).tokens == {}
