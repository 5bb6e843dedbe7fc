"""With what a deployer deploys while its own certificate is changed, so that no key may mint."""

from __future__ import annotations

import pytest

from rotator.app import deployer_session
from rotator.errors import KeyRefused
from rotator.sandbox.pairs import make_pair
from rotator.sandbox.settings import APPS
from tests.world.lab import DEPLOYER, Hand


@pytest.fixture
def deployer(lab):
    lab.steady("globex", "deployer")
    with lab.application() as app:
        hand = Hand(app, "deployer")
        hand.until_wait()
        yield hand


def test_where_the_org_takes_no_key_the_session_that_is_kept_alive_serves(lab, deployer):
    session = deployer_session("deployer", deployer.app.tools, deployer.app.driver, target="deployer")
    lab.control.put_certificate(APPS["deployer"], make_pair("stranger", 3600).certificate)
    known, _version = deployer.station.tokens[DEPLOYER[0]]
    assert session().access_token == known.access_token
    deployer.station.tokens.clear()
    with pytest.raises(KeyRefused):
        session()


def test_a_session_that_nobody_publishes_outlives_a_reload_unless_the_app_is_another(lab, deployer):
    app, known = deployer.app, dict(deployer.station.tokens)
    assert known.keys() == set(DEPLOYER)
    slower = lab.configuration(lambda said: said["credentials"]["deployer"].update(session={"timeout": "3h"}))
    renewed = app.renew_station(deployer.station, slower.credentials["deployer"])
    assert renewed.tokens == known
    another = lab.configuration(lambda said: said["credentials"]["deployer"].update(consumer_key="another"))
    assert app.renew_station(renewed, another.credentials["deployer"]).tokens == {}
