"""Every store and ledger, so that one suite says what all of them must do."""

from collections.abc import Iterator

import fakeredis
import pytest
import redis

from dispatcher.ports.ledger import Ledger
from dispatcher.ports.store import JobStore
from dispatcher.ports.traffic import Traffic
from dispatcher.store.memory import MemoryLedger, MemoryStore, MemoryTraffic
from dispatcher.store.redis import RedisLedger, RedisStore, RedisTraffic
from tests.servers import redis_client, redis_url

__all__ = ["client", "ledger", "redis_client", "redis_url", "store", "traffic"]

FAKE_AND_REAL = [pytest.param("fakeredis"), pytest.param("redis", marks=pytest.mark.redis)]


@pytest.fixture(params=FAKE_AND_REAL)
def client(request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    """An empty database, in this process and on a real server."""
    if request.param == "redis":
        yield request.getfixturevalue("redis_client")
        return
    with fakeredis.FakeRedis(server=fakeredis.FakeServer()) as fake:
        yield fake


@pytest.fixture(params=[pytest.param("memory"), *FAKE_AND_REAL])
def backend(request: pytest.FixtureRequest) -> Iterator[redis.Redis | None]:
    """A client for the stores on Redis, None for those in memory."""
    if request.param == "memory":
        yield None
    elif request.param == "redis":
        yield request.getfixturevalue("redis_client")
    else:
        with fakeredis.FakeRedis(server=fakeredis.FakeServer()) as fake:
            yield fake


@pytest.fixture
def store(backend: redis.Redis | None) -> JobStore:
    return MemoryStore() if backend is None else RedisStore(backend, "test")


@pytest.fixture
def ledger(backend: redis.Redis | None) -> Ledger:
    return MemoryLedger() if backend is None else RedisLedger(backend, "test")


@pytest.fixture
def traffic(backend: redis.Redis | None) -> Traffic:
    return MemoryTraffic() if backend is None else RedisTraffic(backend, "test")
