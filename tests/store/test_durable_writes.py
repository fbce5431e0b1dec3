"""Writes that must outlive a loss of power: what the server is asked, and what is done with its answer."""

from collections.abc import Iterator
from pathlib import Path

import fakeredis
import pytest
import redis
from structlog.testing import capture_logs

from dispatcher.domain import events as ev
from dispatcher.domain.errors import StoreUnavailable
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.words import Reason
from dispatcher.ports.store import Claim
from dispatcher.store.redis import RedisStore
from tests.servers import start_newer_server
from tests.store.records import LEASE, T0, added, claimed


def durable_save(store: RedisStore) -> Claim:
    job = added(store)
    claim = claimed(store, job.id)
    event = ev.Waited(at=T0, reason=Reason.AWAITING_NETWORK)
    return store.save(claim, apply(job, event), [event], now=T0, lease=LEASE, durable=True)


@pytest.fixture(params=["always", "everysec", "no", "off"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, redis.Redis]]:
    """A server that knows WAITAOF, by how it writes its append-only file."""
    arguments = ["--appendonly", "no" if request.param == "off" else "yes"]
    arguments += [] if request.param == "off" else ["--appendfsync", request.param]
    started = start_newer_server(tmp_path, arguments)
    with redis.Redis.from_url(started.url) as client:
        yield request.param, client
    started.stop()


@pytest.mark.redis
def test_a_durable_write_comes_back_when_it_is_on_the_disk(server: tuple[str, redis.Redis]) -> None:
    mode, client = server
    store = RedisStore(client, "test")
    if mode == "no":
        with pytest.raises(StoreUnavailable, match="set appendfsync to everysec or always"):
            durable_save(store)
        return
    with capture_logs() as logs:
        saved = durable_save(store)
    assert store.load(saved.job.id) == saved.job
    assert [log["event"] for log in logs] == (["store_cannot_confirm_writes"] if mode == "off" else [])


def test_a_server_without_the_command_is_asked_once() -> None:
    with fakeredis.FakeRedis(server=fakeredis.FakeServer()) as client, capture_logs() as logs:
        store = RedisStore(client, "test")
        claim = durable_save(store)
        for _ in range(3):
            claim = store.save(claim, claim.job, [], now=T0, lease=LEASE, durable=True)
    assert [log["event"] for log in logs] == ["store_cannot_confirm_writes"]


def test_a_durable_write_under_a_lost_lease_is_refused_as_any_other() -> None:
    with fakeredis.FakeRedis(server=fakeredis.FakeServer()) as client:
        store = RedisStore(client, "test")
        claim = durable_save(store)
        claimed(store, claim.job.id, T0 + LEASE + 1)
        with pytest.raises(Exception, match=r"lease on .* is lost"):
            store.save(claim, claim.job, [], now=T0, lease=LEASE, durable=True)
