"""The consumers of the soak do what consumers are told to do."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from tests.soak.consumers import Patient
from tests.world.http_fake import Answer, HttpFake, Request

REFUSED = Answer(401, [{"errorCode": "INVALID_SESSION_ID"}])
FOUND = Answer(200, {"totalSize": 1})
PATIENCE_SECONDS = 60.0


class World:
    """Vault and the org in one server: it publishes tokens, and takes the latest."""

    def __init__(self, refresh_after: datetime) -> None:
        self.refresh_after = refresh_after
        self.number = 1
        self.reads = 0
        self.connections: set[int] = set()

    def __call__(self, request: Request) -> Answer:
        self.connections.add(request.connection)
        if request.path.startswith("/v1/"):
            self.reads += 1
            return Answer(body={"data": {"data": self.document()}})
        return FOUND if request.headers["Authorization"] == f"Bearer token-{self.number}" else REFUSED

    def document(self) -> dict[str, object]:
        return {
            "access_token": f"token-{self.number}",
            "token_type": "Bearer",
            "instance_url": self.url,
            "api_version": "66.0",
            "key_serial": 1,
            "refresh_after": self.refresh_after.isoformat(),
        }


def working(world: World, until) -> Patient:
    """Let a consumer work until something holds."""
    with HttpFake(world) as server:
        world.url = server.url
        with Patient(server.url, "s.token", "acme", "ann@acme.example", call_every_seconds=0.01) as consumer:
            end = time.monotonic() + PATIENCE_SECONDS
            while not until(consumer):
                assert time.monotonic() < end
                time.sleep(0.01)
    return consumer


def test_before_refresh_after_a_token_is_read_once_and_all_goes_over_one_connection():
    world = World(datetime.now(UTC) + timedelta(hours=1))
    consumer = working(world, lambda consumer: consumer.calls >= 20)
    assert (world.reads, consumer.failed, world.connections) == (1, 0, {1})


def test_after_refresh_after_it_is_read_again_before_each_call_until_there_is_another():
    world = World(datetime.now(UTC) - timedelta(seconds=1))
    consumer = working(world, lambda consumer: consumer.calls >= 20)
    assert world.reads >= consumer.calls


def test_a_refused_call_lets_it_be_read_again_at_once_and_counts_in_one_outage():
    world = World(datetime.now(UTC) + timedelta(hours=1))

    def killed(consumer: Patient) -> bool:
        if consumer.calls >= 5 and world.number == 1:
            world.number = 2
        return bool(consumer.outages) and consumer.outages[-1].ended is not None

    consumer = working(world, killed)
    (outage,) = consumer.outages
    assert (world.reads, outage.calls, consumer.failed) == (2, 1, 1)
    assert outage.read < outage.began
